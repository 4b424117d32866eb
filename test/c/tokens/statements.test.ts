// SPDX-License-Identifier: GPL-3.0-or-later
// How deep statements may lie in each other: what is deeper is refused in a sentence.
import { describe, expect, test } from 'vitest'
import { tokenize } from '../../../src/c/tokens/lexer.ts'
import { statementsOf } from '../../../src/c/tokens/statements.ts'

const count = (text: string) => statementsOf(tokenize(text)).length

describe('statements in each other', () => {
  test.each([
    ['blocks', (depth: number) => `${'{'.repeat(depth)} a = 1; ${'}'.repeat(depth)}`],
    ['conditions', (depth: number) => `${'if (a) '.repeat(depth)} a = 1;`],
    ['loops of macros', (depth: number) => `${'for_each(a) '.repeat(depth)} a = 1;`],
  ])('%s', (_, text) => {
    expect(count(text(500))).toBeGreaterThan(0)
    for (const depth of [1500, 50_000])
      expect(() => count(text(depth))).toThrow(expect.objectContaining({ kind: 'patch', code: 'too-deep' }))
  })

  test('a long chain of else is not deep', () => {
    expect(count(`if (a) b = 1;${' else if (a) b = 2;'.repeat(20_000)}`)).toBeGreaterThan(20_000)
  })
})
