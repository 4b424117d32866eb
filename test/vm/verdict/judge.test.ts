// SPDX-License-Identifier: GPL-3.0-or-later
// What is said of the checks of a proof, from what the guest told.
import { describe, expect, test } from 'vitest'
import { type Check, parseExpectation } from '../../../src/vm/plan/check.ts'
import { checkFailures } from '../../../src/vm/verdict/judge.ts'
import type { StepRecord } from '../../../src/vm/verdict/record.ts'

const step = (phase: string, index: number | string, exitCode: number, text = ''): StepRecord => ({
  id: `module-first.check.${phase}.${index}`,
  title: `check ${index} ${phase}`,
  ms: 1,
  outcome: 'done',
  output: { exitCode, text },
})
/** One check in its three phases. */
const steps = (...codes: readonly [number, number, number]) =>
  ['before', 'after', 'reverted'].map((phase, at) => step(phase, 0, codes[at]!))
const messages = (all: readonly StepRecord[], check: Check) =>
  checkFailures(all, [check], true).map(({ message }) => message)

describe('a check without expectations', () => {
  const check: Check = { command: 'cat /proc/x' }

  test('may end as it likes, and may hang in some of its phases', () => {
    expect(messages(steps(0, 1, 0), check)).toEqual([])
    expect(messages(steps(137, 0, 137), check)).toEqual([])
    expect(messages(steps(137, 137, 0), check)).toEqual([])
  })

  test('that never comes to its end shows nothing, and is no proof', () => {
    expect(messages(steps(137, 137, 137), check)).toEqual([
      '"check 0 reverted" and the same before were killed at their time limit: nothing is known of what it does',
    ])
  })

  test('is told for each order by itself', () => {
    const other = steps(0, 0, 0).map((one) => ({ ...one, id: one.id.replace('module-first', 'patch-first') }))
    expect(messages([...other, ...steps(137, 137, 137)], check)).toHaveLength(1)
    expect(messages([...steps(137, 137, 137), ...other], check)).toHaveLength(1)
  })
})

describe('a check with an expectation', () => {
  const check: Check = { command: 'cat', after: parseExpectation('new') }

  test('may hang where it expects nothing, and must print it where it does', () => {
    const seen = [step('before', 0, 137), step('after', 0, 0, 'new\n'), step('reverted', 0, 137)]
    expect(messages(seen, check)).toEqual([])
    expect(messages(steps(137, 137, 137), check)).toEqual([
      '"check 0 after" did not print "new" (it was killed at its time limit)',
    ])
  })
})

test('a script is judged by how it ends', () => {
  expect(messages([step('after', 'script', 0)], { command: 'x' })).toEqual([])
  expect(messages([step('after', 'script', 137)], { command: 'x' })).toEqual([
    '"check script after" ended with exit code 137 (it was killed at its time limit)',
  ])
})
