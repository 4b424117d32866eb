// SPDX-License-Identifier: GPL-3.0-or-later
// Every function of real units is replaced by its identical copy: the module leads everywhere where the
// original leads, and the kernel runs on with it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { parseExpectation } from '../../src/vm/plan/check.ts'
import { readSubject } from '../../src/vm/plan/subject.ts'
import { prove } from '../../src/vm/proof.ts'
import { identityOf } from './identity.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-identity-'))
afterAll(() => rmSync(work, { recursive: true }))

/** Its source, and the number of functions that it has at least. */
export type UnitOfCopies = readonly [source: string, least: number]

/** Warnings with cold parts, ratelimits, static calls and keys. */
export const warnings: UnitOfCopies = ['net/core/sock.c', 100]
/** Alternatives and faults; a module's own `__this_module` and jump labels; its tracepoints. */
export const others: readonly UnitOfCopies[] = [
  ['arch/x86/mm/fault.c', 10],
  ['drivers/net/tun.c', 50],
  ['fs/xfs/xfs_log.c', 50],
]

/** The tests of some units on the newest kernel of a series. */
export function describeCopies(suite: string, units: readonly UnitOfCopies[]): void {
  describe(`the kernel of ${suite}`, () => {
    test.each(units)('%s', async (source, least) => {
      const kernel = await selectKernel(job, suite)
      const { findings, wrong, replaced, relocations } = await identityOf(job, kernel, source)
      expect(wrong).toEqual([])
      expect(findings.filter(({ rule }) => rule !== 'tracepoint-lost')).toEqual([])
      expect(replaced).toBeGreaterThan(least)
      expect(relocations).toBeGreaterThan(4 * least)
    })
  })
}

/** A guest of the newest kernel of a series with copies at work. */
export function describeRunning(suite: string): void {
  test(`the kernel of ${suite} runs on with identical copies`, async () => {
    const kernel = await selectKernel(job, suite)
    // Every path that anything opens goes through these.
    const names =
      /^(link_path_walk|walk_component|path_lookupat|path_openat|lookup_fast|step_into|complete_walk|may_open|do_filp_open|filename_lookup|terminate_walk)\b/
    const { module, manifest, findings, replaced } = await identityOf(job, kernel, 'fs/namei.c', (name) =>
      names.test(name),
    )
    expect(replaced).toBeGreaterThan(6)
    expect(findings).toEqual([])
    const file = path.join(work, `livepatch-${suite}.ko`)
    writeFileSync(file, module!)
    writeFileSync(file.replace(/ko$/, 'json'), JSON.stringify(manifest))
    const proof = await prove(job, kernel, {
      subject: await readSubject(file),
      over: [],
      checks: [
        {
          command: 'ls / | wc -l',
          before: parseExpectation('/^\\d+$/'),
          after: parseExpectation('/^\\d+$/'),
        },
      ],
    })
    expect(proof.failures).toEqual([])
    expect(proof.verdict).toBe('proven')
  })
}
