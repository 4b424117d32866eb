// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest'
import { directivesIn, macrosIn } from '../../../src/c/tokens/directives.ts'
import { tokenize } from '../../../src/c/tokens/lexer.ts'

test('a directive goes on behind a backslash and in a comment, and ends with its line', () => {
  const text = 'int a;\n# define B 1 \\\n 2 /* c\n d */ 3\nint e;\n#\n#endif // f\n'
  const found = directivesIn(text, tokenize(text)).map(({ name, start, end }) => [name, text.slice(start, end)])
  expect(found).toEqual([
    ['define', '# define B 1 \\\n 2 /* c\n d */ 3'],
    ['', '#'],
    ['endif', '#endif // f'],
  ])
})

test('a macro has parameters only where the parenthesis adjoins its name', () => {
  const text = '#define A\n#define B (x)\n#define C(x, y...) x \\\n  + 1\n#define D() 0\n#define 5\n'
  const found = macrosIn(text).map(({ name, parameters, body }) => [name, parameters, body.map((one) => one.text)])
  expect(found).toEqual([
    ['A', undefined, []],
    ['B', undefined, ['(', 'x', ')']],
    ['C', ['x', 'y...'], ['x', '+', '1']],
    ['D', [], ['0']],
  ])
  expect(macrosIn('#define A(x, \\\n y) \\\n x')[0]?.body[0]?.line).toBe(3)
})
