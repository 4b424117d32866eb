// SPDX-License-Identifier: GPL-3.0-or-later
// The quick look at what differs must say what comparing everything says, or nothing.
import { describe, expect, it } from 'vitest'
import { compiledCorpus } from '../../bench/fuzz/corpus.ts'
import { readObject } from '../../src/elf/read.ts'
import { comparePair, quickReport } from '../../src/extract/pairs/pair.ts'
import { compiler, compileWith } from '../objects.ts'

/** A unit of many functions, each with what kernel code has: strings, tables, statics, calls, inline assembly. */
function unit(functions: number, change: (n: number, text: string) => string): string {
  const one = (n: number) =>
    change(
      n,
      `
static noinline int helper_${n}(int n) { static int seen; seen += n; return seen + ${n}; }
static const char *const names_${n}[] = { "one ${n}", "two", "three" };
int function_${n}(int n)
{
	static int count_${n};
	if (n == ${n + 1})
		report(__LINE__, __func__);
	asm volatile("1: nop\\n.pushsection __ex_table,\\"a\\"\\n.balign 4\\n.long 1b - .\\n.long 1b - .\\n.long 3\\n.popsection");
	if (n < 0)
		return lookup("negative", names_${n}[n & 1]) + CONSTANT_${n};
	count_${n}++;
	return helper_${n}(n) + helper_${(n * 7) % functions}(n + count_${n}) + handlers.run(n);
}
`,
    )
  const numbers = [...Array(functions).keys()]
  return `
#define noinline __attribute__((noinline))
void report(int line, const char *name);
int early(int n);
int lookup(const char *what, const char *name);
struct handlers { int (*run)(int); int (*stop)(int); };
${numbers.map((n) => `static int helper_${n}(int n);\n#define CONSTANT_${n} ${n}`).join('\n')}
extern struct handlers handlers;
${numbers.map(one).join('')}
struct handlers handlers = { .run = function_0, .stop = helper_1 };
`
}

const same = (_: number, text: string) => text
const only = (wanted: number, edit: (text: string) => string) => (n: number, text: string) =>
  n === wanted ? edit(text) : text

/** Each is a change to the 17th function of the unit. */
const changes: readonly (readonly [string, (text: string) => string])[] = [
  ['another constant', (text) => text.replace('CONSTANT_17', '42')],
  ['more code', (text) => text.replace('count_17++', 'count_17 += lookup("more", "code")')],
  ['a new string', (text) => text.replace('"negative"', '"less than nothing"')],
  ['a string that moves all others', (text) => text.replace('"one 17"', '"a name that is longer"')],
  ['a new function', (text) => `int fresh(int n) { return n * 17; }\n${text.replace('n < 0', 'fresh(n) < 0')}`],
  ['a function less', (text) => text.replace(/int function_17[\s\S]*/, '')],
  ['a new call that comes before others', (text) => text.replace('count_17++', 'early(count_17++)')],
  ['lines that move', (text) => `\n\n\n${text}`],
  ['a static that becomes global', (text) => text.replace(/static (noinline int helper_17)/, '$1')],
  ['a new static', (text) => text.replace('count_17++', 'static int fresh; fresh += n; count_17++')],
  ['a static with another value', (text) => text.replace('int count_17;', 'int count_17 = 5;')],
  ['a static of another name', (text) => text.replaceAll('count_17', 'number_17')],
  ['an entry less in a table', (text) => text.replace(/\tasm volatile[^\n]*\n/, '')],
  ['another table', (text) => text.replace('"two"', '"zwei"')],
  ['a function that may be inlined', (text) => text.replace('static noinline int helper_17', 'static int helper_17')],
  ['nothing', (text) => `${text}/* a comment */`],
]

function outcomes(before: Buffer, after: Buffer) {
  const [b, a] = [before, after].map((bytes, nth) => ({
    name: nth === 0 ? 'before.o' : 'after.o',
    bytes,
  })) as [{ name: string; bytes: Buffer }, { name: string; bytes: Buffer }]
  const full = comparePair(readObject(b.bytes, b.name), readObject(a.bytes, a.name), a.name).report
  return { full, quick: quickReport(b, a) }
}

describe('a quick look at a large unit', () => {
  const before = compileWith(compiler, unit(24, same), ['-fdata-sections'])

  it.each(changes)('says the same about %s', (_, edit) => {
    const after = compileWith(compiler, unit(24, only(17, edit)), ['-fdata-sections'])
    const { full, quick } = outcomes(before, after)
    if (quick !== undefined) expect(quick).toEqual(full)
  })

  it('is enough for an edit of a function, and names that function alone', () => {
    for (const [name, edit] of changes.slice(0, 3)) {
      const after = compileWith(compiler, unit(24, only(17, edit)), ['-fdata-sections'])
      const { quick } = outcomes(before, after)
      expect(
        quick?.changed.map((one) => one.name),
        name,
      ).toEqual(['function_17'])
      expect(quick?.outcome, name).toBe('change')
    }
  })

  // Each is what a macro of the kernel leaves beside function_3; its counter moves when something in front of it does.
  const counted = (section: string, name: string) => (counter: number) =>
    `__attribute__((used, section("${section}"))) static void *__UNIQUE_ID_${name}_${counter} = (void *)function_3;\n`
  const pairOf = (note: (counter: number) => string) =>
    [note(300) + unit(24, same), note(301) + unit(24, only(17, changes[0]![1]))].map((text) =>
      compileWith(compiler, `int function_3(int n);\n${text}`, ['-fdata-sections']),
    ) as [Buffer, Buffer]

  it.each([
    ['what keeps a name for the linker', counted('.discard.addressable', '__addressable_function_3')],
    ['what keeps a name for objtool', counted('.discard.sym', '__sym_function_3')],
    ['what checks an export', counted('.discard.ksym', 'ksym_function_3')],
  ])('is enough beside %s', (_, note) => {
    const { full, quick } = outcomes(...pairOf(note))
    expect(quick).toEqual(full)
    expect(full.changed.map(({ name }) => name)).toEqual(['function_17'])
  })

  it('says the same about a name that moves into the room that it had behind it', () => {
    const shared = (room: number) =>
      compileWith(
        compiler,
        `asm(".pushsection .data..shared,\\"aw\\"\\n.globl earlier, later\\n.zero ${room}\\n` +
          `earlier: .zero ${8 - room}\\nlater: .quad 2\\n.popsection");\nextern int earlier, later;\n` +
          `${unit(24, same)}\n` +
          'int first(void) { return earlier; }\nint second(void) { return later; }',
        ['-fdata-sections'],
      )
    const [b, a] = [shared(0), shared(4)]
    for (const { full, quick } of [outcomes(b, a), outcomes(a, b)]) {
      expect(full.changed.map(({ name }) => name)).toEqual(['first'])
      expect(quick).toEqual(full)
    }
  })

  it('is not enough beside an entry of a table that the linker collects', () => {
    expect(outcomes(...pairOf(counted('.quirks', 'quirk'))).quick).toBeUndefined()
  })

  it('leaves to a thorough look what it can not be sure of', () => {
    const ignored = only(
      17,
      (text) =>
        `${text.replace('CONSTANT_17', '42')}\nasm(".pushsection ` +
        `.inarch.ignore.functions,\\"a\\"\\n.asciz \\"function_17\\"\\n.popsection");`,
    )
    const after = compileWith(compiler, unit(24, ignored), ['-fdata-sections'])
    const { full, quick } = outcomes(before, after)
    expect(quick).toBeUndefined()
    expect(full.findings.map(({ rule, symbol }) => [rule, symbol])).toContainEqual(['ignored', 'function_17'])
  })
})

it('a quick look says the same about every kind of object that there is a compiler for', async () => {
  let looks = 0
  for (const { before, after, name } of await compiledCorpus()) {
    for (const [b, a] of [
      [before, after],
      [after, before],
      [before, before],
    ] as const) {
      const { full, quick } = outcomes(b, a)
      if (quick === undefined) continue
      looks++
      expect(quick, name).toEqual(full)
    }
  }
  expect(looks).toBeGreaterThan(10)
}, 60_000)

describe('an object that is spoilt', () => {
  const before = compileWith(compiler, unit(24, same), ['-fdata-sections'])
  const after = compileWith(compiler, unit(24, only(17, changes[0]![1])), ['-fdata-sections'])

  const strings = '.rodata.function_0.str1.1'

  /** Writes into the header or the contents of a section of an object. */
  const spoilt = (
    bytes: Buffer,
    name: string,
    spoil: (copy: Buffer, header: number, at: number, size: number) => void,
  ) => {
    const copy = Buffer.from(bytes)
    const { index } = readObject(bytes, 'unit.o').sections.find((section) => section.name === name)!
    const header = Number(copy.readBigUInt64LE(40)) + 64 * index
    spoil(copy, header, Number(copy.readBigUInt64LE(header + 24)), Number(copy.readBigUInt64LE(header + 32)))
    return copy
  }

  it.each<[string, Parameters<typeof spoilt>[2]]>([
    ['whose last string has no end', (copy, _, at, size) => copy.fill(0x41, at + size - 4, at + size)],
    ['whose strings have no end at all', (copy, _, at, size) => copy.fill(0x41, at, at + size)],
    ['whose strings are of impossibly large characters', (copy, header) => copy.writeUInt32LE(1 << 16, header + 60)],
    ['whose strings are of wide characters', (copy, header) => copy.writeUInt32LE(4, header + 56)],
  ])('%s: both looks say that the function alone changes', (_, spoil) => {
    const [b, a] = [before, after].map((bytes) => spoilt(bytes, strings, spoil)) as [Buffer, Buffer]
    const { full, quick } = outcomes(b, a)
    if (quick !== undefined) expect(quick).toEqual(full)
    expect(full.changed.map(({ name }) => name)).toEqual(['function_17'])
  })

  it('is not taken for the same when only one side is', () => {
    const b = spoilt(before, strings, (copy, _, at, size) => copy.fill(0x41, at, at + size))
    const { full, quick } = outcomes(b, after)
    if (quick !== undefined) expect(quick).toEqual(full)
    expect(full.changed.length).toBe(24)
  })
})
