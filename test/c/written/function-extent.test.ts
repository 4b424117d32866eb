// SPDX-License-Identifier: GPL-3.0-or-later
// Where a function stands in a C file as it was written.
import { expect, test } from 'vitest'
import { extentOf } from '../../../src/c/written/function-extent.ts'

const text = `#include <linux/kernel.h>
int one(int a);
static int __maybe_unused
one_more(int a,
	 const char *text) __must_hold(&lock)
{
	if (one(a)) {
		return 1;
	}
	return two("} ) {"); /* one(a) { */
}

int one(int a)
{
	return one_more(a, ")");
}
static inline int two(const char *t) { return *t; }
SYSCALL_DEFINE2(three, int, fd,
		const char __user *, name)
{
	return two(name);
}
#ifdef CONFIG_X
void four(void /* one(x) { */)
{
}
#else
void four(void)
{
	one(4);
}
#endif
BPF_CALL_1(bpf_five, u64, x)
{
	return x;
}
`

test.each([
  ['one', 13, 16],
  ['one_more', 3, 11],
  ['two', 17, 17],
  ['__x64_sys_three', 18, 22],
  ['__do_sys_three', 18, 22],
  ['bpf_five', 33, 36],
])('%s is found with its attributes and its body', (name, first, last) => {
  expect(extentOf(text, name)).toEqual({ first, last })
})

test('of two definitions between conditions, the last is taken', () => {
  expect(extentOf(text, 'four')).toEqual({ first: 28, last: 31 })
})

test('a call, a prototype and a word in a comment are no definition', () => {
  expect(extentOf(text, 'nothing')).toBeUndefined()
  expect(extentOf('int one(int a);\nint x = one(3);\n/* one(a) { */\n', 'one')).toBeUndefined()
})

test('a text without an end is no trouble', () => {
  expect(extentOf('int one(int a', 'one')).toBeUndefined()
  expect(extentOf('int one(int a)\n{', 'one')).toBeUndefined()
  expect(extentOf('int one("', 'one')).toBeUndefined()
})
