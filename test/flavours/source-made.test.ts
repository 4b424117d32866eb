// SPDX-License-Identifier: GPL-3.0-or-later
// Live patches made from source on the next Debian's kernel, which has UBSAN and tells places of the source in data.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { isFor, sample } from '../changes/changes.ts'
import { proveChanges } from '../changes/prove.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-source-made-'))
afterAll(() => rmSync(work, { recursive: true }))

test('the everyday changes are made from source and proven on the next Debian', async () => {
  const kernel = await selectKernel(job, 'testing')
  const outcomes = await proveChanges(job, kernel, sample.filter(isFor(kernel.series)), work, 'source')
  const wrong = outcomes.flatMap(({ change, complaints, proof }) =>
    complaints.length > 0 || proof?.verdict !== 'proven' ? [[change.name, ...complaints]] : [],
  )
  expect(wrong).toEqual([])
})
