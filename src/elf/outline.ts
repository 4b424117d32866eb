// SPDX-License-Identifier: GPL-3.0-or-later
// A relocatable x86-64 object seen as numbers only: where its sections and symbols lie, without a name or an
// object made for any of them. It is enough to see where two objects differ, in a fraction of the time that reading
// them takes. Format: System V gABI, chapter 4 (Object Files).
import { fileType, machine, sectionFlag, sectionIndex, sectionType, symbolType } from './format.ts'

export interface Outline {
  readonly bytes: Buffer
  /** The file's 32-bit words. */
  readonly words: Uint32Array
  /** Sections, with the one of index 0 that is none. */
  readonly sections: number
  /** Of each section: sh_type, sh_flags, and its bytes' first place and number in the file (0 for NOBITS). */
  readonly type: Uint32Array
  readonly flags: Uint32Array
  readonly at: Uint32Array
  readonly length: Uint32Array
  /** Of each section: its header's first word, and its name's place in the file. */
  readonly header: Uint32Array
  readonly name: Uint32Array
  /** Where in the file the sections' names begin, and their bytes. */
  readonly sectionNames: number
  readonly sectionNamesLength: number
  /** Of each section: the one with its relocations; 0 when there is none. */
  readonly relocations: Uint32Array
  readonly symbols: number
  /** The symbol table's first word; a symbol has six (Elf64_Sym). */
  readonly symbolTable: number
  /** Where in the file the symbols' names begin, and their bytes. */
  readonly symbolNames: number
  readonly symbolNamesLength: number
  /** Of each symbol: its section, or one of `nowhere`. */
  readonly home: Int32Array
}

/** Where a symbol is that has no section. */
export const nowhere = { undefined: -1, absolute: -2 } as const

/** Words of a section header, a symbol and a relocation. */
export const headerWords = 16
export const symbolWords = 6
export const relocationWords = 6

/** True for a section that holds code, data or tables; false for what says something about others. */
export function isContent(type: number): boolean {
  return type === sectionType.progbits || type === sectionType.nobits
}

/** @returns undefined when anything about the object is unusual; `readObject` says whether it is also wrong */
export function outlineOf(bytes: Buffer): Outline | undefined {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes.length > 0x7fff_ffff)
    return undefined
  if (bytes[4] !== 2 || bytes[5] !== 1 || bytes.byteOffset % 4 !== 0) return undefined
  if (bytes.readUInt16LE(16) !== fileType.relocatable || bytes.readUInt16LE(18) !== machine.x86_64)
    return undefined
  const table = bytes.readUInt32LE(40)
  if (bytes.readUInt32LE(44) !== 0 || bytes.readUInt16LE(58) !== headerWords * 4 || table % 4 !== 0)
    return undefined
  if (table + headerWords * 4 > bytes.length) return undefined
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
  const first = table >>> 2
  const sections = bytes.readUInt16LE(60) || words[first + 8]!
  const nameTable = bytes.readUInt16LE(62)
  const names = nameTable === sectionIndex.extended ? words[first + 10]! : nameTable
  if (table + sections * headerWords * 4 > bytes.length || names >= sections) return undefined

  const types = new Uint32Array(sections)
  const flags = new Uint32Array(sections)
  const at = new Uint32Array(sections)
  const length = new Uint32Array(sections)
  const headers = new Uint32Array(sections)
  const name = new Uint32Array(sections)
  const relocations = new Uint32Array(sections)
  const namesHeader = first + names * headerWords
  const namesAt = words[namesHeader + 6]!
  const namesEnd = namesAt + words[namesHeader + 8]!
  if (namesEnd > bytes.length || namesEnd === namesAt || bytes[namesEnd - 1] !== 0) return undefined
  const { nobits, note, progbits, rela, strtab, symtab, symtabShndx } = sectionType
  const { relaLivepatch } = sectionFlag
  let symbolTable = 0
  let extended = 0
  for (let index = 1, header = first + headerWords; index < sections; index++, header += headerWords) {
    const type = words[header + 1]!
    const offset = words[header + 6]!
    const size = words[header + 8]!
    const named = namesAt + words[header]!
    if ((words[header + 3]! | words[header + 7]! | words[header + 9]!) !== 0) return undefined
    if (named >= namesEnd || size > 0x7fff_ffff) return undefined
    const inFile = type === nobits ? 0 : size
    if (inFile > 0 && offset + inFile > bytes.length) return undefined
    if (type === rela) {
      const target = words[header + 11]!
      if (target === 0 || target >= sections || relocations[target] !== 0) return undefined
      if ((words[header + 2]! & relaLivepatch) !== 0 || size % 24 !== 0 || offset % 4 !== 0) return undefined
      relocations[target] = index
    } else if (type === symtab) {
      if (symbolTable !== 0) return undefined
      symbolTable = index
    } else if (type === symtabShndx) extended = index
    else if (type !== progbits && type !== nobits && type !== strtab && type !== note) return undefined
    types[index] = type
    flags[index] = words[header + 2]!
    at[index] = offset
    length[index] = inFile
    headers[index] = header
    name[index] = named
  }
  const found = { type: types, flags, at, length, header: headers, name, relocations }
  const sectionNames = { sectionNames: namesAt, sectionNamesLength: namesEnd - namesAt }
  const symbols = outlineSymbols(bytes, words, sections, found, symbolTable, extended)
  return symbols && { bytes, words, sections, ...found, ...sectionNames, ...symbols }
}

function outlineSymbols(
  bytes: Buffer,
  words: Uint32Array,
  sections: number,
  { type, at, length, header }: Pick<Outline, 'type' | 'at' | 'length' | 'header'>,
  table: number,
  extended: number,
): Pick<Outline, 'symbols' | 'symbolTable' | 'symbolNames' | 'symbolNamesLength' | 'home'> | undefined {
  if (table === 0 || length[table]! % 24 !== 0 || at[table]! % 4 !== 0) return undefined
  const symbols = length[table]! / 24
  const strings = words[header[table]! + 10]!
  if (strings >= sections || type[strings] !== sectionType.strtab) return undefined
  const [namesAt, namesLength] = [at[strings]!, length[strings]!]
  if (namesLength === 0 || bytes[namesAt + namesLength - 1] !== 0) return undefined
  if (extended !== 0 && (length[extended] !== symbols * 4 || at[extended]! % 4 !== 0)) return undefined
  const indices = extended === 0 ? 0 : at[extended]! >>> 2
  const symbolTable = at[table]! >>> 2
  const home = new Int32Array(symbols)
  const { undefined: none, absolute, extended: extendedIndex } = sectionIndex
  const ofSection = symbolType.section
  const { nobits, note, progbits } = sectionType
  for (let index = 0, word = symbolTable; index < symbols; index++, word += symbolWords) {
    if (words[word]! >= namesLength || words[word + 3] !== 0 || words[word + 5] !== 0) return undefined
    const shared = words[word + 1]!
    const where = shared >>> 16
    if (where === none) home[index] = -1
    else if (where === absolute) home[index] = -2
    else {
      const section = where === extendedIndex && indices !== 0 ? words[indices + index]! : where
      if (section === 0 || section >= sections) return undefined
      const kind = type[section]
      if (kind !== progbits && kind !== nobits && kind !== note && (shared & 0xf) !== ofSection)
        return undefined
      home[index] = section
    }
  }
  return { symbols, symbolTable, symbolNames: namesAt, symbolNamesLength: namesLength, home }
}
