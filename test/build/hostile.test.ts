// SPDX-License-Identifier: GPL-3.0-or-later
// Source that is made to take long to read: a hundred thousand beginnings without an end. With a loop in a loop each
// would take minutes, which the time limit ends.
import { expect, test } from 'vitest'
import { macrosIn } from '../../src/build/headers/token-pasting.ts'
import { splitDeclarations } from '../../src/c/written/declarations.ts'

const many = 100_000

test.each([
  '/*',
  '/* "',
  '"',

  '#define d(\n',
  '#define d(a\\\n',
  ' \t',
  '\n',
  'enum ',
  'struct a\n',
  '{',
  '{}',
  'x{} ',
  '(',
  "'\\",
  '"\\',
  `"\\'\\`,
  '__attribute__',
  '__attribute__ _',
  '__a(',
  'extern (',
])('nothing but %j is read at once', (piece) => {
  const text = piece.repeat(many / piece.length)
  splitDeclarations(text)
  expect(macrosIn(`${text}\n#define one(a) a\n`).length).toBeGreaterThanOrEqual(0)
})

test.each([
  ['struct a { ', 'enum a {', '};'],
  ['typedef struct { ', 'enum a { b } c; ', '} d;'],
  [`${' '.repeat(many)}x\n`, '#define a\n', ';'],
  ['int a = ', '{', '};'],
])('%j, nothing but %j, and %j is read at once', (first, piece, last) => {
  splitDeclarations(`${first}${piece.repeat(many / piece.length)}${last}`)
})

test('a quote that stands alone on its line hides nothing that follows', () => {
  const kinds = (text: string) => splitDeclarations(text)?.map(({ kind, names }) => [kind, ...names].join(' '))
  expect(kinds(`#error don't\nint f(void);\n`)).toEqual(['directive', 'prototype f'])
  expect(kinds(`#error don't \\' "x" /* " */ isn\\'t\nint f(char);\n`)).toEqual(['directive', 'prototype f'])
  expect(kinds(`int f(void); ' /* int g(void); */ "};" ; int h(void);`)).toEqual(['prototype f', 'code', 'prototype h'])
})

test('a macro’s parameters may go over several lines', () => {
  expect(macrosIn('#define two(a, \\\n\t b) a##b\n')).toMatchObject([{ name: 'two', parameters: ['a', 'b'] }])
})
