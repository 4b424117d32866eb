// SPDX-License-Identifier: GPL-3.0-or-later
// Functions whose name stands in parentheses, or among them: what is found to change, replaced under another name,
// called and bound is the function, in whatever form its head is written.
import { describe, expect, test } from 'vitest'
import { compiler } from '../../objects.ts'
import { names, sourceChange } from '../both-sides.ts'
import { clang, extract, same } from '../extracts.ts'

/** Each head is one of wanted(), which takes `int x`; the body may call it by its type. */
const heads: Readonly<Record<string, { head: string; more?: string; result?: string }>> = {
  'in parentheses': { head: 'int (wanted)(int x)' },
  'in parentheses, static': { head: 'static __attribute__((used)) int (wanted)(int x)' },
  'in two pairs of them': { head: 'int ((wanted))(int x)' },
  'in the arguments of a macro': { head: 'long NAMED(wanted, int x)', more: '#define NAMED(f, arg) (f)(arg)\n' },
  'with its parameters in parentheses': { head: 'int (wanted(int x))' },
  'behind an attribute': { head: 'int __attribute__((noinline)) (wanted)(int x)' },
  'with an attribute within': { head: 'int (__attribute__((noinline)) wanted)(int x)' },
  'of a pointer': { head: 'int *(wanted)(int x)', result: '(int *)0 + ' },
  'of a pointer, within': { head: 'int (*wanted(int x))', result: '(int *)0 + ' },
  'of a typedef': { head: 'number (wanted)(int x)', more: 'typedef int number;\n' },
  'of a struct': {
    head: 'struct pair *(wanted)(int x)',
    more: 'struct pair { int a; };\n',
    result: '(struct pair *)0 + ',
  },
  'of a typeof': { head: 'typeof(int) (wanted)(int x)' },
  'of nothing that is said': { head: 'static inline int __attribute__((used)) (wanted)(int x)' },
  'of a function pointer': { head: 'int (*wanted(int x))(void)', result: '(int (*)(void))0 + 0 * ' },
  'of a function pointer, in parentheses': { head: 'int (*(wanted)(int x))(void)', result: '(int (*)(void))0 + 0 * ' },
  'of a pointer to an array': { head: 'int (*wanted(int x))[2]', result: '(int (*)[2])0 + ' },
  'with a function as parameter': { head: 'int (wanted)(int x, int (*f)(int))' },
  'in the style of K&R': { head: 'int wanted(x) int x;' },
  'in the style of K&R, in parentheses': { head: 'int (wanted)(x) int x;' },
}

const unit = (name: string, value: number, isDeclared = false) => {
  const { head, more = '', result = '' } = heads[name]!
  return `${more}${isDeclared ? `${head};\n` : ''}
extern int other(int);
static __attribute__((noinline)) int (helper)(int x) { return other(x) * 7; }
int before(int x) { return other(x) + 1; }
${head}
{
	return ${result}(helper(x) + ${value});
}
int after(int x) { return other(x) + 2; }
`
}

const programs = [compiler, ...(clang === undefined ? [] : [clang])]

describe.each(programs)('%s: a function', (program) => {
  test.each(Object.keys(heads))('%s is extracted, and is the same code', async (name) => {
    if (/K&R/.test(name) && program === clang) return
    const text = await same(unit(name, 3), { program })
    expect(text).not.toMatch(/before|after/)
    expect(text).toMatch(/helper/)
  })

  test.each(Object.keys(heads))('%s is extracted under another name', async (name) => {
    if (/K&R/.test(name) && program === clang) return
    await same(unit(name, 3), { program, rename: true })
  })

  test.each(Object.keys(heads).filter((name) => !/K&R/.test(name)))('%s is declared so before', async (name) => {
    await same(unit(name, 3, true), { program })
    await same(unit(name, 3, true), { program, rename: true })
  })

  test.each(Object.keys(heads))('%s that changes is the one that is replaced', async (name) => {
    if (/K&R/.test(name) && program === clang) return
    const side = (value: number) => ({ 'unit.c': unit(name, value) })
    expect(names(await sourceChange(side(3), side(5), program))).toEqual(['wanted'])
  })
})

test('a function in parentheses that stays in the kernel is bound', async () => {
  const { text } = await extract(unit('in parentheses', 3), { externalize: ['helper'] })
  expect(text).not.toContain('other')
  expect(text).toMatch(/extern[^;]*helper/)
})
