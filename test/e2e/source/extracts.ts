// SPDX-License-Identifier: GPL-3.0-or-later
// Some of the functions of bench/source.ts: functions of real units are extracted, and their extracts compile to
// the same machine code. The benchmark takes a thousand.
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import type { Summary } from '../../../bench/source/summary.ts'
import type { Trial } from '../../../bench/source/trial.ts'
import { root } from '../inarch.ts'

/**
 * @param share of the functions whose extracts compile, and come out the same: of a few it varies more than of a
 * thousand, and
 *   the kernel is whichever is the newest
 */
export function describeExtracts(
  kernel: string,
  count: number,
  units: number,
  share: { readonly compiled: number; readonly identical: number },
): void {
  test(`functions of real units of ${kernel} come out as the same machine code when they are cut out`, () => {
    const size = ['--functions', String(count), '--units', String(units), '--seed', '2', '--kernel', kernel]
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['scripts/run.mjs', 'bench/source.ts', ...size, '--fresh', '--json'],
      { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 },
    )
    expect(stderr).toBe('')
    const { functions, compiled, identical, copies, memory, trials } = JSON.parse(stdout) as Summary & {
      trials: readonly Omit<Trial, 'text'>[]
    }
    const others = trials.filter(({ outcome }) => outcome !== 'identical')
    expect(functions, JSON.stringify(others, null, 1)).toBe(count)
    expect(compiled, JSON.stringify(others, null, 1)).toBeGreaterThanOrEqual(share.compiled * count)
    expect(identical, JSON.stringify(others, null, 1)).toBeGreaterThanOrEqual(share.identical * count)
    expect(copies).toBe(0)
    for (const { outcome, message } of others) {
      expect(outcome).toMatch(/^[a-z-]+$/)
      expect(message).not.toBe('')
    }
    expect(memory).toBeLessThan(450 * 1024 ** 2)
  })
}
