// SPDX-License-Identifier: GPL-3.0-or-later
// What changes between two compilations of one unit, found in real objects.
import { describe, expect, test } from 'vitest'
import { changedNames, changeOf, rules } from '../objects.ts'

/** As the kernel's BUG() and WARN() leave their place in `__bug_table`. */
const bug = `
#define BUG_ENTRY(line, flags) asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n" \\
  "2: .long 1b - 2b\\n.long %c0 - 2b\\n.word %c1\\n.word %c2\\n.popsection\\n" :: "i"("unit.c"), "i"(line), "i"(flags))
`

describe('a function changes when', () => {
  test.each([
    ['its code does', 'int f(int a) { return a + 1; }', 'int f(int a) { return a + 2; }'],
    ['a string that it uses does', 'char *f(void) { return "a"; }', 'char *f(void) { return "b"; }'],
    ['a wide string that it uses does', 'int *f(void) { return L"abcd"; }', 'int *f(void) { return L"abce"; }'],
    [
      'it calls another one',
      'void a(void); void b(void); void f(void) { a(); b(); }',
      'void a(void); void b(void); void f(void) { b(); a(); }',
    ],
    [
      'the table that the compiler makes of its switch does',
      'int f(int x) { switch (x) { case 0: return 3; case 1: return 99; case 2: return 5; case 3: ' +
        'return 42; case 4: return 17; } return 0; }',
      'int f(int x) { switch (x) { case 0: return 3; case 1: return 98; case 2: return 5; case 3: ' +
        'return 42; case 4: return 17; } return 0; }',
    ],
    [
      'a constant table of its own does',
      'int f(int x) { static const int t[] = { 1, 2, 3, 9 }; return t[x]; }',
      'int f(int x) { static const int t[] = { 1, 2, 3, 8 }; return t[x]; }',
    ],
    [
      'a constant message of its own does',
      'void say(const char *); void f(void) { static const char __msg[] = "old text"; say(__msg); }',
      'void say(const char *); void f(void) { static const char __msg[] = "new text"; say(__msg); }',
    ],
    [
      'it uses another variable of a shared section',
      '#define R __attribute__((section(".data..read_mostly")))\nstatic int a R = 1, b R = 2; int ' +
        'f(void) { return a; } int g(void) { return a + b; } void s(int x) { a = b = x; }',
      '#define R __attribute__((section(".data..read_mostly")))\nstatic int a R = 1, b R = 2; int ' +
        'f(void) { return b; } int g(void) { return a + b; } void s(int x) { a = b = x; }',
    ],
    [
      'what a warning in it does',
      `${bug} void f(int x) { if (x) BUG_ENTRY(5, 1); }`,
      `${bug} void f(int x) { if (x) BUG_ENTRY(5, 3); }`,
    ],
    [
      'what a warning in its cold part does',
      `${bug} void die(void) __attribute__((cold)); void f(int x) { if (x) { BUG_ENTRY(5, 1); die(); } }`,
      `${bug} void die(void) __attribute__((cold)); void f(int x) { if (x) { BUG_ENTRY(5, 3); die(); } }`,
    ],
  ])('%s', (_, before, after) => {
    expect(changedNames(before, after)).toEqual(['f'])
    expect(changedNames(before, before)).toEqual([])
    expect(changedNames(after, after)).toEqual([])
  })

  test('an inline function in it does, and that one has no code', () => {
    const text = (n: number) =>
      `static inline int h(int a) { return a * ${n}; } int f(int a) { return h(a); } int g(int a) { return a; }`
    expect(changedNames(text(3), text(5))).toEqual(['f'])
  })
})

describe('it is no change', () => {
  test.each([
    [
      'that the compiler numbers static variables anew',
      'int f(void) { static int n; return n++; }',
      'static int g(void) { static int n; return ++n; } int h(void) { return g() + g(); } int f(void) { ' +
        'static int n; return n++; }',
    ],
    [
      'that a string stands elsewhere',
      'char *f(void) { return "same"; }',
      'char *g(void) { return "first"; } char *f(void) { return "same"; }',
    ],
    [
      'that a warning stands in another line',
      `${bug} void f(int x) { if (x) BUG_ENTRY(5, 1); }`,
      `${bug} void f(int x) { if (x) BUG_ENTRY(9, 1); }`,
    ],
    [
      'that a neighbour in a shared section comes before, even behind a misleading immediate',
      '#define R __attribute__((section(".data..read_mostly")))\nstatic int a R = 1; void s(int x) { a ' +
        '= x; } int f(int x) { int y = x & 0xf; return a == 0 ? y : x; }',
      '#define R __attribute__((section(".data..read_mostly")))\nstatic int z R = 7; int q(void) { ' +
        'return z; } void w(int x) { z = x; } static int a R = 1; void s(int x) { a = x; } int f(int x) ' +
        '{ int y = x & 0xf; return a == 0 ? y : x; }',
    ],
  ])('%s', (_, before, after) => {
    expect(changeOf(before, after).changed.map(({ after: { name } }) => name)).not.toContain('f')
  })
})

test('the reason names what differs', () => {
  const reason = (before: string, after: string) => changeOf(before, after).changed[0]?.reasons
  expect(reason('char *f(void) { return "old"; }', 'char *f(void) { return "new"; }')).toEqual([
    'it refers to "new" instead of "old"',
  ])
  expect(
    reason('void a(void), b(void); void f(void) { a(); }', 'void a(void), b(void); void f(void) { b(); }'),
  ).toEqual(['it refers to b instead of a'])
  expect(reason('int f(int a) { return a; }', 'int f(int a) { return a / 7; }')?.[0]).toMatch(
    /^its size changes from \d+ to \d+ bytes$/,
  )
})

test('new and removed functions and data are told apart from changed ones', () => {
  const change = changeOf(
    'int old(void) { return 1; } int f(void) { return old(); } int gone = 4;',
    'int fresh(void) { return 2; } int f(void) { return fresh(); } int more = 5;',
  )
  expect(change.added.map(({ name }) => name)).toEqual(['fresh'])
  expect(change.removed.map(({ name }) => name)).toEqual(['old'])
  expect(change.addedData.map(({ name }) => name)).toEqual(['more'])
  expect(change.findings).toEqual([])
})

describe('a finding refuses', () => {
  test.each([
    [
      'a new initial value',
      'data-changed',
      'int x = 1; int f(void) { return x; }',
      'int x = 2; int f(void) { return x; }',
    ],
    ['a variable that grows', 'data-changed', 'int x[2] = { 1 };', 'int x[3] = { 1 };'],
    ['a variable that moves to another section', 'data-changed', 'int x = 1;', 'const int x = 1;'],
    [
      'a static variable of a function with a new initial value',
      'data-changed',
      'int f(void) { static int n = 3; return n++; }',
      'int f(void) { static int n = 4; return n++; }',
    ],
    [
      'a string in a table',
      'data-changed',
      'const char *names[] = { "a", "b" };',
      'const char *names[] = { "a", "c" };',
    ],
    [
      'a function in a table',
      'data-changed',
      'void a(void), b(void); void (*ops[])(void) = { a, b };',
      'void a(void), b(void); void (*ops[])(void) = { b, b };',
    ],
    [
      'a change of code that has run',
      'init-code',
      '__attribute__((section(".init.text"))) int f(void) { return 1; }',
      '__attribute__((section(".init.text"))) int f(void) { return 2; }',
    ],
    [
      'new code that would have to run at the start',
      'init-code',
      '',
      '__attribute__((section(".init.text"))) int f(void) { return 2; }',
    ],
    [
      'an entry of a table that is read at the start',
      'registration-added',
      '',
      'void f(void) {} static void *entry __attribute__((used, section(".initcall6.init"))) = f;',
    ],
    [
      'an initcall as the kernel makes it, in assembly and with numbers in its name',
      'registration-added',
      'void f(void) {}',
      'void f(void) {} __asm__(".section \\".initcall7.init\\", ' +
        '\\"a\\"\\n__initcall__kmod_x__437_363_f7:\\n.long f - .\\n.previous");',
    ],
    [
      'one more entry among those that a macro names by a counter',
      'data-changed',
      'int a, b; static void *__UNIQUE_ID_hook1 __attribute__((used, section(".pci_fixup_final"))) = &a;',
      'int a, b; static void *__UNIQUE_ID_hook7 __attribute__((used, section(".pci_fixup_final"))) = &b;',
    ],
    [
      'code of a section of its own',
      'section-changed',
      'asm(".section .entry.text,\\"ax\\"; nop");',
      'asm(".section .entry.text,\\"ax\\"; ud2");',
    ],
    [
      'two functions that the compiler had merged, of which one changes',
      'merged-functions',
      'extern int k; int f(int a) { return a * 3 + k; } int g(int a) __attribute__((alias("f")));',
      'extern int k; int f(int a) { return a * 5 + k; } int g(int a) { return a * 3 + k; }',
    ],
  ])('%s', (_, rule, before, after) => {
    expect(rules(changeOf(before, after).findings)).toEqual([`error ${rule}`])
    expect(changeOf(before, before).findings).toEqual([])
    expect(changeOf(after, after).findings).toEqual([])
  })

  test('a table about code that can not be understood', () => {
    const text = 'asm(".pushsection __ex_table,\\"a\\"; .long 1, 2, 3; .popsection"); int f(void) { return 0; }'
    expect(rules(changeOf(text, text).findings)).toEqual(['error unreadable-table'])
  })
})

test('a function that becomes the same as another, so that the compiler merges the two, is found', () => {
  const change = changeOf(
    'extern int k; int f(int a) { return a * 3 + k; } int g(int a) { return a * 5 + k; }',
    'extern int k; int f(int a) { return a * 3 + k; } int g(int a) __attribute__((alias("f")));',
  )
  expect(change.changed.map(({ before, after }) => [before.name, after.name])).toEqual([['g', 'f']])
})

test("diagnostics of the kernel's macros do not count, but only where the macros put them", () => {
  const macro = (text: string) =>
    'void dyn(void *); void f(void) { static struct { char *t; } descriptor ' +
    `__attribute__((section("__dyndbg"))) = { "${text}" }; dyn(&descriptor); }`
  expect(changeOf(macro('a'), macro('b')).findings).toEqual([])
  const own = (text: string) =>
    `void dyn(void *); void f(void) { static struct { char *t; } descriptor = { "${text}" }; dyn(&descriptor); }`
  expect(rules(changeOf(own('a'), own('b')).findings)).toEqual(['error data-changed'])
})
