// SPDX-License-Identifier: GPL-3.0-or-later
// A patch that is written for klp-build, on the next Debian's kernel, which brings that: its macros for system calls
// and callbacks are understood as they are, and the live patch does what they say.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { changes } from '../changes/changes.ts'
import { proveChanges } from '../changes/prove.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-klp-'))
afterAll(() => rmSync(work, { recursive: true }))

test.each(['binary', 'source'] as const)('the macros of klp-build work unchanged (%s)', async (engine) => {
  const kernel = await selectKernel(job, 'testing')
  const change = changes.filter(({ name }) => name === 'hostname-klp')
  const [outcome] = await proveChanges(job, kernel, change, path.join(work, engine), engine)
  expect(outcome?.complaints).toEqual([])
  expect(outcome?.proof?.verdict).toBe('proven')
})
