// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest'
import { definitionsOf } from '../../../src/c/written/functions.ts'
import { variablesOf } from '../../../src/c/written/local-variables.ts'

/** `name: type, stars`, with what else is known. */
function told(text: string): string[] {
  const [definition] = [...definitionsOf(text).byName.values()].flat()
  return [...variablesOf(definition!).values()].map((one) => {
    const { name, type, pointers, isParameter, isStatic, isArray } = one
    const more = [isParameter && 'parameter', isStatic && 'static', isArray && 'array'].filter(Boolean)
    return [`${name}: ${type}${'*'.repeat(pointers)}`, ...more].join(' ')
  })
}

test('parameters are known by their names, pointers to functions as well', () => {
  const head = 'static int walk(struct dentry *parent, enum how (*enter)(void *, struct dentry *), void __user *to)'
  expect(told(`${head}\n{\n\treturn 0;\n}\n`)).toEqual([
    'parent: struct dentry* parameter',
    'enter: enum how* parameter',
    'to: void* parameter',
  ])
})

test('a type alone names no parameter', () => {
  expect(told('int call(unsigned int, char **)\n{\n\treturn 0;\n}\n')).toEqual([])
})

test('words of the kernel belong to the type or to what is named, and names that begin like them are names', () => {
  const body = `
	struct { u8 id; } __packed *hdr;
	struct __kernel_timespec kts = { 0 };
	__le16 __time, *const next __maybe_unused = NULL;
	static char __aligned(8) text[16] __section(".x");
	a * b;
	f(x);`
  expect(told(`void g(void)\n{${body}\n}\n`)).toEqual([
    'hdr: struct {}*',
    'kts: struct __kernel_timespec',
    '__time: __le16',
    'next: __le16*',
    'text: char static array',
    'b: a*',
  ])
})
