// SPDX-License-Identifier: GPL-3.0-or-later
// How long objects of a type live, told from a unit behind the real preprocessor.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { outline } from '../../../src/c/expanded/outline.ts'
import { lifetimeOf } from '../../../src/check/types/lifetime.ts'
import { typeUsers } from '../../../src/check/types/type-users.ts'
import { withoutBodies } from '../../../src/check/types/unit-types.ts'
import { compiler, work } from '../../objects.ts'

function unit(text: string) {
  writeFileSync(path.join(work, 'unit.c'), text)
  const { stdout, status } = spawnSync(compiler, ['-E', 'unit.c'], { cwd: work, encoding: 'latin1' })
  expect(status).toBe(0)
  return outline(stdout)
}

const type = 'struct ctx { int a; int b; };\nvoid *kmalloc(unsigned long size);\nvoid use(void *p);\n'
const lifetime = (text: string, head = type) => lifetimeOf(unit(head + text), 'unit.c', 'struct ctx')

test('variables of functions that hand them on lie on the stack', () => {
  expect(
    lifetime(`static void fill(struct ctx *c);
      static void fill(struct ctx *c) { c->a = 1; }
      int f(void) { struct ctx c = { .a = 0 }; struct ctx *p = &c; fill(p); return c.b + sizeof(struct ctx); }`),
  ).toBe('stack')
})

test('a function that finds one by another pointer may be another task’s', () => {
  expect(
    lifetime('int f(void) { struct ctx c; use(&c); return c.a; } int g(void *p) { struct ctx *c = p; return c->a; }'),
  ).toBe('shared')
  expect(
    lifetime(
      'int f(void) { struct ctx c; use(&c); return c.a; } int g(long *p) { return ((struct ctx *)((char ' +
        '*)p - 8))->a; }',
    ),
  ).toBe('shared')
})

test('one that is allocated and not found again is its function’s own', () => {
  expect(lifetime('int f(void) { struct ctx *c = kmalloc(sizeof(*c)); return c->a; }')).toBe('own')
  expect(lifetime('int f(void) { struct ctx *c; c = kmalloc(sizeof(struct ctx)); return c->a; }')).toBe('own')
})

test.each([
  ['a variable at the top level', 'static struct ctx one;'],
  ['a pointer at the top level', 'static struct ctx *one;'],
  ['a static variable of a function', 'int f(void) { static struct ctx c; return c.a; }'],
  ['a member of another type', 'struct other { struct ctx *c; };'],
  [
    'allocated and found again',
    'void f(void) { struct ctx *c = kmalloc(sizeof(*c)); use(c); } int g(void *p) { struct ctx *c = p; return c->a; }',
  ],
  ['a function that gives one back', 'struct ctx *f(void) { return kmalloc(8); }'],
  ['a pointer that is stored where nobody looks', 'int f(void) { struct ctx *c; get(&c); return c->a; }'],
])('%s lives on', (_what, text) => {
  expect(lifetime(text)).toBe('live')
})

test('a type of a header is for others, too', () => {
  writeFileSync(path.join(work, 'ctx.h'), type)
  expect(lifetime('int f(void) { struct ctx c; return c.a; }', '#include "ctx.h"\n')).toBe('live')
})

test('functions that see a type do so by its name, a member, or an inline function', () => {
  const side = unit(
    `${type} static inline int get(void *p) { return ((struct ctx *)p)->b; }
     int named(struct ctx *c) { return 0; } int by_member(void *p) { return get(p) + 1; }
     int other(void) { return 3; }`,
  )
  expect(typeUsers(side, ['named', 'by_member', 'other', 'missing'], ['ctx', 'b'])).toEqual(['named', 'by_member'])
})

test('bodies are emptied, types and first values stay', () => {
  const side = unit('struct s { int a; };\nint f(void) { struct t { int b; } x; return 0; }\nint v[] = { 1, 2 };\n')
  expect(withoutBodies(side).replace(/^#.*\n/gm, '')).toBe(
    'struct s { int a; };\nint f(void) {}\nint v[] = { 1, 2 };\n',
  )
})

test('what a macro numbers stays apart, though all of it has the same number', () => {
  const side = unit('static const char __UNIQUE_ID_author0[] = "a";\nstatic const char __UNIQUE_ID_author0[] = "b";\n')
  const names = [...withoutBodies(side).matchAll(/__UNIQUE_ID_\w+/g)].map(([name]) => name)
  expect(new Set(names).size).toBe(2)
})
