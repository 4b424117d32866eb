// SPDX-License-Identifier: GPL-3.0-or-later
// Pairs of C texts: what is told of a type that differs, and what is not.
import { describe, expect, test } from 'vitest'
import { likeness } from '../../../../src/check/types/btf/alike.ts'
import { compareTypes } from '../../../../src/check/types/btf/compare.ts'
import { Kind } from '../../../../src/check/types/btf/read.ts'
import { btfOf } from './compiled.ts'

/** `effect: text` of each difference, under the types' names. */
function compared(before: string, after: string): Record<string, string[]> {
  return Object.fromEntries(
    compareTypes(btfOf(before), btfOf(after)).map(({ name, differences }) => [
      name,
      differences.map(({ effect, text }) => `${effect}: ${text}`),
    ]),
  )
}

const s = (members: string, more = '') => `${more} struct s { ${members} }; struct s *use;`

describe('what differs for data that are there', () => {
  test.each([
    ['a member in front', 'int a;', 'long n; int a;', ['broken: a moves from byte 0 to byte 8']],
    ['a wider member', 'int a;', 'long a;', ['broken: a has 8 bytes instead of 4 bytes']],
    ['a longer array', 'char a[4];', 'char a[6];', ['broken: a has 6 bytes instead of 4 bytes']],
    [
      'a member behind the end',
      'int a;',
      'int a; int b;',
      ['broken: b (int) is new at byte 4, behind the end of objects that are there'],
    ],
    [
      'two that change places',
      'int a; int b;',
      'int b; int a;',
      ['broken: a moves from byte 0 to byte 4', 'broken: b moves from byte 4 to byte 0'],
    ],
    [
      'a bit field of another width',
      'unsigned a:3; unsigned b:2;',
      'unsigned a:2; unsigned b:2;',
      ['broken: a has 2 bits instead of 3 bits', 'broken: b moves from bit 3 of byte 0 to bit 2 of byte 0'],
    ],
    [
      'another struct behind a pointer',
      'struct x *a;',
      'struct y *a;',
      ['broken: a is struct y * instead of struct x *'],
    ],
    ['a pointer where a number was', 'long a;', 'int *a;', ['broken: a is int * instead of long int']],
    [
      'one that takes the place of another',
      'int a; int b;',
      'int a; unsigned char c[4];',
      ['broken: c (unsigned char [4]) takes the place of b (int) at byte 4'],
    ],
    ['a sign', 'int a;', 'unsigned a;', ['doubtful: a is unsigned int instead of int']],
    [
      'a function with another parameter',
      'int (*a)(int);',
      'int (*a)(int, int);',
      ['doubtful: a is int (*)(int, int) instead of int (*)(int)'],
    ],
    ['a member that goes and leaves a hole', 'char a; char b; int c;', 'char a; int c;', ['doubtful: b is gone']],
    ['packing', 'char a; int b;', 'char a; int b __attribute__((packed));', ['broken: b moves from byte 4 to byte 1']],
  ])('%s', (_what, before, after, told) => {
    const types = 'struct x { int i; }; struct y { long l; };'
    const found = compared(s(before, types), s(after, types))
    expect(Object.keys(found)).toEqual(['struct s'])
    expect(found['struct s']).toEqual(expect.arrayContaining(told))
  })

  test('a size is told', () => {
    expect(compared(s('int a;'), s('int a; int b;'))['struct s']).toContain('broken: its size goes from 4 to 8 bytes')
  })

  test('a union that grows, and a typedef without a tag', () => {
    expect(compared('union u { int a; } v;', 'union u { int a; long b; } v;')['union u']).toContain(
      'broken: its size goes from 4 to 8 bytes',
    )
    expect(Object.keys(compared('typedef struct { int a; } t; t v;', 'typedef struct { long a; } t; t v;'))).toEqual([
      't',
    ])
  })

  test('values of enumerators, with or without a name of the enum', () => {
    expect(compared('enum e { A, B, C } v;', 'enum e { A, X, B, C } v;')).toEqual({
      'enum e': ['broken: B is 2 instead of 1', 'broken: C is 3 instead of 2'],
    })
    expect(compared('enum { A = -1, B } v;', 'enum { A = -2, B = 0 } v;')).toEqual({
      'enum { A, … }': ['broken: A is -2 instead of -1'],
    })
  })
})

describe('what is no difference', () => {
  test.each([
    ['the same', 'int a; long b;', 'int a; long b;'],
    ['another name', 'int a; long b;', 'int a; long c;'],
    ['qualifiers', 'char *a;', 'const char *volatile a;'],
    ['a typedef for the same', 'int a;', 'number a;'],
    ['a struct without a name around members', 'int a; int b;', 'struct { int a; int b; };'],
    [
      'a group that has a name besides',
      'int a; int b;',
      'union { struct { int a; int b; }; struct { int a; int b; } both; };',
    ],
    ['a pointer to void', 'struct x *a;', 'void *a;'],
    ['an enum in the place of its number', 'unsigned a;', 'enum e a;'],
    ['bool in the place of a byte', 'unsigned char a;', '_Bool a;'],
    ['an array without an end, written in another way', 'int a; char b[0];', 'int a; char b[];'],
    ['a struct with another name that is built the same', 'struct x *a;', 'struct z *a;'],
  ])('%s', (_what, before, after) => {
    const types = 'typedef int number; enum e { E }; struct x { int i; }; struct z { int j; };'
    const found = compared(s(before, types), s(after, types))
    expect(
      Object.values(found)
        .flat()
        .filter((one) => !one.startsWith('harmless')),
    ).toEqual([])
  })

  test('a new type, one that becomes known, and enumerators at the end', () => {
    expect(
      compared('struct s; struct s *v;', 'struct s { int a; }; struct t { int b; }; struct s *v; struct t w;'),
    ).toEqual({})
    expect(compared('enum e { A, B } v;', 'enum e { A, B, C } v;')).toEqual({})
  })

  test('a number that counts the others', () => {
    expect(compared('enum e { A, B, NR_E } v;', 'enum e { A, B, C, NR_E } v;')).toEqual({
      'enum e': ['harmless: NR_E is 3 instead of 2'],
    })
    expect(compared('enum e { A, B, LATER } v;', 'enum e { A, B, C, LATER } v;')).toEqual({
      'enum e': ['broken: LATER is 3 instead of 2'],
    })
  })

  test('a member in a hole is harmless, a bit in spare bits too', () => {
    expect(compared(s('char a; long b;'), s('char a; short n; long b;'))['struct s']).toEqual([
      'harmless: n (short int) is new at byte 2, where nothing was',
    ])
    expect(compared(s('unsigned a:3;'), s('unsigned a:3; unsigned n:1;'))['struct s']).toEqual([
      'harmless: n (unsigned int) is new at bit 3 of byte 0, where nothing was',
    ])
  })
})

test('a change is told where it was made, with the types that embed it', () => {
  const text = (members: string) =>
    `struct in { ${members} }; struct mid { char c; struct in i; }; struct out { struct mid m[2]; long ` +
    'z; }; struct far { struct in *p; }; struct out v; struct far w;'
  const changes = compareTypes(btfOf(text('int a;')), btfOf(text('int a; long b;')))
  expect(changes.map(({ name, embedding }) => ({ name, embedding }))).toEqual([
    { name: 'struct in', embedding: ['struct mid', 'struct out'] },
  ])
})

test.each([
  ['int f(int a)', 'int f(int b)', 'same'],
  ['int f(const char *a)', 'int f(char *a)', 'same'],
  ['int f(int a)', 'int f(int a, int b)', 'differs'],
  ['int f(int a)', 'int f(long a)', 'differs'],
  ['int f(int a)', 'int f(int a, ...)', 'differs'],
  ['int f(int a)', 'long f(int a)', 'differs'],
  ['int f(int a)', 'void f(int a)', 'differs'],
  ['void f(int a)', 'int f(int a)', 'returns'],
  ['void f(int a)', 'struct big f(int a)', 'differs'],
  ['int f(struct one *a)', 'int f(struct two *a)', 'differs'],
  ['int f(struct one a)', 'int f(struct one *a)', 'differs'],
])('%s that becomes %s', (before, after, how) => {
  const types = 'struct big { long l[4]; }; struct one { int a; }; struct two { long b; };'
  const [b, a] = [before, after].map((head) => btfOf(`${types} ${head} { __builtin_trap(); }`))
  const prototype = (btf: typeof b & {}) => btf.target(btf.ofKind(Kind.function).find((one) => btf.name(one) === 'f')!)
  expect(likeness(b!, a!).prototypes(prototype(b!), prototype(a!))).toBe(how)
})
