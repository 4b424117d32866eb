// SPDX-License-Identifier: GPL-3.0-or-later
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { type ObjectFile, readObject } from '../../src/elf/read.ts'
import { withoutDebug } from '../../src/elf/without-debug.ts'
import { compileBytes, compilers, compileWith, work } from '../objects.ts'

const source = `
  extern int other(int);
  struct table { int (*call)(int); const char *name; };
  static int inner(int n) { return other(n) + 3; }
  struct table table[] = { { inner, "inner" }, { other, "other" } };
  static int count;
  int outer(int n) { for (int i = 0; i < n; i++) count += table[i & 1].call(i); return count; }
`

/** All that an object says. */
function facts(object: ObjectFile): unknown {
  // A hint of clang's for linkers, which numbers symbols, goes with the debug information.
  const sections = object.sections.filter(({ name }) => name !== '.llvm_addrsig')
  return {
    sections: sections.slice(1).flatMap((section) => {
      const { name, type, flags, align, entrySize, size, link, info } = section
      // These hold numbers of sections and symbols, which are seen as what they mean; names may lie elsewhere.
      if (['.symtab', '.strtab', '.shstrtab'].includes(name)) return [[name, type, flags, align, entrySize]]
      const of = type === 4 ? object.sections[info]!.name : info
      const data = type === 4 ? '' : section.data.toString('hex')
      return [[name, type, flags, align, entrySize, size, object.sections[link]!.name, of, data]]
    }),
    symbols: object.symbols.flatMap(({ index: _, section, ...one }) =>
      one.type === 'file' ? [] : [{ ...one, section: section?.name }],
    ),
    relocations: sections.map((section) =>
      object
        .relocations(section)
        .map(({ offset, type, symbol, addend }) => [offset, type, symbol.name, symbol.section?.name, addend]),
    ),
  }
}

describe.each(compilers)('an object of %s', (program) => {
  const plain = compileWith(program, source, ['-g0'])
  const stripped = withoutDebug(compileWith(program, source, ['-g']), 'unit.o')

  test('is without its debug information what it would be without having been asked for it', () => {
    expect(facts(readObject(stripped, 'stripped.o'))).toEqual(facts(readObject(plain, 'plain.o')))
  })

  test('is accepted by the linker', () => {
    const file = path.join(work, `${path.basename(program)}-stripped.o`)
    writeFileSync(file, stripped)
    expect(execFileSync('readelf', ['-aW', file], { encoding: 'utf8' })).not.toMatch(/warning|error|corrupt/i)
    execFileSync('ld', ['-r', '-o', `${file}.linked`, file])
  })
})

test('without debug information it stays as it is', () => {
  const bytes = compileBytes(source)
  expect(withoutDebug(bytes, 'unit.o')).toBe(bytes)
})

test('numbers of sections for which a symbol has no room are counted anew', () => {
  const count = 0xff10
  const lines = Array.from({ length: count }, (_, number) => `.section .d${number},"a"\n.byte 1`)
  const late = `.globl late\nlate: .long early - .\n.section .first,"a"\nearly: .byte 2\n`
  const file = path.join(work, 'many.o')
  const debug = '.section .debug_info,""\n.long early\n'
  execFileSync('as', ['-o', file, '-'], { input: `.section .first,"a"\n${debug}${lines.join('\n')}\n${late}` })
  const object = readObject(withoutDebug(readFileSync(file), 'many.o'), 'stripped.o')
  const [symbol] = object.symbols.filter(({ name }) => name === 'late')
  expect(symbol?.section?.name).toBe(`.d${count - 1}`)
  expect(symbol!.section!.index).toBeGreaterThan(0xff00)
  expect(object.relocations(symbol!.section!).map((one) => [one.symbol.name, one.symbol.section?.name])).toEqual([
    ['.first', '.first'],
  ])
  expect(object.sections.filter(({ name }) => name.includes('debug'))).toEqual([])
})
