// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest'
import { commentsIn, findOutside, partsOf, tokenize, withoutComments, wordsOf } from '../../../src/c/tokens/lexer.ts'

const words = (text: string) => tokenize(text).map((token) => token.text)

test('comments and continued lines are white space; what looks so in a string is text', () => {
  expect(words('a/* b */+\\\n"//c" // d\n e')).toEqual(['a', '+', '"//c"', 'e'])
  expect(withoutComments('a /* "b" */ "/* c */" // d')).toBe('a   "/* c */"  ')
  expect(commentsIn("'\"' /* a */ '/* b'").map(({ text }) => text)).toEqual(['/* a */'])
})

test('a quote without its second one on the line is a mark of its own', () => {
  expect(words("#error don't\nint a;")).toEqual(['#', 'error', 'don', "'", 't', 'int', 'a', ';'])
  expect(commentsIn("don't /* a */").map(({ text }) => text)).toEqual(['/* a */'])
})

test('a megabyte of escaped quotes on a line takes no longer than other text', () => {
  const text = `"${'\\"'.repeat(1 << 19)}`
  expect(tokenize(text)).toHaveLength(2 ** 20 + 1)
  expect(commentsIn(`${text}/* a */`)).toHaveLength(1)
})

test('lists fall apart at the commas outside of their brackets', () => {
  const tokens = tokenize('a, f(b, c), { d, e };')
  expect(findOutside(tokens, 0, ';')).toBe(tokens.length - 1)
  const parts = partsOf(tokens, 0, tokens.length - 1)
  expect(parts.map(({ from, to }) => to - from)).toEqual([1, 6, 5])
})

test('an immediate operand of assembly is a word without its dollar, and one within a word stays', () => {
  expect(wordsOf('"pushq $trampoline\\n\\tcall a$b"')).toEqual(['pushq', 'trampoline', 'n', 'tcall', 'a$b'])
})
