// SPDX-License-Identifier: GPL-3.0-or-later
// Inarch does not believe its own extracts: one that is not the unit's function is refused, whatever made it so. Here
// each is made by the engine and then spoilt by hand.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Finding } from '../../../src/ground/finding.ts'
import { silentJournal } from '../../../src/ground/job.ts'
import { checkExtract, compileUnit } from '../../../src/source/compare/compile-check.ts'
import { extractStandalone } from '../../../src/source/standalone.ts'
import type { SourceUnit } from '../../../src/source/view/request.ts'
import { compiler, compilers, work } from '../../objects.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
let number = 0

function unit(source: string, program: string, extension = 'c', ...flags: string[]): SourceUnit {
  const file = path.join(work, `judged${++number}.${extension}`)
  writeFileSync(file, source)
  return { file, cwd: work, compiler: program, flags: ['-O2', '-Wall', '-fno-pic', ...flags] }
}

const source = `struct box { int width, height; };
int put(const char *text, int value);
int get(int value);
static const int weights[] = { 3, 5, 7, 11 };
static int limit = 40;
int *hand_out(void) { return &limit; }
static inline int area(const struct box *b) { return b->width * b->height; }
int wanted(const struct box *b, int n)
{
	if (area(b) > limit)
		return put("too large", n);
	return get(n) + weights[n & 3];
}
`

/** What is said about an extract in which one thing was exchanged. */
async function judged(program: string, from: string, to: string): Promise<Finding[]> {
  const one = unit(source, program)
  const { text } = await extractStandalone(job, {
    unit: one,
    functions: ['wanted'],
    externalize: ['limit'],
    rename: false,
    includes: 'keep',
  })
  expect(text).toContain(from)
  const whole = await compileUnit(job, one)
  return await checkExtract(job, one, text.replace(from, to), whole, [{ name: 'wanted', as: 'wanted' }])
}

const programs = [compiler, ...compilers.filter((name) => name.startsWith('clang')).slice(0, 1)]

describe.each(programs)('an extract by %s', (program) => {
  test('that is what its unit is goes through', async () => {
    expect(await judged(program, 'too large', 'too large')).toEqual([])
  })

  test.each([
    ['another number', '& 3', '& 1'],
    ['another comparison', 'area(b) > limit', 'area(b) < limit'],
    ['another entry of a table that is copied', '7, 11', '7, 13'],
    ['another string', '"too large"', '"too small"'],
    ['another member', 'b->width * b->height', 'b->width * b->width'],
    ['members in another order', 'int width, height', 'int height, pad, width'],
    ['another variable of the running kernel', 'extern int limit;', 'extern int limit asm("other_limit");'],
    ['another function', 'return get(n)', 'return put(0, n)'],
    ['a call that is missing', 'return get(n)', 'return n'],
    ['a macro over a name', 'int wanted(', '#define get(a) (a)\nint wanted('],
  ])('with %s is told', async (_, from, to) => {
    const differing = (await judged(program, from, to)).filter(({ rule }) => rule === 'extract-differs')
    // As a warning where the compiler may have done it: that refuses a live patch, too, until somebody allows it.
    expect(differing).toMatchObject([{ severity: expect.stringMatching(/^(?:error|warning)$/), symbol: 'wanted' }])
  })

  test('that has no code of the function is told', async () => {
    const none = (await judged(program, 'int wanted(', 'static inline int wanted(')).map(({ rule }) => rule)
    expect(none).toContain('extract-differs')
  })

  test('that does not compile is refused', async () => {
    const findings = await judged(program, 'return get(n)', 'return got(m)')
    expect(findings).toContainEqual(expect.objectContaining({ severity: 'error', rule: 'extract-does-not-compile' }))
  })
})

describe('what is no C', () => {
  const plain = 'int wanted(int a) { return a; }\n'
  const assembly = '.globl wanted\nwanted:\n\tret\n'
  test.each<[string, SourceUnit]>([
    ['C++ by its name', unit(plain, compiler, 'cpp')],
    ['C++ by another name', unit(plain, compiler, 'cc')],
    ['C++ by a flag', unit(plain, compiler, 'c', '-x', 'c++')],
    ['C++ by its standard', unit(plain, compiler, 'c', '-std=c++17')],
    ['C++ by its compiler', unit(plain, 'g++')],
    ['assembly', unit(assembly, compiler, 's')],
    ['assembly with a preprocessor', unit(assembly, compiler, 'S')],
    ['assembly by a flag', unit(assembly, compiler, 'c', '-xassembler')],
    ['an object', unit('\x7fELF\x02\x01\x01', compiler, 'o')],
    ['a module', unit('\x7fELF\x02\x01\x01', compiler, 'ko')],
  ])('is refused in a sentence: %s', async (_, one) => {
    await expect(
      extractStandalone(job, {
        unit: one,
        functions: ['wanted'],
        externalize: 'all',
        rename: false,
        includes: 'keep',
      }),
    ).rejects.toMatchObject({
      kind: 'usage',
      code: 'not-c',
      message: expect.stringMatching(/^\S+ is no file in C, so no function can be cut out of it$/),
    })
  })

  test('an object that has the name of a C file does not compile, which is said without bytes', async () => {
    const one = unit('\x7fELF\x02\x01\x01\0\0\0', compiler)
    await expect(compileUnit(job, one)).rejects.toMatchObject({ kind: 'patch', code: 'does-not-compile' })
  })
})

describe('other spellings of brackets are refused in a sentence', () => {
  test.each<[string, string, string[]]>([
    ['brackets', 'int a<:2:>; int wanted(int n) { return a<:n:>; }\n', []],
    ['braces', 'int wanted(int n) <% return n; %>\n', []],
    ['a directive', '%:define N 3\nint wanted(int n) { return n * N; }\n', []],
    ['a directive as a trigraph', '??=define N 3\nint wanted(int n) { return n * N; }\n', ['-trigraphs']],
    ['braces as trigraphs', 'int wanted(int n) ??< return n; ??>\n', ['-std=c99']],
  ])('%s', async (_, text, flags) => {
    const request = { functions: ['wanted'], externalize: 'all', rename: false, includes: 'keep' } as const
    await expect(
      extractStandalone(job, { unit: unit(text, compiler, 'c', ...flags), ...request }),
    ).rejects.toMatchObject({
      kind: 'patch',
      code: 'digraphs',
    })
  })

  test('and strings, comments and what is no trigraph for this compiler are not', async () => {
    const text = `int put(const char *);
/* <% %: */ int wanted(int n) { return put("<:%>") + put("what??!") + (n ? 1 % 2 : 3) + '%' /* :> */; } // <%
`
    const request = { functions: ['wanted'], externalize: 'all', rename: false, includes: 'keep' } as const
    const { text: extracted } = await extractStandalone(job, { unit: unit(text, compiler), ...request })
    expect(extracted).toContain('what??!')
  })
})

test('an indirect function is no part of a kernel, which is said by its name', async () => {
  const text = `int (*resolve(void))(int);
int picked(int) __attribute__((ifunc("resolve")));
static int one(int a) { return a; }
int (*resolve(void))(int) { return one; }
int wanted(int a) { return picked(a); }
`
  await expect(compileUnit(job, unit(text, compiler)).then(({ object }) => object.symbols)).rejects.toMatchObject({
    message: expect.stringContaining(', picked, is '),
  })
})

describe("ftrace's hooks are not stripped from the comparison for nothing", () => {
  const gcc = compiler
  const traced = ['-pg', '-mfentry']
  const look = async (text: string, spoil: (text: string) => string): Promise<Finding[]> => {
    const one = unit(text, gcc, 'c', ...traced)
    const extracted = await extractStandalone(job, {
      unit: one,
      functions: ['wanted'],
      externalize: 'all',
      rename: false,
      includes: 'keep',
    })
    const whole = await compileUnit(job, one)
    return await checkExtract(job, one, spoil(extracted.text), whole, [{ name: 'wanted', as: 'wanted' }])
  }
  const own = `int use(int);
int wanted(int) __attribute__((no_instrument_function));
int wanted(int a) { return use(a) + 3; }
`
  const copied = `int use(int);
static inline __attribute__((no_instrument_function, noinline)) int deep(int a) { return use(a); }
int wanted(int a) { return deep(a) + 1; }
int other(int a) { return deep(a) * 3; }
`
  test.each([
    ['the function itself', own],
    ['a copied one', copied],
  ])('an attribute against them is in the extract, on %s', async (_name, text) => {
    expect(await look(text, (same) => same)).toEqual([])
  })

  test.each([
    ['the function itself', own],
    ['a copied one', copied],
  ])('an extract without it is not the same by its source: %s', async (_name, text) => {
    const said = await look(text, (same) => same.replaceAll('no_instrument_function', 'used'))
    expect(said.map(({ rule }) => rule)).toEqual(['extract-differs'])
  })
})

describe('a function is not the same by its source where an attribute is another', () => {
  const body = '{ return use(a) + 3; }'
  const look = async (text: string, spoil: (text: string) => string, program = compiler): Promise<Finding[]> => {
    const one = unit(text, program, 'c', '-fcf-protection=branch', '-fpatchable-function-entry=2')
    const { text: extracted } = await extractStandalone(job, {
      unit: one,
      functions: ['wanted'],
      externalize: ['use'],
      rename: false,
      includes: 'keep',
    })
    const spoilt = spoil(extracted)
    const whole = await compileUnit(job, one)
    return await checkExtract(job, one, spoilt, whole, [{ name: 'wanted', as: 'wanted' }])
  }
  /** Without the attribute, whose place and arguments are of no account. */
  const strip = (attribute: string) => (text: string) => {
    expect(text).toContain(attribute)
    return text.replaceAll(attribute, 'unused')
  }

  const own = [
    'section(".other.text")',
    'aligned(256)',
    'weak',
    'cold',
    'naked',
    'patchable_function_entry(0)',
    'optimize("O0")',
  ]
  test.each(own)('that has its own code and lost %s', async (attribute) => {
    const naked = attribute === 'naked' ? '{ __asm__ volatile ("ret"); }' : body
    const text = `int use(int);\nint wanted(int) __attribute__((${attribute}));\nint wanted(int a) ${naked}\n`
    expect((await look(text, (same) => same)).map(({ rule }) => rule)).toEqual([])
    const said = await look(text, strip(attribute))
    expect(said.map(({ rule }) => rule)).toContain('extract-differs')
  })

  // The compiler sees fewer callers in an extract, and takes in what it does not in the unit: code that differs by
  // that.
  const copied = [
    'noinline',
    'section(".other.text")',
    'cold',
    'no_sanitize("address")',
    'no_instrument_function',
    'no_stack_protector',
    'aligned(128)',
    'noclone',
  ]
  test.each(copied)('whose copied function lost %s', async (attribute) => {
    const text = `int use(int);
static int deep(int) __attribute__((noinline${attribute === 'noinline' ? '' : `, ${attribute}`}));
static int deep(int a) { return use(a) * 7 + use(a + 1) + use(a + 2); }
static int big(int a) { return use(a) + use(a + 1) + use(a + 2) + use(a + 3) + use(a + 4) + use(a + 5); }
int wanted(int a) { return deep(a) + big(a); }
int one(int a) { return deep(a + 1) * 2 + big(a + 1); }
int two(int a) { return deep(a + 2) * 4 + big(a + 9); }
`
    const rules = async (spoil: (text: string) => string) =>
      (await look(text, spoil)).map(({ rule }) => rule).filter((rule) => rule !== 'extract-warns')
    expect(await rules((same) => same)).toEqual(['same-by-source'])
    expect(await rules(strip(attribute))).toEqual(['extract-differs'])
  })

  test('nor where it has one that the unit does not give it', async () => {
    const text = `int use(int);\nint wanted(int a) ${body}\n`
    const said = await look(text, (same) => same.replace('int wanted', '__attribute__((section(".own"))) int wanted'))
    expect(said.map(({ rule }) => rule)).toEqual(['extract-differs'])
  })
})
