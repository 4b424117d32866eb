// SPDX-License-Identifier: GPL-3.0-or-later
// Preprocessed C taken apart: each kind of thing that stands at the top level of a kernel's unit, by its names.
import { describe, expect, test } from 'vitest'
import { meaningOfDeclaration, outline } from '../../../src/c/expanded/outline.ts'

const one = (text: string) => {
  const { items, meaning } = outline(text)
  expect(items).toHaveLength(1)
  const { kind, names } = meaning(items[0]!)
  return [kind, ...names]
}

describe('what an item is', () => {
  test.each([
    ['static inline __attribute__((__gnu_inline__)) int f(int a) { return "}"[a] + \'{\'; }', 'function', 'f'],
    ['__attribute__((section(".x"))) void *g(void) __attribute__((cold)) { return 0; }', 'function', 'g'],
    ['static int (*pick(int a))(int, int) { return 0; }', 'function', 'pick'],
    ['long __attribute__((alias("h"))) h(struct s { int a; } *p) { return p->a; }', 'function', 'h'],
    ['struct s { int a; } f(void) { struct s s = { 1 }; return s; }', 'function', 'f'],
    ['int old(a, p) int a; struct s *p; { return a; }', 'function', 'old'],
    ['static const struct ops ops = { .open = f, .name = "a;b", .n = { 1, 2 } };', 'data', 'ops'],
    ['static struct { int a; } __attribute__((aligned(8))) x[3] = { { 1 } }, *y;', 'data', 'x', 'y'],
    ['static int (*handler)(int) = f;', 'data', 'handler'],
    ['static int (*handlers[4])(int);', 'data', 'handlers'],
    ['static __attribute__((section(".data..percpu"))) __typeof__(struct { int a; }) seq;', 'data', 'seq'],
    ['enum color { RED, GREEN } shade;', 'data', 'shade'],
    ['int a, b = 3, c[] = { 1, 2 };', 'data', 'a', 'b', 'c'],
    ['extern int level;', 'declaration'],
    ['register unsigned long current_stack_pointer asm("rsp");', 'declaration'],
    ['int walk(struct inode *, int (*fn)(int, void *), void *);', 'declaration'],
    ['struct page;', 'declaration'],
    ['struct page { unsigned long flags; union { int a; }; };', 'declaration', 'page'],
    ['enum { A = 1, B };', 'declaration'],
    ['typedef int (*handler_t)(int);', 'declaration', 'handler_t'],
    ['typedef struct list { struct list *next; } list_t;', 'declaration', 'list', 'list_t'],
    ['_Static_assert(sizeof(int) == 4, "int");', 'other'],
    ['asm(".globl x; x:");', 'other'],
  ])('%s', (text, ...expected) => {
    expect(one(text)).toEqual(expected)
  })
})

test('lines and files follow the markers, also inside an item', () => {
  const text = '# 1 "a.c"\n# 7 "b.h" 1\nint x;\nint f(void)\n{\n# 20 "b.h"\n return 1;\n}\n# 2 "a.c" 2\n\nint y;\n'
  expect(outline(text).items.map(({ file, line, lastLine }) => [file, line, lastLine])).toEqual([
    ['b.h', 7, 7],
    ['b.h', 8, 21],
    ['a.c', 3, 3],
  ])
})

test('a word is found where it stands whole, once for each item', () => {
  const text = 'int f(void) { return ab + ab; }\nint ab;\nint abc;\nint g(void) { return xab; }\n'
  const { itemsWith, meaning } = outline(text)
  expect(itemsWith('ab').flatMap((item) => meaning(item).names)).toEqual(['f', 'ab'])
})

test('what the braces of do not fit ends with the text', () => {
  expect(outline('int f(void) { if (1) {\nint g(void) { return 0; }\n').items).toHaveLength(1)
  expect(outline('}}};\nint x;"open').items.length).toBeGreaterThan(0)
  expect(outline('').items).toEqual([])
})

test('5 MB on one line are one item', () => {
  const text = `int f(void) { ${'g(1, 2);'.repeat(650_000)} }`
  expect(outline(text).items).toHaveLength(1)
})

test('deep nesting is no more than a number', () => {
  const depth = 200_000
  expect(outline(`int x = ${'('.repeat(depth)}1${')'.repeat(depth)};`).items).toHaveLength(1)
  expect(meaningOfDeclaration(`int y = ${'{'.repeat(depth)}${'}'.repeat(depth)};`).names).toEqual(['y'])
})
