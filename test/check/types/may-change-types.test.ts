// SPDX-License-Identifier: GPL-3.0-or-later
// Which changes of a file are worth asking the compiler about types.
import { expect, test } from 'vitest'
import { mayChangeTypes } from '../../../src/check/types/may-change-types.ts'

const text = `#include <linux/fs.h>
#define LENGTH 4
#define ONLY_INSIDE 3
struct item {
	int a; /* first */
	char name[LENGTH];
};
enum state { IDLE, BUSY };
typedef unsigned int number;
int prototype(struct item *i);
static DEFINE_MUTEX(lock);
static struct item table[] = { { .a = 1 } };
static int helper(struct item *i)
{
	struct { int x; } local = { ONLY_INSIDE };
	return local.x + i->a;
}
int entry(struct item *i)
{
	return helper(i);
}
EXPORT_SYMBOL(entry);
`

function look(from: string, to: string, path = 'fs/unit.c') {
  const after = text.replace(from, () => to)
  expect(after).not.toBe(text)
  const { types, signatures } = mayChangeTypes({ path, before: text, after, origins: new Map(), lineage: [] })
  return { types, signatures }
}

const none = { types: false, signatures: false }

test.each([
  ['a line of a function', 'return helper(i);', 'if (!i)\n\t\treturn 0;\n\treturn helper(i);'],
  ['a type inside of a function', 'int x; }', 'long x; }'],
  ['a new function', 'int entry', 'static void fresh(struct item *i)\n{\n}\nint entry'],
  ['a comment in a struct', '/* first */', '/* the first */'],
  ['a header that is included besides', '#include <linux/fs.h>', '#include <linux/fs.h>\n#include <linux/mm.h>'],
  ['a macro that only functions use', 'ONLY_INSIDE 3', 'ONLY_INSIDE 5'],
  ['a new macro', '#define LENGTH', '#define WIDTH 3\n#define LENGTH'],
  ['a first value', '.a = 1', '.a = 2'],
  ['a new prototype', 'int prototype', 'int fresh(void);\nint prototype'],
  ['another export', 'EXPORT_SYMBOL(entry)', 'EXPORT_SYMBOL_GPL(entry)'],
])('%s changes none', (_what, from, to) => {
  expect(look(from, to)).toEqual(none)
})

test.each([
  ['a member', 'int a;', 'long a;'],
  ['an enumerator', 'BUSY', 'WAITING, BUSY'],
  ['a typedef', 'unsigned int number', 'unsigned long number'],
  ['a macro in a struct', 'LENGTH 4', 'LENGTH 8'],
  ['a condition', 'enum state', '#pragma pack(1)\nenum state'],
])('%s may', (_what, from, to) => {
  expect(look(from, to).types).toBe(true)
})

test('a macro of a header may, whoever uses it', () => {
  expect(look('ONLY_INSIDE 3', 'ONLY_INSIDE 5', 'include/linux/unit.h').types).toBe(true)
})

test.each([
  ['a function’s head', 'int entry(struct item *i)', 'int entry(struct item *i, int flags)'],
  ['a static function’s head', 'static int helper(', 'static long helper('],
  ['a prototype', 'int prototype(struct item *i)', 'int prototype(struct item *i, int flags)'],
])('%s changes how it is called', (_what, from, to) => {
  expect(look(from, to)).toEqual({ types: false, signatures: true })
})

test('a text whose braces can’t be followed may change everything', () => {
  expect(look('enum state { IDLE, BUSY };', 'enum state { IDLE, BUSY }; }')).toEqual({
    types: true,
    signatures: true,
  })
})
