// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { parseExpectation, parsePattern } from '../../src/vm/check.ts'

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
    expect(() => parseExpectation('/(/')).toThrow(
      expect.objectContaining({ kind: 'usage', code: 'bad-expression' }),
    )
    expect(() => parsePattern('a', 'q')).toThrow(/is not a regular expression/)
  })
})
