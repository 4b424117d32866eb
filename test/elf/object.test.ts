// SPDX-License-Identifier: GPL-3.0-or-later
// Objects are read, written and read again, and what is not an object is refused in one sentence.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { type ObjectFile, readObject } from '../../src/elf/read.ts'
import { redraft } from '../../src/elf/redraft.ts'
import { type SectionDraft, type SymbolDraft, writeObject } from '../../src/elf/write.ts'
import { Fault } from '../../src/ground/fault.ts'
import { compileBytes, work } from '../objects.ts'

const source = `
static int count; static const char *words[] = { "one", "two" }; extern int outside(int);
static __attribute__((noinline)) int help(int a) { return a + count++; }
asm(".pushsection __ex_table,\\"a\\"; .balign 4; .long help - ., help - ., 1; .popsection");
asm(".pushsection .altinstructions,\\"a\\"; .long help - ., 661f - .; .word 3; .byte 1, 1; .popsection; .pushsection .altinstr_replacement,\\"ax\\"; 661: nop; .popsection");
const char *f(int a) { static const int t[] = { 1, 2, 3 }; return words[help(t[a] + outside(a))]; }
int g(int a) { switch (a) { case 0: return 5; case 1: return 9; case 2: return 14; case 3: return 77; case 4: return 12; } return outside(a); }
`

/** What an object says, in the order of its names, whatever the order in the file. */
function facts(object: ObjectFile): string[] {
  const kept = object.sections.filter(({ type }) => type === 1 || type === 8)
  return kept
    .map((section) => {
      const relocations = object
        .relocations(section)
        .map(
          ({ offset, type, symbol, addend }) =>
            `${offset} ${type} ${symbol.type} ${symbol.name}+${symbol.value} ${addend}`,
        )
      return (
        `${section.name} ${section.size} ${section.align} ${section.data.toString('hex')} ` +
        `${relocations.join(', ')}`
      )
    })
    .sort()
}

function tool(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

describe('an object that was read and written', () => {
  const bytes = compileBytes(source)
  const again = writeObject(redraft(readObject(bytes, 'a.o'), () => true))

  test('says the same', () => {
    expect(facts(readObject(again, 'b.o'))).toEqual(facts(readObject(bytes, 'a.o')))
  })

  test('is the same bytes each time', () => {
    expect(writeObject(redraft(readObject(bytes, 'a.o'), () => true)).equals(again)).toBe(true)
    expect(writeObject(redraft(readObject(again, 'a.o'), () => true)).equals(again)).toBe(true)
  })

  test('is accepted by readelf and by the linker, with the same code', () => {
    const [one, two] = [path.join(work, 'one.o'), path.join(work, 'two.o')]
    writeFileSync(one, bytes)
    writeFileSync(two, again)
    const listing = tool('readelf', ['-aW', two])
    expect(listing).not.toMatch(/warning|error|corrupt/i)
    const linked = path.join(work, 'linked.o')
    tool('ld', ['-r', '-o', linked, two])
    const code = (file: string) =>
      tool('objdump', ['-dr', '--no-addresses', '-j', '.text.f', '-j', '.text.g', file]).replace(
        /^.*file format.*$/m,
        '',
      )
    expect(code(linked)).toBe(code(one))
  })
})

test('more sections than a half-word counts are written and read', () => {
  const sections: SectionDraft[] = []
  const symbols: SymbolDraft[] = []
  for (let index = 0; index < 66_000; index++) {
    const section = {
      name: `.data.v${index}`,
      type: 1,
      flags: 3,
      align: 1,
      entrySize: 0,
      data: Buffer.from([index & 0xff]),
      relocations: [],
    }
    sections.push(section)
    symbols.push({
      name: `v${index}`,
      value: 0,
      size: 1,
      binding: 'global',
      type: 'object',
      visibility: 0,
      place: section,
    })
  }
  const bytes = writeObject({ sections, symbols })
  const object = readObject(bytes, 'many.o')
  expect(object.symbols.find(({ name }) => name === 'v65999')?.section?.name).toBe('.data.v65999')
  expect(object.symbols.find(({ name }) => name === 'v65279')?.section?.name).toBe('.data.v65279')
  const file = path.join(work, 'many.o')
  writeFileSync(file, bytes)
  expect(tool('readelf', ['-hW', file])).toMatch(/Number of section headers: +0 \(\d{5}\)/)
})

describe('refused in one sentence is', () => {
  const bytes = compileBytes('int f(void) { return 1; }')
  const changed = (offset: number, value: number) => {
    const copy = Buffer.from(bytes)
    copy.writeUInt8(value, offset)
    return copy
  }
  test.each([
    ['an empty file', Buffer.alloc(0), 'it is not an ELF file'],
    ['a text', Buffer.from('#!/bin/sh\n'.repeat(20)), 'it is not an ELF file'],
    ['a 32-bit object', changed(4, 1), 'it is not a little-endian 64-bit ELF file'],
    ['a big-endian object', changed(5, 2), 'it is not a little-endian 64-bit ELF file'],
    ['an executable', changed(16, 2), 'it is not relocatable'],
    ['an object for another machine', changed(18, 183), 'it is not for x86-64'],
    ['half an object', bytes.subarray(0, bytes.length >> 1), 'its section headers lie outside the file'],
  ])('%s', (_, input, why) => {
    expect(() => readObject(input, 'x.o')).toThrow(`x.o is not a usable object file: ${why}`)
    expect(() => readObject(input, 'x.o')).toThrow(Fault)
  })
})

test('sections that lie on one another are refused, since each of them may be read', () => {
  const bytes = compileBytes(source)
  const headers = Number(bytes.readBigUInt64LE(40))
  const first = readObject(bytes, 'good.o').sections.find(({ name }) => name === '.data' || name === '.comment')
  const header = headers + 64 * (first?.index ?? 0)
  bytes.writeBigUInt64LE(0n, header + 24)
  bytes.writeBigUInt64LE(BigInt(bytes.length), header + 32)
  expect(() => readObject(bytes, 'forged.o')).toThrow(
    'forged.o is not a usable object file: its sections lie on one another',
  )
})
