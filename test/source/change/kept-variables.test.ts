// SPDX-License-Identifier: GPL-3.0-or-later
// Which variables of a patched unit the source engine binds to the kernel's, though their declarations are new or
// differ.
import { describe, expect, test } from 'vitest'
import { compareObjects } from '../../../src/diff/change.ts'
import { readObject } from '../../../src/elf/read.ts'
import { keptVariables } from '../../../src/source/change/kept-variables.ts'
import { compiler, compileWith, oneOfEach } from '../../objects.ts'

const head = 'extern void use(void *, int); extern int get(void);\n'

/** What is known of some names of the patched text. */
function origins(program: string, before: string, after: string, names: readonly string[]) {
  const [b, a] = [before, after].map((text) => readObject(compileWith(program, head + text, []), 'unit.o'))
  const kept = keptVariables(compareObjects(b!, a!, 'f.c'), () => [])
  return names.map((name) => {
    const origin = kept(name)
    return typeof origin === 'object' ? origin.symbol.replace(/\.\d+$/, '') : origin
  })
}

describe.each(oneOfEach)('a variable of the patched text (%s)', (program) => {
  const isGcc = program.startsWith('gcc')
  const local = (name: string) => (isGcc ? name : `f.${name}`)

  test('with another type, another value of the same bytes or another place in the file is the one that runs', () => {
    const before = 'static int v = 1; int w; void f(void) { static int n; use(&v, 1); use(&n, 2); use(&w, 3); }\n'
    const after =
      'void *g(void) { extern int w; return &w; }\nstatic unsigned v = 2 - 1; void f(void) { static ' +
      'unsigned n = 0; use(&v, 1); use(&n, 4); }\nint w = 0;\n'
    expect(origins(program, before, after, ['v', 'w', 'f.n'])).toEqual(['v', 'w', local('n')])
  })

  test('of a new name is new, and one that the object does not have is not known', () => {
    const before = 'static int v; void f(void) { static int n; use(&v, 1); use(&n, 2); }\n'
    const after = 'static int u; void f(void) { static int m; use(&u, 1); use(&m, 2); }\n'
    expect(origins(program, before, after, ['u', 'f.m', 'v', 'f.n'])).toEqual(['new', 'new', undefined, undefined])
  })

  test('of a name that other functions have, too, is told by who uses it', () => {
    const before = 'void f(void) { static int n; use(&n, 1); }\nvoid g(void) { static int n; use(&n, 2); }\n'
    const after = `${before.replaceAll('int n', 'unsigned n')}void h(void) { static int n; use(&n, 3); }\n`
    const found = origins(program, before, after, ['f.n', 'g.n', 'h.n'])
    expect(found).toEqual(isGcc ? ['n', 'n', 'new'] : ['f.n', 'g.n', 'new'])
  })

  test('that one function has twice is open where one of them is new', () => {
    const before = 'void f(int a) { { static int n; use(&n, a); } use(0, 3); }\n'
    const after = 'void f(int a) { { static int n; use(&n, a); } use(0, 3); if (a) { static int n; use(&n, 7); } }\n'
    expect(origins(program, before, after, ['f.n'])).toEqual(['open'])
  })
})

test('a static variable that moved out of its function, or into it, is the one that runs', () => {
  const inside = 'void f(void) { static int n; use(&n, 1); }\n'
  const outside = 'static int n; void f(void) { use(&n, 1); }\n'
  expect(origins(compiler, inside, outside, ['n'])).toEqual(['n'])
  expect(origins(compiler, outside, inside, ['f.n'])).toEqual(['n'])
  const helper = '__attribute__((noinline)) static void h(void) { static int n; use(&n, 1); }\nvoid f(void) { h(); }\n'
  expect(origins(compiler, inside, helper, ['h.n', 'f.n'])).toEqual(['n', 'n'])
})

test('a constant of a function is the one that runs as long as it says the same', () => {
  const before =
    'struct o { int a[30]; };\nvoid f(void) { static const struct o ops; use((void *)&ops, 1); }\nvoid ' +
    'g(void) { static const struct o ops; use((void *)&ops, 2); }\n'
  const after = before.replace('use(', 'use(0, 0); use(').replace('2);', '4);')
  expect(origins(compiler, before, after, ['f.ops', 'g.ops'])).toEqual(['ops', 'ops'])
  const other = after.replace('o ops;', 'o ops = { { 7 } };')
  expect(origins(compiler, before, other, ['f.ops', 'g.ops'])).toEqual(['new', 'ops'])
})
