// SPDX-License-Identifier: GPL-3.0-or-later
// What the core exports to live patches. EXPORT_SYMBOL_GPL leaves marks in the compiled files, of which kbuild's linker
// script (before Linux 6.5) or modpost make the tables that the kernel's loader reads; here they are made of the marks.
// Formats: include/linux/export.h, export-internal.h, scripts/module.lds.S and kernel/module/main.c of each series.
import { relocationType } from '../elf/format.ts'
import { type ObjectFile, readObject } from '../elf/read.ts'
import { redraft } from '../elf/redraft.ts'
import { type ObjectDraft, type SectionDraft, sectionSymbol, undefinedSymbol, writeObject } from '../elf/write.ts'
import { Fault } from '../ground/fault.ts'
import { ownSection } from '../module/structures/tables.ts'

/** One for each symbol, before Linux 6.5; the licence is part of the name. */
const entry = /^___ksymtab(_gpl)?\+(.+)$/
/** One for all, since then: labels, and behind each the licence, the namespace and a pointer. */
const marks = '.export_symbol'
const label = '__export_symbol_'
const strings = '__ksymtab_strings'

/** struct kernel_symbol: value, name and namespace, each as a distance from its own place. */
const symbolSize = 12
/** KSYM_FLAG_GPL_ONLY of include/linux/module_symbol.h. */
const gplOnly = 1

/** A compiled file and what it exports, to GPL modules only. */
export interface Exporting {
  /** Without the marks. */
  readonly compiled: ObjectFile
  readonly names: readonly string[]
}

/** @throws Fault `unexpected/export-without-gpl` */
export function takeExports(object: ObjectFile): Exporting {
  const names: string[] = []
  const open = (name: string) =>
    new Fault('unexpected', 'export-without-gpl', `${object.name} exports ${name} to modules of any licence`, {
      remedy: 'Write EXPORT_SYMBOL_GPL',
    })
  for (const { name } of object.sections) {
    const [found, gpl, symbol] = entry.exec(name) ?? []
    if (found === undefined || symbol === undefined) continue
    if (gpl === undefined) throw open(symbol)
    names.push(symbol)
  }
  for (const { name, section, value } of object.symbols) {
    if (section?.name !== marks || !name.startsWith(label)) continue
    const symbol = name.slice(label.length)
    if (section.data.toString('latin1', value, value + 4) !== 'GPL\0') throw open(symbol)
    names.push(symbol)
  }
  if (names.length === 0) return { compiled: object, names }
  const isMark = (name: string) => entry.test(name) || name === marks || name === strings
  const draft = redraft(object, ({ name }) => !isMark(name))
  return { compiled: readObject(writeObject(draft), object.name), names }
}

/**
 * @param version of each
 * @param flagged whether this kernel has one table for all licences, and what each asks for in another beside it (7.2)
 */
export function exportTables(names: readonly string[], version: number, flagged: boolean): ObjectDraft {
  // The loader searches by halves, in the order of strcmp().
  const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')))
  const suffix = flagged ? '' : '_gpl'
  const texts: Buffer[] = [Buffer.from('\0')]
  let size = 1
  const text = ownSection(strings, 0, 1, Buffer.alloc(0))
  const textStart = sectionSymbol(text)
  const table = ownSection(`__ksymtab${suffix}`, 0, 8, Buffer.alloc(symbolSize * sorted.length))
  const versions = ownSection(`__kcrctab${suffix}`, 0, 4, Buffer.alloc(4 * sorted.length))
  const symbols = sorted.map(undefinedSymbol)
  sorted.forEach((name, index) => {
    const at = symbolSize * index
    const type = relocationType.pc32
    table.relocations.push(
      { offset: at, type, symbol: symbols[index]!, addend: 0 },
      { offset: at + 4, type, symbol: textStart, addend: size },
      // The first of the strings is the empty namespace.
      { offset: at + 8, type, symbol: textStart, addend: 0 },
    )
    const line = Buffer.from(`${name}\0`, 'latin1')
    texts.push(line)
    size += line.length
    ;(versions.data as Buffer).writeUInt32LE(version, 4 * index)
  })
  text.data = Buffer.concat(texts)
  const sections: SectionDraft[] = [table, versions, text]
  if (flagged) sections.push(ownSection('__kflagstab', 0, 1, Buffer.alloc(sorted.length, gplOnly)))
  return { sections, symbols: [textStart, ...symbols] }
}
