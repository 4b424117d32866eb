// SPDX-License-Identifier: GPL-3.0-or-later
// Which private thing of an object is which of the object after the patch, when the compiler numbers all of them anew.
import { describe, expect, test } from 'vitest'
import { counterparts, type ObjectSide } from '../../src/audit/counterparts.ts'
import { viewOf } from '../../src/audit/object-view.ts'
import { stem, usersIn } from '../../src/audit/unit.ts'
import { compileBytes } from '../objects.ts'

function sideOf(source: string): ObjectSide {
  const view = viewOf(compileBytes(source), 'u.o')
  const users = usersIn(view)
  return { view, users: (name) => users.get(name) ?? new Set() }
}

/** @returns what is not as it was, numbers aside; @param comes functions that come with the live patch */
function different(before: string, after: string, ...comes: string[]): string[] {
  const [old, now] = [sideOf(before), sideOf(after)]
  const pairs = counterparts(old, now, ({ symbol }) => !comes.includes(symbol?.name ?? ''))
  return now.view.named
    .filter((extent) => pairs.of(extent) !== undefined && !pairs.isAsBefore(extent))
    .map(({ symbol }) => stem(symbol?.name ?? ''))
    .filter((name) => !comes.includes(name))
}

/** Before and after: the compiler gives the last one the first number. */
const goes = 'int a(void) { static int count; return ++count; }'
const moved = 'static int count; int a(void) { return ++count; }'
const [b, c] = [
  'char *b(int i) { static char buf[64]; buf[i]++; return buf; }',
  'char *c(int i) { static char buf[16]; buf[i]++; return buf; }',
]
const pair = (one: string, other = one) => [`${one} ${goes}`, `${other} ${moved}`] as const

describe('when a static local goes', () => {
  test('the compiler numbers the others anew', () => {
    const numbers = (source: string) =>
      sideOf(source)
        .view.named.map(({ symbol }) => symbol!.name)
        .filter((name) => name.startsWith('buf'))
    const [before, after] = pair(`${b} ${c}`)
    expect(numbers(before)).not.toEqual(numbers(after))
    expect(numbers(before).filter((name) => numbers(after).includes(name))).not.toEqual([])
  })

  test('others of one name are what they were, and so is the one that became the file’s', () => {
    expect(different(...pair(`${b} ${c}`), 'a')).toEqual([])
    expect(different(...pair(`${b} ${c}`))).toEqual([])
  })

  test('so are a table to which only data lead, and functions of which the compiler made forms', () => {
    const table =
      'static struct { int *at; } *get(int i) { static int x[4]; static int y[4]; static struct { int ' +
      '*at; } both[] = { { x }, { y } }; return (void *)&both[i]; } void *t(int i) { return get(i); }'
    expect(different(...pair(`${b} ${c} ${table}`), 'a')).toEqual([])
    const part =
      'extern int out(int, int); static __attribute__((noinline)) int help(int i, int j) { static int ' +
      'n; return out(n++, i + 3); } int p(int i) { return help(i, 4) + 1; } int q(int i) { return help(i, 5); }'
    expect(different(...pair(`${b} ${part} ${c}`), 'a')).toEqual([])
  })

  test('one that begins with another value is not', () => {
    const first = 'int d(void) { static int n = 4; return n++; }'
    const text = first.replace('= 4', '= 5')
    expect(different(...pair(`${b} ${first}`, `${b} ${text}`), 'a')).toEqual(['n'])
    expect(different(...pair(`${b} ${first}`, `${b} ${text}`), 'a', 'd')).toEqual(['n'])
  })

  test('one that another function uses instead is not', () => {
    // Both are of one name, size and value, so that nothing but who uses them tells them apart.
    const two = (inner: string, outer: string) =>
      'static inline int *take(int i) { static int n; static int *at[] = { &n }; return at[0] + i; } ' +
      `int e(void) { static int n; return ++${inner}; } int f(void) { static int m; return ++${outer}; }`
    expect(different(...pair(two('n', 'm')), 'a')).toEqual([])
    const share = (x: string, y: string) =>
      'int g(int w) { static int s[2]; int *outer = s; { static int s[2]; int *inner = s; return w ? ' +
      `++${x}[0] : --${y}[1]; } }`
    expect(different(...pair(share('outer', 'inner')), 'a')).toEqual([])
    expect(different(...pair(share('outer', 'inner'), share('outer', 'outer')), 'a')).toEqual(['g'])
  })

  test(
    'the one that became the file’s is not, where that begins with another value, or what the file ' +
      'had comes in its place',
    () => {
      const [before, after] = pair(`${b} ${c}`)
      expect(different(before, after.replace('int count;', 'int count = 1;'))).toEqual(['count'])
      expect(different(before, after.replace('int count;', 'int count = 1;'), 'a')).toEqual(['count'])
      const other = 'static int count; int o(void) { return --count; }'
      expect(different(`${other} ${before}`, `${other} ${after}`)).toEqual(['a'])
    },
  )

  test('a constant that leads to another one is not', () => {
    const leads = (x: string, y: string) =>
      'int h(int i) { static int s[2]; int *outer = s; ++outer[i]; { static int s[2]; static int *const ' +
      `at[] = { ${x}, ${y} }; s[i]--; return *at[i]; } }`
    expect(different(...pair(leads('s', 's + 1')), 'a')).toEqual([])
    expect(different(...pair(leads('s', 's + 1'), leads('s', 's')), 'a')).toContain('h')
  })
})
