// SPDX-License-Identifier: GPL-3.0-or-later
// Reads a relocatable x86-64 object. The result is a view: section data are slices of the file's own
// buffer, and a section's relocations are decoded when they are asked for. Every offset and index is
// checked here, once, so that the rooms behind can trust what they get.
// Format: System V gABI, chapter 4 (Object Files).
import { Fault } from '../ground/fault.ts'
import {
  bindings,
  fileType,
  foreignSymbol,
  machine,
  relocationSize,
  relocationType,
  type SymbolBinding,
  type SymbolType,
  sectionFlag,
  sectionIndex,
  sectionType,
  symbolTypes,
} from './format.ts'
import { namesOf } from './strings.ts'

export interface Section {
  readonly index: number
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly align: number
  /** Bytes of one entry in a table-like section, else 0. */
  readonly entrySize: number
  /** Bytes; larger than `data` only for sections without data in the file (NOBITS). */
  readonly size: number
  /** The section's bytes; empty for NOBITS. */
  readonly data: Buffer
  readonly link: number
  readonly info: number
}

export interface ElfSymbol {
  readonly index: number
  readonly name: string
  /** Offset in `section` for a defined symbol; bytes of alignment for a common one. */
  readonly value: number
  readonly size: number
  readonly binding: SymbolBinding
  readonly type: SymbolType
  /** st_other's visibility: 0 default, 2 hidden. */
  readonly visibility: number
  /** Where it is defined; undefined for undefined, absolute and common symbols. */
  readonly section: Section | undefined
  /** `livepatch`: the kernel's livepatch code resolves it (SHN_LIVEPATCH). */
  readonly place: 'section' | 'undefined' | 'absolute' | 'common' | 'livepatch'
}

export interface Relocation {
  /** Offset in the section that is relocated. */
  readonly offset: number
  readonly type: number
  readonly symbol: ElfSymbol
  readonly addend: number
}

export interface ObjectFile {
  readonly name: string
  readonly sections: readonly Section[]
  readonly symbols: readonly ElfSymbol[]
  /** A section's ordinary relocations, ordered by offset; empty when it has none. Decoded once. */
  relocations(section: Section): readonly Relocation[]
  /**
   * A section's relocations as they lie in the file, six words each (Elf64_Rela), neither checked nor ordered;
   * undefined when there is no such view. For a first look at many sections.
   */
  relocationWords(section: Section): Uint32Array | undefined
}

/** @returns those of `relocations`, ordered by offset, that lie in the bytes from `start` to `end` */
export function within<T extends { readonly offset: number }>(
  relocations: readonly T[],
  start: number,
  end: number,
): readonly T[] {
  const { length } = relocations
  if (length === 0) return relocations
  const first = firstFrom(relocations, start)
  const behind = firstFrom(relocations, end)
  return first === 0 && behind === length ? relocations : relocations.slice(first, behind)
}

/** The index of the first relocation at `offset` or behind. */
function firstFrom(relocations: readonly { readonly offset: number }[], offset: number): number {
  let [low, high] = [0, relocations.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((relocations[middle]?.offset ?? 0) < offset) low = middle + 1
    else high = middle
  }
  return low
}

const headerSize = 64
const sectionHeaderSize = 64
const symbolSize = 24
const relaSize = 24
/** Bytes; the kernel's own largest is a huge page. */
const largestAlignment = 2 ** 22
/** A distance is at most half of the address space; the kernel's is 2^47 wide. */
const largestAddend = 2 ** 48
/** A number of bytes that something in memory can have. */
const largestSize = Number.MAX_SAFE_INTEGER / 4

const noWords = new Uint32Array(0)

/** Makes the error that refuses the object. */
export type Bad = (why: string) => Fault

/**
 * The 32-bit words of a part of a file. Tables are aligned in every object that a compiler made, and are
 * seen as they lie there; one that is not is copied. (The processor must be little-endian, like the file.)
 */
function wordsOf(bytes: Buffer, at: number, size: number): Uint32Array {
  const start = bytes.byteOffset + at
  if (start % 4 === 0) return new Uint32Array(bytes.buffer, start, size >>> 2)
  return new Uint32Array(Uint8Array.from(bytes.subarray(at, at + size - (size % 4))).buffer)
}

/** An unsigned 64-bit number at a word; above 2^53 it is not exact, and refused by who asks. */
function u64(words: Uint32Array, word: number): number {
  return words[word]! + words[word + 1]! * 0x1_0000_0000
}

function i64(words: Uint32Array, word: number): number {
  return words[word]! + (words[word + 1]! | 0) * 0x1_0000_0000
}

/** A section as it lies in the file; half of all sections are relocations, whose bytes nobody asks for. */
class SectionView implements Section {
  private bytes: Buffer | undefined

  constructor(
    readonly index: number,
    readonly name: string,
    readonly type: number,
    readonly flags: number,
    readonly align: number,
    readonly entrySize: number,
    readonly size: number,
    readonly link: number,
    readonly info: number,
    private readonly file: Buffer,
    /** In the file; checked. */
    readonly at: number,
    /** Bytes in the file. */
    readonly length: number,
  ) {}

  get data(): Buffer {
    this.bytes ??= this.file.subarray(this.at, this.at + this.length)
    return this.bytes
  }
}

function readSections(bytes: Buffer, bad: Bad): SectionView[] {
  const tableOffset = bytes.readUInt32LE(40) + bytes.readUInt32LE(44) * 0x1_0000_0000
  const outside = 'its section headers lie outside the file'
  if (bytes.readUInt16LE(58) !== sectionHeaderSize) throw bad('its section headers have an unknown size')
  if (tableOffset + sectionHeaderSize > bytes.length) throw bad(outside)
  // With 0xff00 sections or more, the real counts stand in section header 0.
  const first = wordsOf(bytes, tableOffset, sectionHeaderSize)
  const count = bytes.readUInt16LE(60) || u64(first, 8)
  let nameTable = bytes.readUInt16LE(62)
  if (nameTable === sectionIndex.extended) nameTable = first[10]!
  if (tableOffset + count * sectionHeaderSize > bytes.length) throw bad(outside)
  if (nameTable >= count) throw bad('its section name table does not exist')

  const words = wordsOf(bytes, tableOffset, count * sectionHeaderSize)
  const sizeOf = (index: number): number => (index === 0 ? 0 : u64(words, index * 16 + 8))
  const lengthOf = (index: number): number =>
    words[index * 16 + 1] === sectionType.nobits ? 0 : sizeOf(index)
  const placeOf = (index: number): number => (lengthOf(index) === 0 ? 0 : u64(words, index * 16 + 6))
  let total = 0
  for (let index = 0; index < count; index++) {
    if (placeOf(index) + lengthOf(index) > bytes.length) throw bad(`section ${index} lies outside the file`)
    total += lengthOf(index)
  }
  // gABI: no byte resides in more than one. So what is done with each section costs no more than the file is long.
  if (total > bytes.length) throw bad('its sections lie on one another')

  const at = placeOf(nameTable)
  const nameAt = namesOf(bytes.subarray(at, at + lengthOf(nameTable)), bad)
  const sections: SectionView[] = []
  for (let index = 0; index < count; index++) {
    const header = index * 16
    const flags = u64(words, header + 2)
    const align = u64(words, header + 12)
    const entrySize = u64(words, header + 14)
    const size = sizeOf(index)
    if (align > largestAlignment || (align & (align - 1)) !== 0)
      throw bad(`section ${index} has an impossible alignment`)
    if (flags > 0xffff_ffff) throw bad(`section ${index} has unknown flags`)
    if (size > largestSize) throw bad(`section ${index} is impossibly large`)
    if (entrySize > largestSize) throw bad(`an entry of section ${index} is impossibly large`)
    const [name, type, link, info] = [
      words[header]!,
      words[header + 1]!,
      words[header + 10]!,
      words[header + 11]!,
    ]
    sections.push(
      new SectionView(
        ...([index, nameAt(name), type, flags, align, entrySize, size, link, info] as const),
        ...([bytes, placeOf(index), lengthOf(index)] as const),
      ),
    )
  }
  return sections
}

/** Where the symbol's section index leads, which may stand in a table of its own. */
function placeOfSymbol(where: number): ElfSymbol['place'] | undefined {
  switch (where) {
    case sectionIndex.undefined:
      return 'undefined'
    case sectionIndex.absolute:
      return 'absolute'
    case sectionIndex.common:
      return 'common'
    case sectionIndex.livepatch:
      return 'livepatch'
    case sectionIndex.extended:
      return 'section'
    default:
      return where >= sectionIndex.loReserve ? undefined : 'section'
  }
}

function readSymbols(
  bytes: Buffer,
  sections: readonly SectionView[],
  table: SectionView,
  bad: Bad,
): ElfSymbol[] {
  const names = sections[table.link]
  if (names === undefined || names.type !== sectionType.strtab) throw bad('its symbols have no names')
  const nameAt = namesOf(names.data, bad)
  const indices = sections.find(({ type, link }) => type === sectionType.symtabShndx && link === table.index)
  const extended =
    indices === undefined
      ? new Uint32Array()
      : wordsOf(bytes, indices.at, indices.length - (indices.length % 4))
  const count = Math.floor(table.length / symbolSize)
  const words = wordsOf(bytes, table.at, count * symbolSize)
  const symbols: ElfSymbol[] = []
  for (let index = 0; index < count; index++) {
    const at = index * 6
    // st_info, st_other and st_shndx share a word.
    const shared = words[at + 1]!
    const binding = bindings[(shared >>> 4) & 0xf]
    const type = symbolTypes[shared & 0xf]
    if (binding === undefined || type === undefined)
      throw bad(`symbol ${index}, ${nameAt(words[at]!)}, ${foreignSymbol(shared & 0xff)}`)
    const where = shared >>> 16
    const place = placeOfSymbol(where)
    if (place === undefined) throw bad(`symbol ${index} has a reserved section`)
    const section =
      place === 'section'
        ? sections[where === sectionIndex.extended ? (extended[index] ?? -1) : where]
        : undefined
    if (place === 'section' && section === undefined) throw bad(`symbol ${index} has no section`)
    const value = u64(words, at + 2)
    const size = u64(words, at + 4)
    if (value > largestSize || size > largestSize) throw bad(`symbol ${index} is impossibly large`)
    if (section !== undefined && value + (type === 'none' ? 0 : size) > section.size)
      throw bad(`symbol ${index} reaches beyond its section`)
    symbols.push({
      index,
      name: type === 'section' ? (section?.name ?? '') : nameAt(words[at]!),
      value,
      size,
      binding,
      type,
      visibility: (shared >>> 8) & 3,
      section,
      place,
    })
  }
  return symbols
}

/** The section of ordinary relocations that each section has. */
function readRelocationSections(sections: readonly SectionView[], symbols: number, bad: Bad) {
  const found: (SectionView | undefined)[] = new Array(sections.length)
  for (const section of sections) {
    if (section.type === sectionType.rel) throw bad('it has relocations without addends')
    // Livepatch relocations come on top of a section's ordinary ones.
    if (section.type !== sectionType.rela || (section.flags & sectionFlag.relaLivepatch) !== 0) continue
    if (section.info === 0 || section.info >= sections.length)
      throw bad(`relocations of section ${section.info} are lost`)
    if (found[section.info] !== undefined) throw bad('a section is relocated twice')
    if (section.link !== symbols) throw bad('relocations have no symbols')
    found[section.info] = section
  }
  return found
}

/**
 * @param words relocations of six words each (Elf64_Rela)
 * @param symbolAt the symbol of an index; undefined when there is none
 * @returns the relocations, ordered by offset
 */
export function decodeRelocations(
  words: Uint32Array,
  section: Section,
  symbolAt: (index: number) => ElfSymbol | undefined,
  bad: Bad,
): Relocation[] {
  const length = section.type === sectionType.nobits ? 0 : section.size
  const list: Relocation[] = []
  let sorted = true
  let last = -1
  for (let at = 0; at + 6 <= words.length; at += 6) {
    const offset = u64(words, at)
    const type = words[at + 2]!
    const symbol = symbolAt(words[at + 3]!)
    const addend = i64(words, at + 4)
    if (symbol === undefined || offset + Math.max(relocationSize(type), 1) > length)
      throw bad(`relocation ${at / 6} of ${section.name} points nowhere`)
    if (Math.abs(addend) > largestAddend)
      throw bad(`relocation ${at / 6} of ${section.name} leads impossibly far`)
    // What objtool leaves of a jump that it made a nop of: no reference any more.
    if (type === relocationType.none) continue
    list.push({ offset, type, symbol, addend })
    if (offset < last) sorted = false
    last = offset
  }
  if (!sorted) list.sort((a, b) => a.offset - b.offset)
  return list
}

/** @param name what to call the object */
export function refuser(name: string): Bad {
  return (why) => new Fault('patch', 'bad-object', `${name} is not a usable object file: ${why}`)
}

/**
 * @param bytes the object file; kept and shared, must not be changed afterwards
 * @param name what to call it in messages
 * @throws Fault `patch/bad-object` when it is not a well-formed relocatable x86-64 object
 */
export function readObject(bytes: Buffer, name: string): ObjectFile {
  const bad = refuser(name)
  if (bytes.length < headerSize || bytes.readUInt32BE(0) !== 0x7f454c46) throw bad('it is not an ELF file')
  if (bytes[4] !== 2 || bytes[5] !== 1) throw bad('it is not a little-endian 64-bit ELF file')
  if (bytes.readUInt16LE(16) !== fileType.relocatable) throw bad('it is not relocatable')
  if (bytes.readUInt16LE(18) !== machine.x86_64) throw bad('it is not for x86-64')

  const sections = readSections(bytes, bad)
  const symbolTable = sections.find(({ type }) => type === sectionType.symtab)
  const symbols = symbolTable === undefined ? [] : readSymbols(bytes, sections, symbolTable, bad)
  const relocationSections = readRelocationSections(sections, symbolTable?.index ?? 0, bad)
  const decoded: (Relocation[] | undefined)[] = new Array(sections.length)
  const none: readonly Relocation[] = []
  return {
    name,
    sections,
    symbols,
    relocations(section) {
      const known = decoded[section.index]
      if (known !== undefined) return known
      const table = relocationSections[section.index]
      if (table === undefined) return none
      const words = wordsOf(bytes, table.at, Math.floor(table.length / relaSize) * relaSize)
      const list = decodeRelocations(words, section, (index) => symbols[index], bad)
      decoded[section.index] = list
      return list
    },
    relocationWords(section) {
      const table = relocationSections[section.index]
      if (table === undefined) return noWords
      return wordsOf(bytes, table.at, Math.floor(table.length / relaSize) * relaSize)
    },
  }
}
