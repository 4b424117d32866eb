// SPDX-License-Identifier: GPL-3.0-or-later
// Some of the functions of bench/source.ts: functions of real units are extracted, and their extracts compile to
// the same machine code. The benchmark takes a thousand.
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import type { Summary } from '../../../bench/source/summary.ts'
import type { Trial } from '../../../bench/source/trial.ts'
import { root } from '../inarch.ts'

test('functions of real units come out as the same machine code when they are cut out', () => {
  const size = ['--functions', '40', '--units', '10', '--seed', '2']
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
  expect(functions, JSON.stringify(others, null, 1)).toBe(40)
  // The share of a few varies more than that of a thousand, and the kernel is whichever is the newest.
  expect(compiled, JSON.stringify(others, null, 1)).toBeGreaterThanOrEqual(38)
  expect(identical, JSON.stringify(others, null, 1)).toBeGreaterThanOrEqual(34)
  expect(copies).toBe(0)
  for (const { outcome, message } of others) {
    expect(outcome).toMatch(/^[a-z-]+$/)
    expect(message).not.toBe('')
  }
  expect(memory).toBeLessThan(500 * 1024 ** 2)
})
