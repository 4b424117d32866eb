// SPDX-License-Identifier: GPL-3.0-or-later
// Which function a head declares, as a person wrote it.
import { expect, test } from 'vitest'
import { definitionsOf } from '../../../src/c/written/functions.ts'
import { namesOfParameters } from '../../../src/c/written/local-variables.ts'

test.each([
  ['static int f(int x)', ['x']],
  ['static int (f)(int x)', ['x']],
  ['static int ((f))(int x)', ['x']],
  ['number (f)(int x)', ['x']],
  ['struct s *(f)(int x, char *y)', ['x', 'y']],
  ['static int __attribute__((noinline)) (f)(int x)', ['x']],
  ['static int (__attribute__((noinline)) f)(int x)', ['x']],
  ['static __printf(1, 2) int (f)(const char *x, ...)', ['x']],
  ['int (*f(int x))(void)', ['x']],
  ['int (*(f)(int x))(void)', ['x']],
  ['int (*f(int x))[2]', ['x']],
])('%s', (head, parameters) => {
  const { byName } = definitionsOf(`int before;\n${head}\n{\n\treturn 0;\n}\nint after;\n`)
  expect([...byName.keys()]).toEqual(['f'])
  expect(namesOfParameters(byName.get('f')!)).toEqual(parameters)
})

test('what a macro is given stays a function of its name', () => {
  const { byName } = definitionsOf('SYSCALL_DEFINE1(read, int, x)\n{\n}\nstatic DEVICE_ATTR(a)(b)\n{\n}\n')
  expect([...byName.keys()]).toContain('sys_read')
})
