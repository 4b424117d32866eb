// SPDX-License-Identifier: GPL-3.0-or-later
// The tables of exported symbols, made of what EXPORT_SYMBOL_GPL leaves in compiled files.
import { describe, expect, test } from 'vitest'
import { exportTables, takeExports } from '../../src/core/exports.ts'
import { readObject } from '../../src/elf/read.ts'
import { writeObject } from '../../src/elf/write.ts'
import { compile } from '../objects.ts'

/** As include/linux/export.h has it before Linux 6.5, and since. */
const marks = {
  'a section for each symbol': (name: string, licence: string) => `asm(
    ".section \\"__ksymtab_strings\\",\\"aMS\\",%progbits,1\\n__kstrtab_${name}: .asciz \\"${name}\\"\\n"
    "__kstrtabns_${name}: .asciz \\"\\"\\n.previous\\n"
    ".section \\"___ksymtab${licence === 'GPL' ? '_gpl' : ''}+${name}\\",\\"a\\"\\n.balign 4\\n__ksymtab_${name}:\\n"
    ".long ${name} - .\\n.long __kstrtab_${name} - .\\n.long __kstrtabns_${name} - .\\n.previous\\n");`,
  'one section for all': (name: string, licence: string) => `asm(
    ".section \\".export_symbol\\",\\"a\\"\\n__export_symbol_${name}:\\n.asciz \\"${licence}\\"\\n.asciz \\"\\"\\n"
    ".balign 8\\n.quad ${name}\\n.previous\\n");`,
}

describe.each(Object.entries(marks))('exports that are marked by %s', (_, mark) => {
  test('are taken out of the file with their marks', () => {
    const object = compile(
      `int b(void) { return 1; } int a(void) { return 2; } ${mark('b', 'GPL')} ${mark('a', 'GPL')}`,
    )
    const { compiled, names } = takeExports(object)
    expect([...names].sort()).toEqual(['a', 'b'])
    expect(compiled.sections.map(({ name }) => name).filter((name) => /ksymtab|export_symbol/.test(name))).toEqual([])
    expect(compiled.symbols.filter(({ section }) => section !== undefined).map(({ name }) => name)).toContain('a')
  })

  test('for modules of any licence are refused', () => {
    const object = compile(`int a(void) { return 2; } ${mark('a', '')}`)
    expect(() => takeExports(object)).toThrow('exports a to modules of any licence')
  })
})

describe('the tables', () => {
  const written = (flagged: boolean) => readObject(writeObject(exportTables(['b', 'a', 'B'], 7, flagged)), 'tables.o')
  const section = (flagged: boolean, name: string) => written(flagged).sections.find((one) => one.name === name)

  test('name each symbol, its text and its namespace, in the order in which the loader searches', () => {
    const object = written(false)
    const table = object.sections.find(({ name }) => name === '__ksymtab_gpl')!
    const texts = object.sections.find(({ name }) => name === '__ksymtab_strings')!.data.toString('latin1')
    const entries = object.relocations(table)
    expect(entries.filter((_, at) => at % 3 === 0).map(({ symbol }) => symbol.name)).toEqual(['B', 'a', 'b'])
    const textAt = (addend: number) => texts.slice(addend, texts.indexOf('\0', addend))
    expect(entries.filter((_, at) => at % 3 === 1).map(({ addend }) => textAt(addend))).toEqual(['B', 'a', 'b'])
    expect(entries.filter((_, at) => at % 3 === 2).map(({ addend }) => textAt(addend))).toEqual(['', '', ''])
  })

  test('have a version for each', () => {
    expect(section(false, '__kcrctab_gpl')?.data.toString('hex')).toBe('070000000700000007000000')
  })

  test('say the licence beside the symbols where the kernel has one table for all', () => {
    expect(section(true, '__ksymtab')?.size).toBe(36)
    expect(section(true, '__kflagstab')?.data.toString('hex')).toBe('010101')
    expect(section(true, '__ksymtab_gpl')).toBeUndefined()
  })
})
