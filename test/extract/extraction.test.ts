// SPDX-License-Identifier: GPL-3.0-or-later
// What a live patch carries, and that the carried code does what the patched source says: the extracted
// object is linked with the object before the patch, which plays the kernel, and run.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { isPcRelative } from '../../src/elf/format.ts'
import { readObject } from '../../src/elf/read.ts'
import { writeObject } from '../../src/elf/write.ts'
import type { Extraction } from '../../src/extract/extraction.ts'
import { changedNames, changeOf, compile, compileBytes, compiler, extractionOf, rules, work } from '../objects.ts'

const extractOf = (before: string, after: string, missing: readonly string[] = []) =>
  extractionOf([changeOf(before, after)], missing)
const replacedNames = (extraction: Extraction) => extraction.replaced.map(({ before }) => before.name)
const carriedNames = (extraction: Extraction) => extraction.carried.map(({ name }) => name)
const referenceNames = (extraction: Extraction) =>
  [...extraction.references.values()]
    .map(({ name }) => name)
    .filter((name) => name !== '__fentry__')
    .sort()
const errors = (extraction: Extraction) => rules(extraction.findings.filter(({ severity }) => severity === 'error'))

test('between functions that share a section there are nops, as objtool reads on', () => {
  const S = '__attribute__((section(".sched.text"), noinline))'
  const unit = (n: number) =>
    ['first', 'second'].map((name) => `${S} long ${name}(long a, long b) { return a * b + a / b + ${n}; }`).join('\n')
  const extraction = extractionOf([changeOf(unit(1), unit(2))], [])
  const object = readObject(writeObject(extraction.draft), 'out.o')
  const code = object.sections.find(({ name }) => name === '.sched.text')!
  const [first, second] = object.symbols
    .filter(({ type, section }) => type === 'function' && section === code)
    .sort((one, other) => one.value - other.value)
  const gap = code.data.subarray(first!.value + first!.size, second!.value)
  expect(gap.length).toBeGreaterThan(0)
  expect([...new Set(gap)]).toEqual([0x90])
})

describe('a live patch carries', () => {
  test('the changed function and nothing that the kernel has', () => {
    const source = (n: number) =>
      'static int count; static __attribute__((noinline)) int help(int a) { return a * 7 + count++; } ' +
      `int g(int a) { return help(a); } int f(int a) { return help(a) + ${n}; }`
    const extraction = extractOf(source(1), source(2))
    expect(replacedNames(extraction)).toEqual(['f'])
    expect(carriedNames(extraction)).toEqual([])
    expect(referenceNames(extraction)).toEqual(['help'])
    expect(extraction.findings).toEqual([])
  })

  test('a new function, what that one needs, and new data, with the reason', () => {
    const extraction = extractOf(
      'int f(int a) { return a; }',
      'static int seen; static __attribute__((noinline)) int two(int a) { return seen++ * a; } static ' +
        '__attribute__((noinline)) int one(int a) { return two(a) - two(a + 1); } int unused(void) { ' +
        'return 5; } int f(int a) { return one(a) + one(a * 2); }',
    )
    expect(extraction.carried).toEqual([
      { name: 'one', kind: 'function', unit: 'unit.c', reason: 'it is new' },
      { name: 'two', kind: 'function', unit: 'unit.c', reason: 'it is new' },
      { name: 'seen', kind: 'data', unit: 'unit.c', reason: 'it is new' },
    ])
    expect(referenceNames(extraction)).toEqual([])
  })

  test('a copy of a function for which the kernel has no symbol', () => {
    const source = (n: number) =>
      'extern int k; static __attribute__((noinline)) int help(int a) { return a * k; } int f(int a) { ' +
      `return help(a) + ${n}; } int g(int a) { return help(a); }`
    const extraction = extractOf(source(1), source(2), ['help'])
    expect(carriedNames(extraction)).toEqual(['help'])
    expect(extraction.carried[0]?.reason).toContain('no symbol')
  })

  test('no state of its own: a static variable of the function stays where it is', () => {
    const source = (n: number) => `int f(void) { static int calls = 3; return calls++ + ${n}; }`
    const extraction = extractOf(source(1), source(2))
    expect(referenceNames(extraction)).toEqual(['calls.0'])
  })

  test("no copy of state that only sounds like a macro's", () => {
    const source = (n: number) => `int f(void) { static int descriptor = 3; return descriptor++ + ${n}; }`
    expect(referenceNames(extractOf(source(1), source(2)))).toEqual(['descriptor.0'])
  })

  test.each([
    ['without pointers', 'static const struct o ops;', '', 0],
    ['of strings', 'static const char *const ops[] = { "a", "b" };', '', 0],
    ['that says something else', 'static const struct o ops = { { 1 } };', 'static const struct o ops = { { 2 } };', 1],
  ])("a constant %s whose address may be known is the kernel's", (_, before, after, copies) => {
    const text = (constant: string, number: number) =>
      `struct o { int a[20]; }; extern void keep(const void *, int); void f(void) { ${constant} ` +
      `keep(&ops, ${number}); }`
    const extraction = extractionOf([changeOf(text(before, 1), text(after || before, 2))])
    expect(extraction.findings).toEqual([])
    const own = extraction.draft.sections.filter(({ name }) => /^\.(?:data\.rel\.ro|rodata)\.ops/.test(name))
    expect(own).toHaveLength(copies)
    expect(referenceNames(extraction).includes('ops.0')).toBe(copies === 0)
  })

  test('no copy of a table of operations whose address may be known', () => {
    const source = (n: number) =>
      `void a(void); int f(void *p) { static void (*const ops[])(void) = { a, a }; return p == ops ? ${n} : 0; }`
    expect(referenceNames(extractOf(source(1), source(2)))).toEqual(['ops.0'])
  })

  test('everything that replaced functions of several units need, once', () => {
    const unit = (name: string, n: number) =>
      changeOf(
        `static __attribute__((aligned(${n}))) const int t[] = { 1, 2, 3, 4 }; int pick_${name}(int i) ` +
          '{ return i; } int use(int);',
        `static __attribute__((aligned(${n}))) const int t[] = { ${n}, 2, 3, 4 }; int pick_${name}(int ` +
          'i) { return t[i]; } int use(int);',
        `${name}.c`,
      )
    const { draft } = extractionOf([unit('a', 4), unit('b', 64)])
    const tables = draft.sections.filter(({ name }) => name === '.rodata.t')
    expect(tables.map(({ align }) => align)).toEqual([64])
    const places = draft.symbols.filter(({ name }) => name === 't').map(({ value }) => value)
    expect(places).toEqual([0, 64])
  })
})

describe('a changed function', () => {
  const source = (n: number) =>
    `void keep(void *); int g(int); __attribute__((noinline)) int f(int a) { keep(f); return a + ${n}; ` +
    `} int g(int a) { return f(a) + f(a + 1) + ${n}; }`

  test('is called directly by other replaced code, but pointed to as the kernel knows it', () => {
    const extraction = extractOf(source(1), source(2))
    expect(replacedNames(extraction).sort()).toEqual(['f', 'g'])
    expect(referenceNames(extraction)).toEqual(['f', 'keep'])
    const leads = extraction.draft.sections.flatMap(({ relocations }) =>
      relocations.filter(({ symbol }) => symbol.name === 'f' && symbol.place === 'undefined'),
    )
    expect(leads).toHaveLength(1)
    expect(leads.every(({ type }) => !isPcRelative(type))).toBe(true)
  })

  test('is pointed to as the kernel knows it by new data', () => {
    const extraction = extractOf(
      'int f(int a) { return a; } int g(int a) { return a; }',
      'static int (*table[2])(int); int f(int a) { return a + 1; } static int (*table[2])(int) = { f, 0 ' +
        '}; int g(int a) { return table[a](a); } void set(void *p) { table[1] = p; }',
    )
    expect(referenceNames(extraction)).toEqual(['f'])
    expect(errors(extraction)).toEqual([])
  })

  test('without an entry for ftrace comes with its callers', () => {
    const text = (n: number) =>
      `static __attribute__((noinline, no_instrument_function)) int h(int a) { return a * ${n}; } int ` +
      'f(int a) { return h(a) + h(2); } int g(int a) { return a; }'
    const extraction = extractOf(text(3), text(5))
    expect(replacedNames(extraction)).toEqual(['f'])
    expect(carriedNames(extraction)).toEqual(['h'])
  })

  test('without an entry for ftrace that anybody may call is refused', () => {
    const text = (n: number) => `__attribute__((no_instrument_function)) int h(int a) { return a * ${n}; }`
    expect(errors(extractOf(text(3), text(5)))).toEqual(['error not-traceable'])
  })

  const scheduling = (n: number) =>
    `#define S __attribute__((section(".sched.text"), noinline))
     void hook(void);
     S static int g(int a) { hook(); return a + 1; } S int f(int a) { hook(); return g(a) + ${n}; } S int h(int a) { hook(); return g(a) * 2; }`

  test('that shares its section with others is cut out of it, and its calls of the others lead there', () => {
    const extraction = extractOf(scheduling(1), scheduling(2))
    expect(errors(extraction)).toEqual([])
    expect(replacedNames(extraction)).toEqual(['f'])
    const sections = extraction.draft.sections.filter(({ name }) => name === '.sched.text')
    expect(sections.length).toBe(1)
    expect(sections[0]?.relocations.map(({ symbol }) => symbol.name)).toEqual(['__fentry__', 'hook', 'g'])
    const whole = compile(scheduling(2)).sections.find(({ name }) => name === '.sched.text')!
    const { data } = sections[0]!
    expect((data as Buffer).length).toBeLessThan(whole.size / 2)
  })

  test('that shares its section with others counts on its own: a neighbour that grows moves it only', () => {
    expect(changedNames(scheduling(1).replace('return a + 1', 'return a * 77 + 1'), scheduling(1))).toEqual(['g'])
  })
})

test('the address of a new function that is handed on is worth a warning', () => {
  const extraction = extractOf(
    'void later(void *); void f(void) { }',
    'void later(void *); static void tick(void) { } void f(void) { later(tick); }',
  )
  expect(rules(extraction.findings)).toEqual(['warning address-of-new-function'])
})

describe('a static variable', () => {
  test('that moves from one function to another one is refused', () => {
    const extraction = extractOf(
      'int f(void) { static int n; return n++; } int g(void) { return 1; }',
      'int f(void) { return 1; } int g(void) { static int n; return n++; }',
    )
    expect(errors(extraction)).toEqual(['error ambiguous-static'])
  })

  test('that may be one of very many is refused in a sentence that names a few of them', () => {
    const functions = (from: number, having: (n: number) => boolean) =>
      [...Array(60).keys()]
        .map((n) =>
          having(n)
            ? `int f${n}(void) { static int n; return n++ + ${from}; }`
            : `int f${n}(void) { return ${from + n}; }`,
        )
        .join('\n')
    const { findings } = extractOf(
      functions(1, (n) => n < 30),
      functions(2, (n) => n >= 30),
    )
    const told = findings.filter(({ rule }) => rule === 'ambiguous-static').map(({ message }) => message)
    expect(told.length).toBe(30)
    for (const message of told) {
      expect(message).toMatch(/ was n\.\d+ or n\.\d+ or n\.\d+ or 27 more before the patch/)
      expect(message.length).toBeLessThan(160)
    }
  })

  test('is told apart from others of its name by the functions that use them', () => {
    const before = 'int f(void) { static int n; return n++; } int g(void) { static int n; return n += 2; }'
    const extraction = extractOf(
      before,
      `int e(void) { static int n; return n--; } ${before.replace('n += 2', 'n += 3')}`,
    )
    expect(replacedNames(extraction)).toEqual(['g'])
    const [variable] = [...extraction.references.values()].filter(({ name }) => name.startsWith('n.'))
    const change = changeOf(before, before)
    const g = change.before.functions.find(({ name }) => name === 'g')!
    const used = change.before
      .relocations(g)
      .map((one) => change.before.target(g.section, one))
      .flatMap((target) => (target.kind === 'atom' ? [target.atom.name] : []))
    expect(used).toContain(variable?.name)
    expect(errors(extraction)).toEqual([])
  })

  test('behind an array in a shared section can be mistaken for its end, and is refused', () => {
    const before =
      '#define R __attribute__((section(".data..read_mostly")))\nstatic long array[5] R = { 1, 2, 3, 4, 5 ' +
      '}; long f(long n) { long s = 0; for (long *p = array; p < array + 5; p++) s += *p; return s + n; ' +
      '} void set(long i) { array[i] = i; }'
    const after = before
      .replace('static long array', 'static long more R = 5; void grow(void) { more++; } static long array')
      .replace('return s + n', 'return s + n + more')
    const extraction = extractOf(before, after)
    expect(errors(extraction)).toContain('error ambiguous-reference')
  })
})

describe('one unit of a patch refers to another', () => {
  const other = 'int helper(int); int f(int a) { return a; }'
  const uses = 'int helper(int); int f(int a) { return helper(a); }'

  test('whose new function is carried with it', () => {
    const extraction = extractionOf([
      changeOf(other, uses, 'b.c'),
      changeOf('int k;', 'int k; static int more; int helper(int a) { return a * 3 + more++; }', 'a.c'),
    ])
    expect(replacedNames(extraction)).toEqual(['f'])
    expect(extraction.carried.map(({ name, unit }) => `${unit} ${name}`)).toEqual(['a.c helper', 'a.c more'])
    expect(referenceNames(extraction)).toEqual([])
  })

  test('whose private function becomes public: that very one is meant', () => {
    const body =
      '__attribute__((noinline)) int helper(int a) { return a * 3; } int g(int a) { return helper(a) + helper(2); }'
    const extraction = extractionOf([changeOf(other, uses, 'b.c'), changeOf(`static ${body}`, body, 'a.c')])
    const reference = [...extraction.references.values()].find(({ name }) => name === 'helper')
    expect(reference?.definition?.symbol?.binding).toBe('local')
    expect(reference?.unit).toBe('a.c')
  })

  test('that may be absent: refused', () => {
    const extraction = extractionOf([
      { change: changeOf(other, uses, 'b.c'), object: 'vmlinux' },
      { change: changeOf('int k;', 'int k; int helper(int a) { return a * 3; }', 'a.c'), object: 'ext4' },
    ])
    expect(errors(extraction)).toEqual(['error across-modules'])
  })
})

describe('the carried code, linked and run,', () => {
  /** Links the patched functions, called `new_…`, with the object before the patch, and runs `main`. */
  function run(before: string, after: string, main: string): string {
    const change = changeOf(before, after)
    const extraction = extractionOf([change])
    expect(errors(extraction)).toEqual([])
    for (const { symbol } of extraction.replaced)
      Object.assign(symbol, { name: `new_${symbol.name}`, binding: 'global' })
    for (const { relocations } of extraction.draft.sections)
      for (const relocation of relocations) expect(extraction.draft.symbols).toContain(relocation.symbol)
    const at = (name: string) => path.join(work, name)
    writeFileSync(at('patch.o'), writeObject(extraction.draft))
    writeFileSync(at('kernel.o'), compileBytes(before))
    writeFileSync(at('main.o'), compileBytes(`int printf(const char *, ...); ${main}`))
    writeFileSync(at('fentry.s'), '.globl __fentry__\n__fentry__: ret\n.section .note.GNU-stack,""\n')
    const globals = readObject(compileBytes(before), 'kernel.o')
      .symbols.filter(
        ({ binding, type, section }) =>
          binding === 'local' && section !== undefined && (type === 'object' || type === 'function'),
      )
      .flatMap(({ name }) => ['--globalize-symbol', name])
    execFileSync('objcopy', [...globals, at('kernel.o')])
    const program = at('program')
    execFileSync(compiler, ['-no-pie', '-o', program, ...['main.o', 'kernel.o', 'patch.o', 'fentry.s'].map(at)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    return execFileSync(program, { encoding: 'utf8' })
  }

  test("uses its own strings, tables and helpers and the kernel's state", () => {
    const before = `
      static int total = 100;
      static long history[4];
      const char *describe(int n) { static int calls; calls++; total += n; history[calls & 3] = n; return "old"; }
      int state(void) { return total; }
      long past(int i) { return history[i]; }`
    const after = `
      static int total = 100;
      static long history[4];
      static const struct { const char *word; int weight; } words[] = { { "zero", 0 }, { "one", 10 }, { "two and more", 20 } };
      static int fresh = 1000;
      static __attribute__((noinline)) int weigh(int n) { return words[n].weight + fresh++; }
      const char *describe(int n) {
        static int calls;
        calls++;
        switch (n) { case 5: return "five"; case 6: return "six"; case 7: return "seven or so"; }
        total += weigh(n);
        history[calls & 3] = n * 10;
        return words[n].word;
      }
      int state(void) { return total; }
      long past(int i) { return history[i]; }`
    const main = `
      const char *describe(int), *new_describe(int); int state(void); long past(int);
      int main(void) {
        printf("%s,", describe(1)); printf("%d,", state());
        printf("%s,", new_describe(2)); printf("%d,", state());
        printf("%s,", new_describe(1)); printf("%d,", state());
        printf("%s %s %s,", new_describe(5), new_describe(6), new_describe(7));
        printf("%ld %ld %ld", past(1), past(2), past(3));
      }`
    expect(run(before, after, main)).toBe('old,101,two and more,1121,one,2132,five six seven or so,1 20 10')
  })

  test('leads into the middle of strings, arrays and structures as the compiler meant it', () => {
    const source = (extra: string) => `
      #define R __attribute__((section(".data..read_mostly")))
      static char pad R = 1; static short small R = 300; static int flags R = 6;
      static struct { int a; char name[16]; int b[4]; } one R = { 1, "structure", { 4, 5, 6, 7 } };
      void touch(int n) { pad += n; small += n; flags += n; one.b[n & 3]++; one.name[0] = 'S'; }
      int probe(int n) {
        static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
        const char *end = alphabet + sizeof(alphabet) - 1;
        int sum = n & 0xf;
        if (flags == 6) sum += 1;
        if (small == 300) sum += 2;
        if (pad == 1) sum += 4;
        if (one.b[2] == 6) sum += 8;
        for (const char *p = alphabet + 20; p < end; p++) sum += *p - 'a';
        ${extra}
        one.b[1] = 77; small = 1234; flags |= 8;
        return sum;
      }
      int look(int i) { return i == 0 ? one.b[1] : i == 1 ? small : flags; }`
    const main =
      'int new_probe(int), look(int); int main(void) { printf("%d,", new_probe(0)); printf("%d %d %d", ' +
      'look(0), look(1), look(2)); }'
    const letters = [20, 21, 22, 23, 24, 25].reduce((a, b) => a + b)
    expect(run(source(''), source('sum += 10000 + "tail"[n + 1];'), main)).toBe(
      `${15 + letters + 10000 + 'a'.charCodeAt(0)},77 1234 14`,
    )
  })
})
