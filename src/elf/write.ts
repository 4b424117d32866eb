// SPDX-License-Identifier: GPL-3.0-or-later
// Writes a relocatable x86-64 object from a plain description. Sections, symbols and relocations refer
// to one another by identity; the indices, string tables and the order that the gABI asks for (local
// symbols first) are made here. The same description always gives the same bytes.
import { getOrInsertComputed } from '../ground/values/remembered.ts'
import {
  fileType,
  machine,
  type SymbolBinding,
  type SymbolType,
  sectionFlag,
  sectionIndex,
  sectionType,
  symbolBinding,
  symbolType,
} from './format.ts'

/**
 * What lies between two parts of a section. In code it is nops: objtool reads code from its start to its end, and zeros
 * are instructions of two bytes.
 */
export function padding(length: number, flags: number): Buffer {
  return Buffer.alloc(length, (flags & sectionFlag.exec) === 0 ? 0 : 0x90)
}

/** Drafts may be changed until they are written. */
export interface SectionDraft {
  name: string
  readonly type: number
  readonly flags: number
  align: number
  readonly entrySize: number
  /** The bytes, or the number of zero bytes of a NOBITS section. */
  data: Buffer | number
  relocations: RelocationDraft[]
  /**
   * Relocations that the kernel applies itself when a patched object appears: a section of their own with
   * SHF_RELA_LIVEPATCH (Documentation/livepatch/module-elf-format.rst).
   */
  livepatchRelocations?: { readonly name: string; readonly relocations: readonly RelocationDraft[] }[]
}

export interface SymbolDraft {
  readonly name: string
  value: number
  readonly size: number
  readonly binding: SymbolBinding
  readonly type: SymbolType
  readonly visibility: number
  /** `livepatch`: resolved by the kernel's livepatch code (SHN_LIVEPATCH). */
  place: SectionDraft | 'undefined' | 'absolute' | 'livepatch'
}

/** A symbol that another object has. */
export function undefinedSymbol(name: string): SymbolDraft {
  return { name, value: 0, size: 0, binding: 'global', type: 'none', visibility: 0, place: 'undefined' }
}

/** The symbol by which relocations name a section itself. */
export function sectionSymbol(section: SectionDraft): SymbolDraft {
  return {
    name: '',
    value: 0,
    size: 0,
    binding: 'local',
    type: 'section',
    visibility: 0,
    place: section,
  }
}

export interface RelocationDraft {
  readonly offset: number
  readonly type: number
  readonly symbol: SymbolDraft
  readonly addend: number
}

export interface ObjectDraft {
  readonly sections: readonly SectionDraft[]
  /** Every symbol that a relocation names must be among these. */
  readonly symbols: readonly SymbolDraft[]
}

class StringTable {
  private readonly offsets = new Map<string, number>([['', 0]])
  private text = '\0'

  /** Names are latin1, a byte for each character, as they were read. */
  offset(name: string): number {
    return getOrInsertComputed(this.offsets, name, () => {
      const at = this.text.length
      this.text += `${name}\0`
      return at
    })
  }

  bytes(): Buffer {
    return Buffer.from(this.text, 'latin1')
  }
}

/** Writes a 64-bit number; far quicker than by BigInt. @param value a whole number, exact, maybe negative */
function put64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value >>> 0, at)
  bytes.writeInt32LE(Math.floor(value / 0x1_0000_0000), at + 4)
}

interface Header {
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly data: Buffer
  readonly size: number
  readonly link: number
  readonly info: number
  readonly align: number
  readonly entrySize: number
}

const empty = Buffer.alloc(0)

/** @returns the bytes of the object file */
export function writeObject(draft: ObjectDraft): Buffer {
  const { sections } = draft
  const sectionIndexOf = new Map(sections.map((section, index) => [section, index + 1]))
  const indexOf = (section: SectionDraft): number => {
    const index = sectionIndexOf.get(section)
    if (index === undefined) throw new Error(`section ${section.name} is not part of the object`)
    return index
  }

  const locals = draft.symbols.filter((symbol) => symbol.binding === 'local')
  const symbols = [...locals, ...draft.symbols.filter((symbol) => symbol.binding !== 'local')]
  const symbolIndexOf = new Map(symbols.map((symbol, index) => [symbol, index + 1]))

  const names = new StringTable()
  const symbolTable = Buffer.alloc(24 * (symbols.length + 1))
  const needsExtended = sections.length + 1 >= sectionIndex.loReserve
  const extended = Buffer.alloc(needsExtended ? 4 * (symbols.length + 1) : 0)
  symbols.forEach((symbol, order) => {
    const at = 24 * (order + 1)
    symbolTable.writeUInt32LE(symbol.type === 'section' ? 0 : names.offset(symbol.name), at)
    symbolTable.writeUInt8((symbolBinding[symbol.binding] << 4) | symbolType[symbol.type], at + 4)
    symbolTable.writeUInt8(symbol.visibility, at + 5)
    let where: number
    if (symbol.place === 'undefined') where = sectionIndex.undefined
    else if (symbol.place === 'absolute') where = sectionIndex.absolute
    else if (symbol.place === 'livepatch') where = sectionIndex.livepatch
    else {
      where = indexOf(symbol.place)
      if (where >= sectionIndex.loReserve) {
        extended.writeUInt32LE(where, 4 * (order + 1))
        where = sectionIndex.extended
      }
    }
    symbolTable.writeUInt16LE(where, at + 6)
    put64(symbolTable, symbol.value, at + 8)
    put64(symbolTable, symbol.size, at + 16)
  })

  const headers: Header[] = sections.map((section) => ({
    name: section.name,
    type: section.type,
    flags: section.flags,
    data: typeof section.data === 'number' ? empty : section.data,
    size: typeof section.data === 'number' ? section.data : section.data.length,
    link: 0,
    info: 0,
    align: section.align,
    entrySize: section.entrySize,
  }))
  const tables: { name: string; flags: number; target: number; relocations: readonly RelocationDraft[] }[] = []
  for (const section of sections) {
    const target = indexOf(section)
    if (section.relocations.length > 0)
      tables.push({
        name: `.rela${section.name}`,
        flags: sectionFlag.infoLink,
        target,
        relocations: section.relocations,
      })
    for (const { name, relocations } of section.livepatchRelocations ?? [])
      tables.push({
        name,
        // The kernel keeps only allocated sections of a livepatch's relocations after loading.
        flags: sectionFlag.infoLink | sectionFlag.alloc | sectionFlag.relaLivepatch,
        target,
        relocations,
      })
  }
  const symbolTableIndex = sections.length + tables.length + 1
  for (const table of tables) {
    const data = Buffer.alloc(24 * table.relocations.length)
    table.relocations.forEach((relocation, order) => {
      const symbol = symbolIndexOf.get(relocation.symbol)
      if (symbol === undefined) throw new Error(`symbol ${relocation.symbol.name} is not part of the object`)
      const at = 24 * order
      put64(data, relocation.offset, at)
      data.writeUInt32LE(relocation.type, at + 8)
      data.writeUInt32LE(symbol, at + 12)
      put64(data, relocation.addend, at + 16)
    })
    headers.push({
      name: table.name,
      type: sectionType.rela,
      flags: table.flags,
      data,
      size: data.length,
      link: symbolTableIndex,
      info: table.target,
      align: 8,
      entrySize: 24,
    })
  }
  headers.push({
    name: '.symtab',
    type: sectionType.symtab,
    flags: 0,
    data: symbolTable,
    size: symbolTable.length,
    link: symbolTableIndex + 1,
    info: locals.length + 1,
    align: 8,
    entrySize: 24,
  })
  const symbolNames = names.bytes()
  headers.push(stringTableHeader('.strtab', symbolNames))
  if (needsExtended)
    headers.push({
      name: '.symtab_shndx',
      type: sectionType.symtabShndx,
      flags: 0,
      data: extended,
      size: extended.length,
      link: symbolTableIndex,
      info: 0,
      align: 4,
      entrySize: 4,
    })
  const sectionNames = new StringTable()
  for (const header of headers) sectionNames.offset(header.name)
  sectionNames.offset('.shstrtab')
  headers.push(stringTableHeader('.shstrtab', sectionNames.bytes()))

  let offset = 64
  const headerTable = Buffer.alloc(64 * (headers.length + 1))
  const count = headers.length + 1
  const places = headers.map((header, order) => {
    const align = Math.max(header.align, 1)
    if (header.type !== sectionType.nobits) offset += (align - (offset % align)) % align
    const place = offset
    const at = 64 * (order + 1)
    headerTable.writeUInt32LE(sectionNames.offset(header.name), at)
    headerTable.writeUInt32LE(header.type, at + 4)
    put64(headerTable, header.flags, at + 8)
    put64(headerTable, offset, at + 24)
    put64(headerTable, header.size, at + 32)
    headerTable.writeUInt32LE(header.link, at + 40)
    headerTable.writeUInt32LE(header.info, at + 44)
    put64(headerTable, header.align, at + 48)
    put64(headerTable, header.entrySize, at + 56)
    if (header.type !== sectionType.nobits) offset += header.data.length
    return place
  })
  const tablePadding = (8 - (offset % 8)) % 8
  const file = Buffer.alloc(offset + tablePadding + headerTable.length)
  headers.forEach(({ data }, order) => {
    data.copy(file, places[order])
  })
  file.writeUInt32BE(0x7f454c46, 0)
  file.writeUInt8(2, 4)
  file.writeUInt8(1, 5)
  file.writeUInt8(1, 6)
  file.writeUInt16LE(fileType.relocatable, 16)
  file.writeUInt16LE(machine.x86_64, 18)
  file.writeUInt32LE(1, 20)
  put64(file, offset + tablePadding, 40)
  file.writeUInt16LE(64, 52)
  file.writeUInt16LE(64, 58)
  if (count < sectionIndex.loReserve) {
    file.writeUInt16LE(count, 60)
    file.writeUInt16LE(count - 1, 62)
  } else {
    put64(headerTable, count, 32)
    headerTable.writeUInt32LE(count - 1, 40)
    file.writeUInt16LE(sectionIndex.extended, 62)
  }
  headerTable.copy(file, offset + tablePadding)
  return file
}

function stringTableHeader(name: string, data: Buffer): Header {
  return {
    name,
    type: sectionType.strtab,
    flags: 0,
    data,
    size: data.length,
    link: 0,
    info: 0,
    align: 1,
    entrySize: 0,
  }
}
