// SPDX-License-Identifier: GPL-3.0-or-later
// Code that takes the address of its own entry in `__bug_table`, as WARN() with a text does from Linux 7.2 on.
import { describe, expect, test } from 'vitest'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { readObject } from '../../src/elf/read.ts'
import { writeObject } from '../../src/elf/write.ts'
import type { Extraction } from '../../src/extract/extraction.ts'
import { comparePair, quickReport } from '../../src/extract/pairs/pair.ts'
import { warnText } from '../bug-entry.ts'
import { changedNames, changeOf, compileBytes, extractionOf, rules } from '../objects.ts'

const unit = (one: string, two = 'WARN_TEXT("two", n);') => `${warnText}
int get(void);
int first(int n) { if (n == get()) ${two} return n; }
int second(int n) { n += get(); if (n > 4) WARN_AT(7, 0x911, "second: %d\\n", n); ${one} return n * 3; }
int third(int n) { if (n < 0) WARN_AT(8, 0x913, "third", n); return n - get(); }`

/** The entries of the extracted object to which its code refers: each about the place behind the reference. */
function entriesOf(extraction: Extraction): { text: string; file: string; line: number; flags: number }[] {
  const object = readObject(writeObject(extraction.draft), 'carried.o')
  const carried = splitObject(object)
  const read = (table: Parameters<typeof carried.target>[0], relocation: Parameters<typeof carried.target>[1]) => {
    const target = carried.target(table, relocation)
    if (target.kind !== 'atom') return target.kind
    const start = target.atom.start + target.offset
    return target.atom.section.data.toString('latin1', start).replace(/\0.*$/s, '')
  }
  return carried.functions.flatMap((atom) =>
    carried.relocations(atom).flatMap((relocation) => {
      const target = carried.target(atom.section, relocation)
      if (target.kind !== 'entry') return []
      const { table, start, end, relocations } = target.entry
      const [text, file] = relocations.slice(1).map((one) => read(table, one))
      const [line, flags] = [end - 4, end - 2].map((at) => table.data.readUInt16LE(at))
      expect(end - start).toBe(16)
      return [{ text: text!, file: file!, line: line!, flags: flags! }]
    }),
  )
}

describe('an entry that code refers to', () => {
  test('is carried once, with all that it says, and the reference leads to it', () => {
    const extraction = extractionOf([changeOf(unit(''), unit('n ^= 5;'))])
    expect(rules(extraction.findings)).toEqual([])
    expect(entriesOf(extraction)).toEqual([{ text: 'second: %d\n', file: 'kernel/thing.c', line: 7, flags: 0x911 }])
    const table = extraction.draft.sections.find(({ name }) => name === '__bug_table')
    expect(table?.data).toHaveLength(16)
  })

  test('is another for each of several warnings', () => {
    const both = 'WARN_AT(9, 0x911, "more", n); '
    const extraction = extractionOf([changeOf(unit(both), unit(`${both} n ^= 5;`))])
    expect(entriesOf(extraction).map(({ text, line }) => `${line} ${text}`)).toEqual(['9 more', '7 second: %d\n'])
  })

  test('goes along with a cold part', () => {
    const rare = (n: number) => `${warnText}
      int get(void); __attribute__((cold)) void rare(int);
      int part(int n) { if (__builtin_expect(n == get(), 0)) { rare(${n}); WARN_AT(5, 0x911, "cold", n); } return n; }`
    const change = changeOf(rare(1), rare(2))
    const cold = change.after.functions.find(({ name }) => name === 'part.cold')
    expect(cold && change.after.tellingEntries(cold)).toHaveLength(1)
    expect(entriesOf(extractionOf([change])).map(({ text }) => text)).toEqual(['cold'])
  })
})

/** A quick look says what comparing everything says, or nothing. */
function expectQuickSame(before: string, after: string): void {
  const [b, a] = [before, after].map((text) => ({ name: 'unit.o', bytes: compileBytes(text) }))
  const quick = quickReport(b!, a!)
  const { report } = comparePair(readObject(b!.bytes, 'unit.o'), readObject(a!.bytes, 'unit.o'), 'unit.o')
  if (quick !== undefined) expect(quick).toEqual(report)
}

describe('a change of what an entry says', () => {
  const warned = (line: number, flags: string, text: string) => unit(`WARN_AT(${line}, ${flags}, "${text}", n);`)
  const before = warned(70, '0x911', 'text')
  test.each([
    ['its text', warned(70, '0x911', 'txet'), ['second']],
    ['its flags', warned(70, '0x913', 'text'), ['second']],
    ['its line', warned(71, '0x911', 'text'), []],
    ['nothing', before, []],
  ])('in %s', (_, after, names) => {
    expect(changedNames(before, after)).toEqual(names)
    expectQuickSame(before, after)
  })

  test('moves no other function, whose entries only lie elsewhere', () => {
    const more = 'WARN_TEXT("before the others", n); WARN_TEXT("two", n);'
    expect(changedNames(unit(''), unit('', more))).toEqual(['first'])
    expectQuickSame(unit(''), unit('', more))
  })
})

describe('a reference into the table that is none to the own entry', () => {
  /** @param to what the code loads, `2:` being its own entry */
  const refers = (to: string, n = 1) => `
    int get(void);
    int other(int n) { asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\nother_entry: .long 1b - ., 0\\n.popsection"); return n; }
    void *refers(int n) { void *p = (void *)${n}L; n += get();
      asm volatile("lea ${to}(%%rip), %0\\n1:\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - ., 0\\n3:\\n.popsection" : "=r" (p));
      return get() + p + ${n}; }`
  test.each([
    ['its own', '2f', []],
    ['one of another function', 'other_entry', ['error unknown-relocation']],
    ['the middle of its own', '2f+4', ['error unknown-relocation']],
    ['the end of the table', '3f', ['error unknown-relocation']],
  ])('is refused: %s', (_, to, expected) => {
    const extraction = extractionOf([changeOf(refers(to), refers(to, 2))])
    expect(rules(extraction.findings)).toEqual(expected)
    if (expected.length > 0) expect(extraction.findings[0]?.message).toContain('it leads into __bug_table')
  })

  test('is refused where a datum has it', () => {
    const held = (n: number) => `int get(void);
      int holder(int n) { asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\nheld: .long 1b - ., 0\\n.popsection"); return n + ${n}; }
      extern char held[]; char *const keeps[1] = { held }; char *reads(int n) { return get() ? keeps[n] + ${n} : 0; }`
    const extraction = extractionOf([changeOf(held(1), held(2))])
    expect(rules(extraction.findings)).toContain('error unknown-relocation')
  })
})
