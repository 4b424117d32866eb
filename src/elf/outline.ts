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
  /** Of each section: its name's place among the names. */
  readonly name: Uint32Array
  /** The first word of the section headers; each has `headerWords`. */
  readonly headers: number
  /** Where in the file the sections' names begin, and their bytes. */
  readonly sectionNames: number
  readonly sectionNamesLength: number
  /** Of each section: the one with its relocations; 0 when there is none. */
  readonly relocations: Uint32Array
  /** The sections that hold the symbols, their names, and their sections' numbers where those are too many (else 0). */
  readonly tables: { readonly symbols: number; readonly names: number; readonly indices: number }
  readonly symbols: number
  /** The symbol table's first word; a symbol has six (Elf64_Sym). */
  readonly symbolTable: number
  /** Where in the file the symbols' names begin, and their bytes. */
  readonly symbolNames: number
  readonly symbolNamesLength: number
  /** Of each symbol: its section, or one of `nowhere`. */
  readonly home: Int32Array
  /**
   * The outline that has the same sections and symbols under the same numbers, and the symbols that are elsewhere there
   * or have another size.
   */
  readonly like: { readonly outline: Outline; readonly moved: readonly number[] } | undefined
}

/** True when the bytes of a section and of one of another object are the same. */
export function hasSameBytes(b: Outline, inB: number, a: Outline, inA: number): boolean {
  const [atB, atA] = [b.at[inB]!, a.at[inA]!]
  const [endB, endA] = [atB + b.length[inB]!, atA + a.length[inA]!]
  return b.bytes.compare(a.bytes, atA, endA, atB, endB) === 0
}

/** The first word of a section's header. */
export function headerOf({ headers }: Outline, section: number): number {
  return headers + section * headerWords
}

/** Where in the file a section's name begins. */
export function nameOfSection({ sectionNames, name }: Outline, section: number): number {
  return sectionNames + name[section]!
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

/**
 * @param like an object's outline that this one's is probably like: then most is taken from there
 * @returns undefined when anything about the object is unusual; `readObject` says whether it is also wrong
 */
export function outlineOf(bytes: Buffer, like?: Outline): Outline | undefined {
  const frame = frameOf(bytes)
  if (frame === undefined) return undefined
  return (like && outlineLike(bytes, frame, like)) ?? outlineAnew(bytes, frame)
}

/** What the file's header says. */
interface Frame {
  readonly words: Uint32Array
  readonly headers: number
  readonly sections: number
  readonly sectionNames: number
  readonly sectionNamesLength: number
}

/** True when a section's flags, place, size, alignment or entry size needs more than 32 bits. */
function isBeyondWords(words: Uint32Array, header: number): boolean {
  return (
    (words[header + 3]! |
      words[header + 7]! |
      words[header + 9]! |
      words[header + 13]! |
      words[header + 15]!) !==
    0
  )
}

function frameOf(bytes: Buffer): Frame | undefined {
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

  const namesHeader = first + names * headerWords
  const namesAt = words[namesHeader + 6]!
  const namesEnd = namesAt + words[namesHeader + 8]!
  if (namesEnd > bytes.length || namesEnd === namesAt || bytes[namesEnd - 1] !== 0) return undefined
  return { words, headers: first, sections, sectionNames: namesAt, sectionNamesLength: namesEnd - namesAt }
}

function outlineAnew(bytes: Buffer, frame: Frame): Outline | undefined {
  const { words, headers, sections, sectionNamesLength } = frame
  const types = new Uint32Array(sections)
  const flags = new Uint32Array(sections)
  const at = new Uint32Array(sections)
  const length = new Uint32Array(sections)
  const name = new Uint32Array(sections)
  const relocations = new Uint32Array(sections)
  const { nobits, note, progbits, rela, strtab, symtab, symtabShndx } = sectionType
  const { relaLivepatch } = sectionFlag
  let symbolTable = 0
  let extended = 0
  for (let index = 1, header = headers + headerWords; index < sections; index++, header += headerWords) {
    const type = words[header + 1]!
    const offset = words[header + 6]!
    const size = words[header + 8]!
    const named = words[header]!
    if (isBeyondWords(words, header)) return undefined
    if (named >= sectionNamesLength || size > 0x7fff_ffff) return undefined
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
    name[index] = named
  }
  const found = { type: types, flags, at, length, name, relocations }
  const symbols = outlineSymbols(bytes, frame, found, symbolTable, extended)
  return symbols && { bytes, ...frame, ...found, ...symbols, like: undefined }
}

/** @returns undefined when the sections or symbols are others, or have other names */
function outlineLike(bytes: Buffer, frame: Frame, like: Outline): Outline | undefined {
  const { words, sections, headers } = frame
  const other = like.words
  if (sections !== like.sections || !hasSameNames(bytes, frame, like)) return undefined
  const at = new Uint32Array(sections)
  const length = new Uint32Array(sections)
  const { nobits } = sectionType
  const size = bytes.length
  for (
    let index = 1, a = headers + headerWords, b = like.headers + headerWords;
    index < sections;
    index++, a += headerWords, b += headerWords
  ) {
    const type = words[a + 1]
    if (words[a] !== other[b] || type !== other[b + 1] || words[a + 2] !== other[b + 2]) return undefined
    if (words[a + 11] !== other[b + 11] || words[a + 10] !== other[b + 10]) return undefined
    if (isBeyondWords(words, a)) return undefined
    const place = words[a + 6]!
    const inFile = type === nobits ? 0 : words[a + 8]!
    if (inFile > 0 && place + inFile > size) return undefined
    at[index] = place
    length[index] = inFile
  }
  const found = { ...like, bytes, ...frame, at, length }
  const table = like.relocations
  for (let index = 1; index < sections; index++) {
    const own = table[index]!
    if (own !== 0 && (length[own]! % 24 !== 0 || at[own]! % 4 !== 0)) return undefined
  }
  return likeSymbols(found, like)
}

function hasSameNames(bytes: Buffer, { sectionNames, sectionNamesLength }: Frame, like: Outline): boolean {
  const end = sectionNames + sectionNamesLength
  return (
    sectionNamesLength === like.sectionNamesLength &&
    bytes.compare(
      like.bytes,
      like.sectionNames,
      like.sectionNames + sectionNamesLength,
      sectionNames,
      end,
    ) === 0
  )
}

/** The second half of it: the symbols. */
function likeSymbols(found: Outline, like: Outline): Outline | undefined {
  const { at, length, bytes, words } = found
  // Where they lie among the sections is the same.
  const table = like.tables.symbols
  const names = like.tables.names
  const [symbolTable, symbolNames] = [at[table]! >>> 2, at[names]!]
  if (length[table] !== like.length[table] || length[names] !== like.length[names] || at[table]! % 4 !== 0)
    return undefined
  const end = symbolNames + found.symbolNamesLength
  const otherEnd = like.symbolNames + like.symbolNamesLength
  if (bytes.compare(like.bytes, like.symbolNames, otherEnd, symbolNames, end) !== 0) return undefined
  if (like.tables.indices !== 0) return undefined
  const other = like.words
  const moved: number[] = []
  for (
    let index = 0, a = symbolTable, b = like.symbolTable;
    index < found.symbols;
    index++, a += symbolWords, b += symbolWords
  ) {
    if (words[a] !== other[b] || words[a + 1] !== other[b + 1]) return undefined
    if ((words[a + 3]! | words[a + 5]!) !== 0) return undefined
    if (words[a + 2] !== other[b + 2] || words[a + 4] !== other[b + 4]) moved.push(index)
  }
  return { ...found, symbolTable, symbolNames, like: { outline: like, moved } }
}

function outlineSymbols(
  bytes: Buffer,
  { words, sections, headers }: Frame,
  { type, at, length }: Pick<Outline, 'type' | 'at' | 'length'>,
  table: number,
  extended: number,
):
  | Pick<Outline, 'symbols' | 'symbolTable' | 'symbolNames' | 'symbolNamesLength' | 'home' | 'tables'>
  | undefined {
  if (table === 0 || length[table]! % 24 !== 0 || at[table]! % 4 !== 0) return undefined
  const symbols = length[table]! / 24
  const strings = words[headers + table * headerWords + 10]!
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
  return {
    symbols,
    symbolTable,
    symbolNames: namesAt,
    symbolNamesLength: namesLength,
    home,
    tables: { symbols: table, names: strings, indices: extended },
  }
}
