// SPDX-License-Identifier: GPL-3.0-or-later
// What lies between, before and behind the things with names in a section that they share. Nobody names it, and still a
// change of it must be seen: by a look at all of two objects, and by the quick one.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Change, compareObjects } from '../../src/diff/change.ts'
import { differingParts } from '../../src/diff/quick/differing-parts.ts'
import { readObject } from '../../src/elf/read.ts'
import { compiler, extractionOf, flags, traced, work } from '../objects.ts'

/** The quick look is for objects of which most is the same. */
const others = Array.from({ length: 40 }, (_, n) => `int other${n}(int a) { return get() * ${n} + a; }`)
const prelude = `
int get(void); void use(const void *); void say(const char *, ...);
#define noinline __attribute__((noinline))
#define section(name) __attribute__((section(name)))
${others.join('\n')}
`

let number = 0

/** The object of a text in which each thing stands where it is written. */
function assemble(text: string, more: readonly string[], edit: (assembly: string) => string): Buffer {
  const base = path.join(work, `shared${++number}`)
  writeFileSync(`${base}.c`, prelude + text)
  const run = (args: readonly string[]) => execFileSync(compiler, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  run([...flags, ...traced, '-fno-toplevel-reorder', ...more, '-S', '-o', `${base}.s`, `${base}.c`])
  writeFileSync(`${base}.s`, edit(readFileSync(`${base}.s`, 'latin1')), 'latin1')
  run(['-c', '-o', `${base}.o`, `${base}.s`])
  return readFileSync(`${base}.o`)
}

const summary = ({ changed, added, removed, addedData, findings }: Change) => [
  ...changed.map(({ after: { name } }) => name),
  ...[...added, ...removed, ...addedData].map(({ name }) => `other ${name}`),
  ...findings.map(({ severity, rule, symbol }) => `${severity} ${rule} ${symbol}`),
]

/** What a full and a quick look see. */
function seen(text: string, more: readonly string[], edit: (assembly: string) => string) {
  const before = assemble(text, more, (assembly) => assembly)
  const after = assemble(text, more, (assembly) => {
    const edited = edit(assembly)
    expect(edited).not.toBe(assembly)
    return edited
  })
  const read = (bytes: Buffer) => readObject(bytes, 'unit.o')
  const whole = summary(compareObjects(read(before), read(after), 'unit.c'))
  const part = differingParts({ bytes: before, name: 'unit.o' }, { bytes: after, name: 'unit.o' })
  if (part !== undefined) expect(summary(compareObjects(part.before, part.after, 'unit.c'))).toEqual(whole)
  for (const side of [before, after]) expect(summary(compareObjects(read(side), read(side), 'unit.c'))).toEqual([])
  return { whole, quick: part !== undefined, change: compareObjects(read(before), read(after), 'unit.c') }
}

const replace = (from: string, to: string) => (assembly: string) => assembly.replace(from, to)

/** Exchanges two different entries of the table of a switch. */
function exchange(assembly: string): string {
  const entries = [...assembly.matchAll(/\t\.quad\t(\.L\d+)\n/g)].map(([, label]) => label)
  const at = entries.findIndex((label, nth) => entries[nth + 1] !== undefined && entries[nth + 1] !== label)
  const [one, two] = [`\t.quad\t${entries[at]}\n`, `\t.quad\t${entries[at + 1]}\n`]
  return assembly.replace(one + two, two + one)
}

const named = (name: string) => `const int ${name}[4] = { 1, 2, 3, 4 }; int get_${name}(int i) { return ${name}[i]; }`
const choice = `int f(int x) { switch (x) { case 0: return get(); case 1: say("a"); return 5; case 2: say("b"); return 7;
  case 3: use((void *)3); return 9; case 4: use((void *)1); return 4; case 5: get(); return 3; case 6: return get() * 3; } return 0; }`
const together = ['-fno-data-sections']
const all = [...together, '-fno-function-sections']

describe('among data with names, the function changes when', () => {
  test.each([
    ['the table of its switch does, between them', `${named('a')} ${choice} ${named('b')}`, exchange],
    ['the table of its switch does, before them', `${choice} ${named('a')} ${named('b')}`, exchange],
    ['the table of its switch does, behind them', `${named('a')} ${named('b')} ${choice}`, exchange],
    ['the table of its switch does, before a single one', `${choice} ${named('a')}`, exchange],
    ['the table of its switch does, behind a single one', `${named('a')} ${choice}`, exchange],
    [
      'the table of its switch does, before a table of another function',
      `${choice} int g(int i) { static const int own[4] = { 1, 2, 3, 4 }; return own[i]; }`,
      exchange,
    ],
    [
      'what its array begins with does',
      `${named('a')} void f(void) { const char *list[9] = { "aa", "bb", "cc", "dd", "ee", "ff", "gg", ` +
        `"hh", "ii" }; use(list); } ${named('b')}`,
      replace('"cc"', '"cd"'),
    ],
    [
      'nothing but zeros were there',
      `${named('a')} asm(".section .rodata\\n.Lz: .zero 12\\n.text"); int f(long x) { int r; asm("movl ` +
        `.Lz(,%1,4), %0" : "=r"(r) : "r"(x)); return r; } ${named('b')}`,
      replace('.Lz: .zero 12', '.Lz: .long 0, 0, 5'),
    ],
  ])('%s', (_, text, edit) => {
    const { whole, quick } = seen(text, together, edit)
    expect(whole).toEqual(['f'])
    expect(quick).toBe(true)
  })
})

describe('it is refused that', () => {
  test.each([
    [
      'assembly between functions changes, even where one of them goes there',
      'int a(void) { return get(); } asm(".text\\n.Lthunk: mov $99, %eax\\nret\\n"); int b(void) { ' +
        'asm("jmp .Lthunk"); return get(); }',
      all,
      replace('$99', '$98'),
      'error section-changed .text',
    ],
    [
      'assembly that has a name but no type changes between functions',
      'int a(void) { return get(); } asm(".text\\n.globl thunk\\nthunk: mov $99, %eax\\nret\\n"); int ' +
        'b(void) { return get(); }',
      all,
      replace('$99', '$98'),
      'error section-changed .text',
    ],
    [
      'assembly behind the only function of a section changes',
      'section(".text.one") int a(void) { return get(); } asm(".section .text.one\\nmov $99, %eax\\nret\\n.text");',
      [],
      replace('$99', '$98'),
      'error section-changed .text.one',
    ],
    [
      'an entry without a name changes in a table between others',
      'section(".mytab") int a[2] = { 1, 2 }; asm(".section .mytab\\n.quad get\\n.text"); ' +
        'section(".mytab") int b[2] = { 3, 4 };',
      [],
      replace('.quad get', '.quad say'),
      'error section-changed .mytab',
    ],
    [
      'a whole table without a name goes away',
      'int f(void) { return get(); } asm(".pushsection .mytab, \\"a\\"\\n.quad get\\n.popsection");',
      [],
      replace('.quad get', ''),
      'error section-changed .mytab',
    ],
    [
      'what a longer symbol holds behind a shorter one in it changes',
      'asm(".pushsection .mytab, \\"aw\\"\\n.globl long, short\\n.type long, @object\\n.type short, ' +
        '@object\\n.size long, 16\\n.size short, 4\\nlong: .long 1, 2\\nshort: .long 3, 99\\n.popsection");',
      [],
      replace('3, 99', '3, 98'),
      'error section-changed .mytab',
    ],
    [
      'a list of what runs first gets another function',
      'static void a(void) { use((void *)1); } static void b(void) { use((void *)2); } void *both[] = { ' +
        'a, b }; asm(".pushsection .init_array, \\"aw\\"\\n.quad a\\n.popsection");',
      [],
      replace('.quad a\n.pop', '.quad b\n.pop'),
      'error section-changed .init_array',
    ],
    [
      'constants change of which it can not be told who uses them, as the index begins before them',
      'const int a[4] = { 1, 2, 3, 4 }; int g(int i) { return a[i]; } asm(".section .rodata\\n.Lt: ' +
        '.long 5, 6, 7, 99\\n.text"); int f(long x) { int r; asm("movl .Lt-4(,%1,4), %0" : "=r"(r) : ' +
        '"r"(x)); return r; }',
      together,
      replace('7, 99', '7, 98'),
      'error section-changed .rodata',
    ],
  ])('%s', (_, text, more, edit, finding) => {
    expect(seen(text, more, edit).whole).toEqual([finding])
  })
})

describe('what has a name stays what it is, or it is told:', () => {
  test.each([
    [
      'an alias of another function',
      'int a(void) { return get() + 1; } int b(void) { return get() + 2; } int c(void) __attribute__((alias("a")));',
      replace('.set\tc,a', '.set\tc,b'),
      'error merged-functions a',
    ],
    [
      'an alias of another variable',
      'int a = 1, b = 2; extern int c __attribute__((alias("a")));',
      replace('.set\tc,a', '.set\tc,b'),
      'error data-changed c',
    ],
    [
      'a variable that is aligned more strictly',
      'int v = 1; int f(void) { return v; } void set(int x) { v = x; }',
      replace('.align 4\n\t.type\tv', '.align 64\n\t.type\tv'),
      'error data-changed v',
    ],
    [
      'a variable that becomes one to be written to',
      'section(".mine") const int v = 1; int f(void) { return get(); }',
      replace('.section\t.mine,"a"', '.section\t.mine,"aw"'),
      'error data-changed v',
    ],
  ])('%s', (_, text, edit, finding) => {
    expect(seen(text, [], edit).whole).toContain(finding)
  })

  test('variables without a size share an address with whatever is next, and are not told', () => {
    const { whole } = seen(
      'asm(".bss\\n.globl third, fourth\\nkey1:\\nkey2:\\nthird: .zero 4\\n#here\\nfourth: .zero ' +
        '4\\n.type key1, @object\\n.type key2, @object\\n.type third, @object\\n.type fourth, ' +
        '@object\\n.size third, 4\\n.size fourth, 4\\n.text");',
      [],
      (assembly) => assembly.replace('key2:\n', '').replace('#here\n', 'key2:\n'),
    )
    expect(whole.filter((text) => text.startsWith('error'))).toEqual([])
  })

  test('a variable that needs less alignment is as it was', () => {
    const { whole } = seen(
      'long v = 1; long f(void) { return v; } void set(long x) { v = x; }',
      [],
      replace('.align 8\n\t.type\tv', '.align 4\n\t.type\tv'),
    )
    expect(whole).toEqual([])
  })
})

test('behind a datum may lie what has no name, and a loop to the end of the datum is not carried', () => {
  const text = `static int list[400] = { 1, 2, 3, 4 };
    asm(".data\\n.long 5, 6, 7, 8\\n.text");
    int f(void) { int sum = 0; for (int *p = list; p < list + 400; p++) sum += *p; return sum + 99; } void set(int i) { list[i] = i; }`
  const { change } = seen(text, together, replace('99', '98'))
  expect(change.changed.map(({ after: { name } }) => name)).toEqual(['f'])
  const rules = extractionOf([change]).findings.map(({ severity, rule }) => `${severity} ${rule}`)
  expect(rules.some((rule) => /^error (ambiguous-reference|unknown-relocation)$/.test(rule))).toBe(true)
})
