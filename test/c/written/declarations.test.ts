// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest'
import { splitDeclarations } from '../../../src/c/written/declarations.ts'

const isMacro = (name: string) => !/[a-z]/.test(name) || name === 'define_thing'

function kinds(text: string, header = true): string[] | undefined {
  return splitDeclarations(text, header ? isMacro : undefined)?.map(({ kind, names }) =>
    `${kind} ${names.join(' ')}`.trimEnd(),
  )
}

test('a header falls into what it declares', () => {
  expect(
    kinds(`
#ifndef _X_H
#define _X_H
/* static inline int not_this(void) { } */
struct page;
struct folio { struct { int a; } inner; enum mode { ON, OFF = 3 } mode; };
enum { FIRST, SECOND = 1 << 2 };
typedef int (*callback_t)(struct page *where);
extern unsigned long limits[2];
extern __printf(1, 2) void say(const char *format, ...) __cold;
int __must_check add(int a, int b);
#define twice(x) \\
	((x) * 2)
static __always_inline struct page *
first(struct folio *folio)
{
#ifdef CONFIG_X
	if (folio) {
#else
	{
#endif
		return "}{"[0] == '}' ? (void *)0 : (void *)1;
	}
}
DECLARE_THING(x);
static define_thing(y);
static const int table[] = { 1, 2 };
int plain(void) { return 1; }
#endif
`),
  ).toEqual([
    'directive',
    'macro _X_H',
    'type page',
    'type folio mode ON OFF',
    'type FIRST SECOND',
    'type callback_t where',
    'prototype limits',
    'prototype say',
    'prototype add',
    'macro twice',
    'function first',
    'code',
    'code',
    'code',
    'code',
    'directive',
  ])
})

test('a type declares no name that it only uses: who changes that one changes the type', () => {
  expect(
    kinds(`
enum size { SMALL = SIZE, LARGE = sizeof(struct folio) * 2, };
typedef struct folio folio_t;
typedef u32 words_t[WORDS + 1];
typedef __u32 __bitwise __be32;
typedef struct inner { int a; } *inner_t, plain_t;
typedef struct { int a; } nameless_t;
typedef unsigned int number_t __packed;
`),
  ).toEqual([
    'type size SMALL LARGE',
    'type folio_t',
    'type words_t',
    'type __bitwise __be32',
    'type inner inner_t plain_t',
    'type nameless_t',
    'type number_t __packed',
  ])
})

test('after the preprocessor every static function waits to be used, unless it says otherwise', () => {
  expect(
    kinds(
      `
static inline __attribute__((__gnu_inline__)) __attribute__((__unused__)) int a(void) { return 1; }
extern inline __attribute__((__gnu_inline__)) int b(void) { return 1; }
static int c(int x) { return x; }
static __attribute__((__used__)) int d(void) { return 1; }
static void __attribute__((constructor)) e(void) { }
static int (*f)(void) = c;
struct __attribute__((packed)) g { int x; };
struct h { int x; } i;
struct j { int x; } __attribute__((__aligned__(8)));
struct k { int x; } __attribute__((__aligned__(((1UL) << ((2))))));
extern unsigned long l __attribute__((__aligned__(((1UL) << ((2))))));
asm(".globl a");
_Static_assert(1, "x");
`,
      false,
    ),
  ).toEqual([
    'function a',
    'function b',
    'function c',
    'code',
    'code',
    'code',
    'type g',
    'code',
    'type j',
    'type k',
    'prototype l',
    'code',
    'code',
  ])
})

test.each([
  ['a brace that is never closed', 'static inline int a(void) {\n'],
  ['a brace too many', 'int a; }\n'],
  ['branches that open differently', '#ifdef A\nstruct a {\n#else\n#endif\nint x;\n'],
  ['an #endif too many', '#endif\n'],
])('%s is not understood', (_what, text) => {
  expect(kinds(text)).toBeUndefined()
})
