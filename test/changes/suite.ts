// SPDX-License-Identifier: GPL-3.0-or-later
// Real changes to real units, on the stock kernel of one suite: they are built as live patches and proven in
// one boot. docs/changes.md lists them.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { distributionCalled } from '../../src/kernel/distributions.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import type { Change } from './change.ts'
import { isFor } from './changes.ts'
import { type Outcome, proveChanges } from './prove.ts'

/** The tests of a suite (`trixie`); each has a file of its own, so that two run at the same time. */
export function describeChanges(suite: string, changes: readonly Change[]): void {
  const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
  const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-changes-'))
  const wanted = changes.filter(isFor(distributionCalled(suite)!.series!))

  describe(`the kernel of ${suite}`, () => {
    let outcomes: readonly Outcome[] = []
    beforeAll(async () => {
      outcomes = await proveChanges(job, await selectKernel(job, suite), wanted, work)
    })
    afterAll(() => rmSync(work, { recursive: true }))

    test.each(wanted.map(({ name, exercises }) => [name, exercises]))('%s: %s', (name) => {
      const outcome = outcomes.find(({ change }) => change.name === name)
      expect(outcome?.complaints).toEqual([])
      expect(outcome?.proof?.verdict).toBe('proven')
    })

    test('needs one boot', () => {
      expect(new Set(outcomes.map(({ proof }) => JSON.stringify(proof?.bootMs))).size).toBe(1)
      expect(outcomes.every(({ proof }) => proof?.boots === 1)).toBe(true)
    })
  })
}
