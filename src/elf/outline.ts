// SPDX-License-Identifier: GPL-3.0-or-later
// A relocatable x86-64 object seen as numbers only: where its sections and symbols lie, without a name or an
// object made for any of them. It is enough to see where two objects differ, in a fraction of the time that reading
// them takes. Format: System V gABI, chapter 4 (Object Files).
import { fileType, machine, sectionFlag, sectionIndex, sectionType, symbolType } from './format.ts'
import {
  bindingIn,
  headerWord,
  readFileHeader,
  relaSize,
  relocationWord,
  sectionHeaderSize,
  sectionIn,
  symbolSize,
  symbolWord,
  typeIn,
} from './structures.ts'

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
  /** The first word of the section headers. */
  readonly headers: number
  /** Where in the file the sections' names begin, and their bytes. */
  readonly sectionNames: number
  readonly sectionNamesLength: number
  /** Of each section: the one with its relocations; 0 when there is none. */
  readonly relocations: Uint32Array
  /** The sections that hold the symbols, their names, and their sections' numbers where those are too many (else 0). */
  readonly tables: { readonly symbols: number; readonly names: number; readonly indices: number }
  readonly symbols: number
  /** The symbol table's first word. */
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
function headerOf({ headers }: Outline, section: number): number {
  return headers + section * headerWord.count
}

/** Bytes of a section; those of NOBITS are not in the file. */
export function sizeOfSection(outline: Outline, section: number): number {
  return outline.words[headerOf(outline, section) + headerWord.size]!
}

export function alignmentOf(outline: Outline, section: number): number {
  return outline.words[headerOf(outline, section) + headerWord.align]!
}

/** Bytes of an entry of a section that is a table, else 0. */
export function entrySizeOf(outline: Outline, section: number): number {
  return outline.words[headerOf(outline, section) + headerWord.entrySize]!
}

/** Where in the file a section's name begins. */
export function nameOfSection({ sectionNames, name }: Outline, section: number): number {
  return sectionNames + name[section]!
}

/** The first word of a symbol. */
function wordOfSymbol({ symbolTable }: Outline, symbol: number): number {
  return symbolTable + symbol * symbolWord.count
}

/** Where in the file a symbol's name begins. */
export function nameOfSymbol(outline: Outline, symbol: number): number {
  return outline.symbolNames + outline.words[wordOfSymbol(outline, symbol) + symbolWord.name]!
}

/** The offset in its section. */
export function valueOfSymbol(outline: Outline, symbol: number): number {
  return outline.words[wordOfSymbol(outline, symbol) + symbolWord.value]!
}

/** Bytes. */
export function sizeOfSymbol(outline: Outline, symbol: number): number {
  return outline.words[wordOfSymbol(outline, symbol) + symbolWord.size]!
}

/** st_info and st_other as one number, and st_shndx. */
export function sharedWordOf(outline: Outline, symbol: number): number {
  return outline.words[wordOfSymbol(outline, symbol) + symbolWord.shared]!
}

/** STT_*: `symbolType`. */
export function typeOf(outline: Outline, symbol: number): number {
  return typeIn(sharedWordOf(outline, symbol))
}

/** STB_*: `symbolBinding`. */
export function bindingOf(outline: Outline, symbol: number): number {
  return bindingIn(sharedWordOf(outline, symbol))
}

/** The symbol to which a section's relocation of a number leads. */
export function targetOf(outline: Outline, section: number, nth: number): number {
  return outline.words[relocationsAt(outline, section) + nth * relocationWord.count + relocationWord.symbol]!
}

/** The first word of a section's relocations. */
export function relocationsAt({ at, relocations }: Outline, section: number): number {
  return at[relocations[section]!]! >>> 2
}

/** @returns how many relocations a section has */
export function relocationCount({ length, relocations }: Outline, section: number): number {
  const own = relocations[section]!
  return own === 0 ? 0 : length[own]! / relaSize
}

/** Where a symbol is that has no section. */
export const nowhere = { undefined: -1, absolute: -2 } as const

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
  const { flags, offset, size, align, entrySize } = headerWord
  const upper = header + 1
  return (
    (words[upper + flags]! |
      words[upper + offset]! |
      words[upper + size]! |
      words[upper + align]! |
      words[upper + entrySize]!) !==
    0
  )
}

function frameOf(bytes: Buffer): Frame | undefined {
  const header = readFileHeader(bytes)
  if (typeof header === 'string' || bytes.length > 0x7fff_ffff || bytes.byteOffset % 4 !== 0) return undefined
  if (header.type !== fileType.relocatable || header.machine !== machine.x86_64) return undefined
  const table = Number(header.sections.at)
  if (header.sections.entrySize !== sectionHeaderSize || table % 4 !== 0) return undefined
  if (table + sectionHeaderSize > bytes.length) return undefined
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
  const first = table >>> 2
  const sections = header.sections.count || words[first + headerWord.size]!
  const names = header.names === sectionIndex.extended ? words[first + headerWord.link]! : header.names
  if (table + sections * sectionHeaderSize > bytes.length || names >= sections) return undefined

  const namesHeader = first + names * headerWord.count
  const namesAt = words[namesHeader + headerWord.offset]!
  const namesEnd = namesAt + words[namesHeader + headerWord.size]!
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
  for (let index = 1; index < sections; index++) {
    const header = headers + index * headerWord.count
    const type = words[header + headerWord.type]!
    const offset = words[header + headerWord.offset]!
    const size = words[header + headerWord.size]!
    const named = words[header + headerWord.name]!
    const flag = words[header + headerWord.flags]!
    if (isBeyondWords(words, header)) return undefined
    if (named >= sectionNamesLength || size > 0x7fff_ffff) return undefined
    const inFile = type === nobits ? 0 : size
    if (inFile > 0 && offset + inFile > bytes.length) return undefined
    if (type === rela) {
      const target = words[header + headerWord.info]!
      if (target === 0 || target >= sections || relocations[target] !== 0) return undefined
      if ((flag & relaLivepatch) !== 0 || size % relaSize !== 0 || offset % 4 !== 0) return undefined
      relocations[target] = index
    } else if (type === symtab) {
      if (symbolTable !== 0) return undefined
      symbolTable = index
    } else if (type === symtabShndx) extended = index
    else if (type !== progbits && type !== nobits && type !== strtab && type !== note) return undefined
    types[index] = type
    flags[index] = flag
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
  const { count, name, type, flags, offset, link, info } = headerWord
  for (let index = 1; index < sections; index++) {
    const a = headers + index * count
    const b = like.headers + index * count
    if (words[a + name] !== other[b + name] || words[a + type] !== other[b + type]) return undefined
    if (words[a + flags] !== other[b + flags] || words[a + info] !== other[b + info]) return undefined
    if (words[a + link] !== other[b + link] || isBeyondWords(words, a)) return undefined
    const place = words[a + offset]!
    const inFile = words[a + type] === nobits ? 0 : words[a + headerWord.size]!
    if (inFile > 0 && place + inFile > size) return undefined
    at[index] = place
    length[index] = inFile
  }
  const found = { ...like, bytes, ...frame, at, length }
  const table = like.relocations
  for (let index = 1; index < sections; index++) {
    const own = table[index]!
    if (own !== 0 && (length[own]! % relaSize !== 0 || at[own]! % 4 !== 0)) return undefined
  }
  return likeSymbols(found, like)
}

function hasSameNames(bytes: Buffer, { sectionNames, sectionNamesLength }: Frame, like: Outline): boolean {
  const end = sectionNames + sectionNamesLength
  return (
    sectionNamesLength === like.sectionNamesLength &&
    bytes.compare(like.bytes, like.sectionNames, like.sectionNames + sectionNamesLength, sectionNames, end) === 0
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
  const { count, name, shared, value, size } = symbolWord
  for (let index = 0; index < found.symbols; index++) {
    const a = symbolTable + index * count
    const b = like.symbolTable + index * count
    if (words[a + name] !== other[b + name] || words[a + shared] !== other[b + shared]) return undefined
    if ((words[a + value + 1]! | words[a + size + 1]!) !== 0) return undefined
    if (words[a + value] !== other[b + value] || words[a + size] !== other[b + size]) moved.push(index)
  }
  return { ...found, symbolTable, symbolNames, like: { outline: like, moved } }
}

function outlineSymbols(
  bytes: Buffer,
  { words, sections, headers }: Frame,
  { type, at, length }: Pick<Outline, 'type' | 'at' | 'length'>,
  table: number,
  extended: number,
): Pick<Outline, 'symbols' | 'symbolTable' | 'symbolNames' | 'symbolNamesLength' | 'home' | 'tables'> | undefined {
  if (table === 0 || length[table]! % symbolSize !== 0 || at[table]! % 4 !== 0) return undefined
  const symbols = length[table]! / symbolSize
  const strings = words[headers + table * headerWord.count + headerWord.link]!
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
  const { count, name, shared: sharedWord, value, size } = symbolWord
  for (let index = 0; index < symbols; index++) {
    const word = symbolTable + index * count
    if (words[word + name]! >= namesLength) return undefined
    // No value and no size needs more than 32 bits.
    if ((words[word + value + 1]! | words[word + size + 1]!) !== 0) return undefined
    const shared = words[word + sharedWord]!
    const where = sectionIn(shared)
    if (where === none) home[index] = -1
    else if (where === absolute) home[index] = -2
    else {
      const section = where === extendedIndex && indices !== 0 ? words[indices + index]! : where
      if (section === 0 || section >= sections) return undefined
      const kind = type[section]
      if (kind !== progbits && kind !== nobits && kind !== note && typeIn(shared) !== ofSection) return undefined
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
