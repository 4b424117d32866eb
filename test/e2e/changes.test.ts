// SPDX-License-Identifier: GPL-3.0-or-later
// Real changes to real units, on a stock kernel of each series: all of a series are built as live patches and
// proven in one boot. docs/changes.md lists them.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { changes, isFor } from '../changes/changes.ts'
import { provenSeries } from '../changes/page.ts'
import { type Outcome, proveChanges } from '../changes/prove.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-changes-'))
afterAll(() => rmSync(work, { recursive: true }))

/** Each guest has one processor, so two of them and the compilers share the machine's well. */
const running = new Map<string, Promise<readonly Outcome[]>>()
beforeAll(async () => {
  for (const series of provenSeries) {
    const prove = async () => {
      const kernel = await selectKernel(job, series)
      return proveChanges(job, kernel, changes.filter(isFor(series)), path.join(work, series))
    }
    running.set(series, prove())
  }
  await Promise.all(running.values())
})

describe.each(provenSeries)('Linux %s', (series) => {
  test.each(changes.filter(isFor(series)).map(({ name, exercises }) => [name, exercises]))(
    '%s: %s',
    async (name) => {
      const outcomes = await running.get(series)
      const outcome = outcomes?.find(({ change }) => change.name === name)
      expect(outcome?.complaints).toEqual([])
      expect(outcome?.proof?.verdict).toBe('proven')
    },
  )

  test('needs one boot', async () => {
    const outcomes = (await running.get(series)) ?? []
    expect(new Set(outcomes.map(({ proof }) => JSON.stringify(proof?.bootMs))).size).toBe(1)
    expect(outcomes.every(({ proof }) => proof?.boots === 1)).toBe(true)
  })
})
