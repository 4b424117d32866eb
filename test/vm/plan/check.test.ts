// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { type Check, expectedIn, labelOf, parseExpectation, parsePattern } from '../../../src/vm/plan/check.ts'

describe('what a check expects', () => {
  test.each([
    ['plain text is contained', 'b c', 'a b c d', true],
    ['plain text is no expression', 'b.c', 'abxc', false],
    ['an expression matches', '/b.c/', 'abxc', true],
    ['an expression sees line starts', '/^Mem/', 'Swap\nMemTotal', true],
    ['flags count', '/mem/i', 'MEM', true],
    ['without flags case counts', '/mem/', 'MEM', false],
    ['a path is no expression', '/proc/cmdline is', 'the file /proc/cmdline is short', true],
    ['the global flag changes nothing', '/a/g', 'a', true],
  ])('%s', (_, text, output, outcome) => {
    const expectation = parseExpectation(text)
    expect(expectation.matches(output)).toBe(outcome)
    expect(expectation.matches(output)).toBe(outcome)
  })

  test('is refused when the expression is none', () => {
    expect(() => parseExpectation('/(/')).toThrow(expect.objectContaining({ kind: 'usage', code: 'bad-expression' }))
    expect(() => parsePattern('a', 'q')).toThrow(/is not a regular expression/)
  })
})

describe('a check', () => {
  const [before, after, reverted] = ['old', 'new', 'other'].map(parseExpectation)
  const check = { command: 'true', before, after } as Check

  test('expects after the revert what it expected before, unless it says otherwise', () => {
    expect(expectedIn(check, 'reverted', true)).toBe(before)
    expect(expectedIn({ ...check, reverted } as Check, 'reverted', true)).toBe(reverted)
    expect(expectedIn(check, 'after', true)).toBe(after)
  })

  test('expects nothing after the revert that does not bring back what was before, unless it says so', () => {
    expect(expectedIn(check, 'reverted', false)).toBeUndefined()
    expect(expectedIn({ ...check, reverted } as Check, 'reverted', false)).toBe(reverted)
    expect(expectedIn(check, 'before', false)).toBe(before)
  })

  test.each([
    ['its label', { command: 'x'.repeat(99), label: 'packets that\nwere dropped' }, 'packets that were dropped'],
    ['its command when that is short', { command: 'cat /proc/meminfo' }, 'cat /proc/meminfo'],
    ['the beginning of a long command', { command: `echo ${'x'.repeat(99)}` }, `echo ${'x'.repeat(34)}…`],
    ['one line, whatever the command', { command: 'if true\nthen\n  ls\nfi\n' }, 'if true then ls fi'],
  ])('is called by %s', (_, check, label) => {
    expect(labelOf(check)).toBe(label)
  })
})
