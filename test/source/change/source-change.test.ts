// SPDX-License-Identifier: GPL-3.0-or-later
// What must be replaced, told from the source: small units with their headers, compiled by the real gcc and clang.
import { describe, expect, test } from 'vitest'
import { compilers, rules } from '../../objects.ts'
import { names, reasons, sourceChange, type Tree } from '../both-sides.ts'

const use = 'int get(void); void put(const void *); void put2(int, int);\n'
const noinline = '__attribute__((noinline))'

const unit = (text: string): Tree => ({ 'unit.c': use + text })

describe('no change', () => {
  test.each([
    ['comments', 'int f(int a)\n{\n\treturn a * 3; /* thrice */ // really\n}\n'],
    ['white space', 'int f(int a) {\n\n  return a\n    * 3 ;\n}\n'],
    ['another prototype of a function', 'int f(int);\nint f(int a)\n{\n\treturn a * 3;\n}\n'],
  ])('%s', async (_, after) => {
    const change = await sourceChange(unit('int f(int a)\n{\n\treturn a * 3;\n}\n'), unit(after))
    expect(change).toMatchObject({ functions: [], changed: [], added: [], data: [], findings: [] })
  })

  test('a long string broken into two', async () => {
    const change = await sourceChange(
      unit('void f(void) { put("one two"); }'),
      unit('void f(void) { put("one "\n  "two"); }'),
    )
    expect(change.changed).toEqual([])
  })

  test('a string whose escape would go on is not the same', async () => {
    const change = await sourceChange(unit('void f(void) { put("\\x1" "f"); }'), unit('void f(void) { put("\\x1f"); }'))
    expect(names(change)).toEqual(['f'])
  })

  test('line numbers and counted names further down', async () => {
    const macros = (
      '#define PASTE_(a, b) a##b\n#define PASTE(a, b) PASTE_(a, b)\n#define MIN(a, b) ({ int ' +
      'PASTE(__UNIQUE_ID_x, __COUNTER__) = a; PASTE(__UNIQUE_ID_x, __COUNTER__) < b ? 1 : 2; })\n'
    ).replace(/PASTE\(__UNIQUE_ID_x, __COUNTER__\) < b/, 'put2(__COUNTER__, __LINE__), a < b')
    const tail = 'int below(int a)\n{\n\treturn MIN(a, 3);\n}\n'
    const change = await sourceChange(
      unit(`${macros}int f(int a)\n{\n\treturn a;\n}\n${tail}`),
      unit(`${macros}int f(int a)\n{\n\ta = MIN(a,\n\t\t9);\n\treturn a;\n}\n${tail}`),
    )
    expect(names(change)).toEqual(['f'])
    expect(change.changed).toEqual(['f'])
  })
})

describe('by its text', () => {
  test('a changed body, and a new function in the place of another', async () => {
    const change = await sourceChange(
      unit('static int old(int a) { return a + get(); }\nint f(int a)\n{\n\treturn old(a);\n}\n'),
      unit('static int young(int a) { return a - get(); }\nint f(int a)\n{\n\treturn young(a);\n}\n'),
    )
    expect(change).toMatchObject({
      functions: [{ name: 'f', symbol: 'f', reasons: ['its body changes'] }],
      added: ['young'],
    })
  })

  test('a macro of a header counts in every function that uses it, and is named', async () => {
    const change = await sourceChange(
      {
        'limits.h': '#define LIMIT 10\n#define OTHER 1\n',
        'unit.c': `${use}#include "limits.h"\nint f(int a) { return a > LIMIT; }\nint g(int a) { return a > OTHER; }\n`,
      },
      { 'limits.h': '#define LIMIT 12\n#define OTHER 1\n' },
    )
    expect(names(change)).toEqual(['f'])
    expect(reasons(change, 'f')).toEqual(['it uses the macro LIMIT of limits.h, which changes'])
  })

  test('a macro of the unit itself, used through another one', async () => {
    const text = (limit: number) =>
      unit(
        `#define LIMIT ${limit}\n#define ABOVE(a) ((a) > LIMIT)\nint f(int a) { return ABOVE(a); }\nint ` +
          `g(int a) { return a; }\n`,
      )
    const change = await sourceChange(text(10), text(12))
    expect(names(change)).toEqual(['f'])
    expect(reasons(change, 'f')).toEqual(['it uses the macro LIMIT of unit.c, which changes'])
  })

  test('a constant that the compiler took in', async () => {
    const text = (limit: number) =>
      unit(`static const int limit = ${limit};\nint f(int a) { return a > limit; }\nint g(int a) { return a; }\n`)
    const change = await sourceChange(text(10), text(12))
    expect(names(change)).toEqual(['f'])
    expect(rules(change.findings)).toEqual([])
  })

  test('a member that moves counts where the code changes with it', async () => {
    const text = (members: string) =>
      unit(
        `struct item { ${members} };\nint f(struct item *i) { return i->b; }\nint g(struct item *i) { ` +
          `return i->a; }\nint h(struct item *i) { return !i; }\n`,
      )
    const change = await sourceChange(text('int a; int b;'), text('int a; int c; int b;'))
    expect(names(change)).toEqual(['f'])
    expect(reasons(change, 'f')).toEqual(['it uses struct item, whose declaration changes'])
    expect(rules(change.findings)).toEqual([])
  })

  test('an enumerator that gets another value', async () => {
    const text = (values: string) =>
      unit(`enum { ${values} };\nint f(void) { return SECOND; }\nint g(void) { return FIRST; }\n`)
    const change = await sourceChange(text('FIRST, SECOND'), text('FIRST, BETWEEN, SECOND'))
    expect(names(change)).toEqual(['f'])
  })
})

describe('data', () => {
  test('the initial value of existing data is an error; new data are told', async () => {
    const change = await sourceChange(
      unit('int level = 1;\nint f(void) { return level++; }\n'),
      unit('int level = 2;\nstatic int count;\nint f(void) { count++; put(&count); return level++; }\n'),
    )
    expect(change.data).toEqual([
      { name: 'level', change: 'changed' },
      { name: 'count', change: 'added' },
    ])
    expect(rules(change.findings)).toEqual(['error data-changed'])
  })

  test('a value that is only written in another way is no change of it', async () => {
    const text = (value: string, sum: string) =>
      unit(`int limit = ${value};\nint f(int n) { return n ${sum} limit; }\n`)
    const change = await sourceChange(text('4', '+'), text('2 + 2', '-'))
    expect(rules(change.findings)).toEqual([])
    expect(change.functions.map(({ name }) => name)).toEqual(['f'])
  })

  test.each([
    ['a global one', 'int f(void)', ''],
    ['a static one', `static ${noinline} int f(void)`, 'int g(void) { return f(); }\n'],
    ['one with attributes before its body', `static int ${noinline} f(void)`, 'int g(void) { return f(); }\n'],
  ])('static variables inside a function: %s', async (_, head, user) => {
    const change = await sourceChange(
      unit(`${head} { static int calls = 3; static int same; put(&same); return calls++; }\n${user}`),
      unit(
        `${head} { static int calls = 4; static int same; static int more; put(&same); put(&more); ` +
          `return calls++; }\n${user}`,
      ),
    )
    expect(change.data).toEqual([
      { name: 'f.calls', change: 'changed' },
      { name: 'f.more', change: 'added' },
    ])
    expect(rules(change.findings)).toEqual(['error data-changed'])
  })

  test.each([
    ['static const char *mode = "a";', 'static const char *mode = "b";', ['error data-changed']],
    ['static const char *const mode = "a";', 'static const char *const mode = "b";', []],
  ])('a pointer to constant text is constant only where it says so itself: %s', async (old, young, expected) => {
    const text = (mode: string) => unit(`void f(int n) { ${mode} put(&mode); put(mode); if (n) put2(n, n); }\n`)
    const change = await sourceChange(text(old), text(young))
    expect(rules(change.findings)).toEqual(expected)
  })

  test('assembly beside functions and data is refused', async () => {
    const text = (name: string) =>
      unit(`asm(".globl ${name}");\n_Static_assert(1, "${name}");\nint f(void) { return 1; }\n`)
    const change = await sourceChange(text('a'), text('b'))
    expect(rules(change.findings)).toEqual(['error top-level-changed', 'error top-level-changed'])
  })

  test('code that runs only at the start is refused', async () => {
    const text = (value: number) =>
      unit(
        `__attribute__((section(".init.text"))) int start(void) { return get() * ${value}; }\nint ` +
          `init_module(void) __attribute__((alias("start")));\n`,
      )
    const change = await sourceChange(text(2), text(3))
    expect(names(change)).toEqual([])
    expect(rules(change.findings)).toEqual(['error init-code'])
  })
})

describe.each(compilers.filter((one) => /^(gcc-1[0-9]|clang-\d+)$/.test(one)))('what %s makes of it', (program) => {
  const from = (before: Tree, after: Tree) => sourceChange(before, after, program)

  test('a function that is inlined everywhere brings in those around it, through several levels', async () => {
    const text = (sign: string) =>
      unit(
        `static inline int deep(int a) { return get() ${sign} a; }\nstatic inline int middle(int a) { ` +
          `return deep(a) * 3; }\nint outer(int a) { return middle(a) + 1; }\nint other(int a) { return a; }\n`,
      )
    const change = await from(text('+'), text('-'))
    expect(names(change)).toEqual(['outer'])
    expect(change.changed).toEqual(['deep'])
    expect(reasons(change, 'outer').join()).toContain('inlined')
  })

  test('a function with an entry that was inlined, too', async () => {
    const text = (sign: string) =>
      unit(
        `int shared(int a) { return get() ${sign} a; }\nint user(int a) { return shared(a) + 1; ` +
          `}\nint other(int a) { return a; }\n`,
      )
    const change = await from(text('+'), text('-'))
    expect(names(change)).toEqual(['shared', 'user'])
    expect(reasons(change, 'shared')).toEqual(['its body changes'])
    expect(reasons(change, 'user')).toEqual(['the compiler inlined shared into it, whose body changes'])
  })

  test('an inline function of a header', async () => {
    const change = await from(
      {
        'inline.h': 'static inline int limited(int a)\n{\n\treturn a > 10 ? 10 : a;\n}\n',
        'unit.c':
          `${use}#include "inline.h"\nint f(int a) { return limited(a + get()); }\nint g(int a) { ` + `return a; }\n`,
      },
      { 'inline.h': 'static inline int limited(int a)\n{\n\treturn a > 12 ? 12 : a;\n}\n' },
    )
    expect(names(change)).toEqual(['f'])
    expect(change.changed).toEqual(['limited'])
  })

  test('a function without an entry is replaced with its callers', async () => {
    const text = (sign: string) =>
      unit(
        `${noinline} __attribute__((no_instrument_function)) static int inner(int a) { return get() ` +
          `${sign} a; }\nint outer(int a) { return inner(a) + inner(a + 7); }\n`,
      )
    const change = await from(text('+'), text('-'))
    expect(names(change)).toEqual(['outer'])
    expect(change.embedded).toEqual(new Map([['inner', ['outer']]]))
    expect(reasons(change, 'outer')).toEqual(['it calls inner, which changes and has no ftrace entry of its own'])
  })

  test('a function without an entry that anybody may call is refused', async () => {
    const text = (sign: string) =>
      unit(`__attribute__((no_instrument_function)) int inner(int a) { return get() ${sign} a; }\n`)
    const change = await from(text('+'), text('-'))
    expect(names(change)).toEqual([])
    expect(rules(change.findings)).toEqual(['error not-traceable'])
  })

  test('a function with other names at the same place is replaced once', async () => {
    const text = (sign: string) =>
      unit(`int body(int a) { return get() ${sign} a; }\nint other_name(int a) __attribute__((alias("body")));\n`)
    const change = await from(text('+'), text('-'))
    expect(change.functions).toMatchObject([{ name: 'body', reasons: ['its body changes'] }])
    expect(['body', 'other_name']).toContain(change.functions[0]?.symbol)
    expect(change.findings).toEqual([])
  })

  test('a function that was compiled for the calls that there were', async () => {
    const text = (argument: string) =>
      unit(
        `${noinline} static int helper(int a, int *p) { put(p); if (a > 10) put2(a, 3); return p[1]; ` +
          `}\nint f(int *p) { return helper(3, p) + 1; }\nint g(int *p) { return helper(5, p) + 2; ` +
          `}\nint h(int *p) { return helper(${argument}, p) + 3; }\n`,
      )
    const change = await from(text('7'), text('get()'))
    expect(change.changed).toEqual(['h'])
    expect(names(change)).toContain('helper')
    expect(reasons(change, 'helper')).toEqual([
      'the compiler made its code for the calls that there were, and h calls it otherwise',
    ])
  })

  test('a function that relied on what another one did not do', async () => {
    const text = (statement: string) =>
      unit(
        `${noinline} static int peek(int *p) { ${statement} return p[1] * 3; }\nint f(int *p, int *q) ` +
          `{ int a = *q; int b = peek(p); return a * b + *q; }\n`,
      )
    const change = await from(text(''), text('*p = 3;'))
    expect(change.changed).toEqual(['peek'])
    expect(names(change)).toEqual(['f', 'peek'])
    expect(reasons(change, 'f')).toEqual(['the compiler relied on what peek did before the patch'])
  })
})

describe('gcc', () => {
  const gcc = compilers.filter((one) => /^gcc-/.test(one))

  test.each(gcc)('a form with fewer arguments is replaced with its callers (%s)', async (program) => {
    const text = (sign: string) =>
      unit(
        `${noinline} static int scaled(int a, int by, int *p) { for (int i = 0; i < a; i++) p[i] ` +
          `${sign}= i * a; return a * by; }\nint f(int a, int *p) { return scaled(a, 3, p) + 1; }\nint ` +
          `g(int a, int *p) { return scaled(a, 3, p + 1); }\nint h(int a) { return a; }\n`,
      )
    const change = await sourceChange(text('+'), text('-'), program)
    expect(names(change)).toEqual(['f', 'g'])
    expect(change.embedded).toEqual(new Map([['scaled.constprop.0', ['f', 'g']]]))
    expect(reasons(change, 'f')[0]).toContain('scaled.constprop.0, a form of scaled')
  })

  test.each(gcc)('a function that was split (%s)', async (program) => {
    const text = (factor: number) =>
      unit(
        `static int checked(int *p, int n)\n{\n\tif (__builtin_expect(!p, 1))\n\t\treturn 0;\n\tfor ` +
          '(int i = 0; i < n; i++) { put(p + i); put2(i, n); put2(n, i); put(p); p[i] += get() * ' +
          `${factor}; }\n\tput2(p[0], p[1]); put2(p[1], p[2]);\n\treturn p[0] + n;\n}\nint f(int *p, ` +
          `int n) { return checked(p, n) + 1; }\nint g(int *p, int n) { return checked(p + 1, n) + 2; ` +
          `}\nint h(int *p, int n) { return checked(p, n + 1) + 3; }\nint i(int a) { return a; }\n`,
      )
    const change = await sourceChange(text(5), text(7), program)
    expect(names(change)).toEqual(['f', 'g', 'h'])
    expect(change.embedded).toEqual(new Map([['checked.part.0', ['f', 'g', 'h']]]))
  })

  const twins = (one: number, two: number, kind = '') =>
    unit(
      `${kind} int one(int *p) { p[0] += get(); put(p); put2(p[2], 3); return p[1] * ${one}; }\n${kind} ` +
        `int two(int *p) { p[0] += get(); put(p); put2(p[2], 3); return p[1] * ${two}; }\nint f(int *p) ` +
        `{ return one(p) + 1; }\nint g(int *p) { return two(p) + 2; }\n`,
    )

  test.each(gcc)('of two functions with the same code only the users of the changed one (%s)', async (program) => {
    const first = await sourceChange(twins(77, 77, 'static'), twins(78, 77, 'static'), program)
    expect(names(first)).toEqual(['f'])
    const second = await sourceChange(twins(77, 77, 'static'), twins(77, 78, 'static'), program)
    expect(names(second)).toEqual(['g'])
    expect(reasons(second, 'g')).toEqual([
      'the compiler took one, which had the same code, in place of two, whose body changes',
    ])
  })

  test.each(gcc)('of two functions that anybody may call the one that stays (%s)', async (program) => {
    const change = await sourceChange(twins(77, 77), twins(78, 77), program)
    expect(names(change)).toEqual(['f', 'one'])
  })

  test.each(gcc)('two names of one piece of code, of which the patch makes two, are refused (%s)', async (program) => {
    const kind = `${noinline} static`
    const change = await sourceChange(twins(77, 77, kind), twins(78, 77, kind), program)
    expect(rules(change.findings)).toEqual(['error merged-functions'])
  })

  test.each(gcc)(
    'a function that is only inlined with the patch is no reason to replace its caller (%s)',
    async (program) => {
      const big = 'put(p); put2(p[2], 3); put(p + 1); put2(p[4], 3); put(p + 7); put2(p[5], 6); put(p + 9);'
      const text = (body: string) =>
        unit(`int callee(int *p) { ${body} return p[1]; }\nint caller(int *p) { return callee(p) + 1; }\n`)
      const change = await sourceChange(text(big), text('put(p);'), program)
      expect(names(change)).toEqual(['callee'])
      expect(change.compared.changed.map(({ before }) => before.name)).toEqual(['callee', 'caller'])
      expect(change.findings).toMatchObject([{ rule: 'same-source-other-code', symbol: 'caller' }])
      expect(change.findings[0]!.message).toContain('inlines callee')
    },
  )
})
