// SPDX-License-Identifier: GPL-3.0-or-later
// The type of a declaration's specifiers, told by one of its variables.
import { expect, test } from 'vitest'
import { typeThrough } from '../../../src/c/expanded/split-declaration.ts'
import { parseDeclaration } from '../../../src/c/tokens/declarators.ts'
import { tokenize } from '../../../src/c/tokens/lexer.ts'

test.each([
  ['int x;', 'x'],
  ['int *x[2];', '**x'],
  ['int (*x)[3];', '**x'],
  ['int (*x[2])[3];', '***x'],
  ['int x[sizeof(int[4])];', '*x'],
])('%s is told by %s', (text, told) => {
  const tokens = tokenize(text)
  const [declarator] = parseDeclaration(tokens, 0, tokens.length).declarators
  expect(typeThrough(tokens, declarator!)).toBe(`__typeof__(${told})`)
})
