// SPDX-License-Identifier: GPL-3.0-or-later
// Calls and brackets in C text: which call it is, and of what something is a part.
import { describe, expect, test } from 'vitest'
import { partsBetween, valueFrom, withoutParentheses } from '../../../src/c/tokens/brackets.ts'
import { bracketsAround, callAround, callsIn } from '../../../src/c/tokens/calls.ts'
import { openingOf, type Token, tokenize } from '../../../src/c/tokens/lexer.ts'
import { renamed, wordsAt } from '../../../src/c/tokens/names.ts'
import { squeezed } from '../../../src/c/tokens/text.ts'

/** Where a word stands for the first time. */
const at = (tokens: readonly Token[], word: string) => tokens.findIndex(({ text }) => text === word)

describe('calls', () => {
  test('are told by their names, an outer one before those in its arguments', () => {
    const calls = callsIn(tokenize('if (use(a, get(b)[i])) return put(c);'))
    expect(calls.map(({ name, values }) => [name, ...values.map(squeezed)])).toEqual([
      ['use', 'a', 'get(b)[i]'],
      ['get', 'b'],
      ['put', 'c'],
    ])
  })

  test('through a member of an object are no calls of the function that is called so', () => {
    const calls = callsIn(tokenize('ops->kfree(p); table.kfree(p); kfree(q);'), /^kfree$/)
    expect(calls.map(({ values }) => values.map(squeezed))).toEqual([['q']])
  })

  test('are found around an argument, also behind one with brackets of its own', () => {
    const tokens = tokenize('x = use(table[i], get(a, b), len + 1);')
    expect(callAround(tokens, at(tokens, 'len'))).toMatchObject({ name: 'use', index: 2 })
    expect(callAround(tokens, at(tokens, 'b'))).toMatchObject({ name: 'get', index: 1 })
    expect(callAround(tokens, at(tokens, 'i'))).toBeUndefined()
    expect(bracketsAround(tokens, at(tokens, 'i')).map(({ name }) => name)).toEqual(['table', 'use'])
    expect(bracketsAround(tokens, at(tokens, 'x'))).toEqual([])
  })
})

describe('brackets', () => {
  test.each(['(a[i], (b))', '[f(x)[1] + y]', '{ f(a[0]); }'])('%s opens where it begins', (text) => {
    const tokens = tokenize(`f ${text}`)
    expect(openingOf(tokens, tokens.length - 1)).toBe(1)
  })

  test('around the whole are left out, and not those around two parts', () => {
    expect(squeezed(withoutParentheses(tokenize('((a + b))')))).toBe('a+b')
    expect(squeezed(withoutParentheses(tokenize('(a) + (b)')))).toBe('(a)+(b)')
  })

  test('hold a value together', () => {
    const tokens = tokenize('.m = f(a, b), .n = 1 }')
    expect(squeezed(valueFrom(tokens, 3))).toBe('f(a,b)')
    expect(squeezed(valueFrom(tokens, tokens.length - 2))).toBe('1')
  })

  test('do not hold parts of a condition together', () => {
    expect(partsBetween(tokenize('a && (b || c)')).map(squeezed)).toEqual(['a', '(b', 'c)'])
  })
})

test('a name behind an arrow or a dot is that of a member', () => {
  const tokens = tokenize('lock(&q->lock, lock);')
  expect(wordsAt(tokens, 'lock')).toEqual([0, 7])
  expect(renamed(tokens, (name) => (name === 'lock' ? 'L' : undefined))).toBe('L ( & q -> lock , L ) ;')
})
