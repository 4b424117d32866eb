// SPDX-License-Identifier: GPL-3.0-or-later
// Reads a relocatable x86-64 object. The result is a view: section data are slices of the file's own
// buffer, and a section's relocations are decoded when they are asked for. Every offset and index is
// checked here, once, so that the rooms behind can trust what they get.
// Format: System V gABI, chapter 4 (Object Files).
import { Fault } from '../ground/fault.ts'
import { countInFront } from '../ground/values/sorted.ts'
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
import {
  bindingIn,
  type FileHeader,
  headerWord,
  i64,
  readFileHeader,
  relaSize,
  relocationWord,
  sectionHeaderSize,
  sectionIn,
  symbolSize,
  symbolWord,
  typeIn,
  u64,
  visibilityIn,
  wordsOf,
} from './structures.ts'

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
   * A section's relocations as they lie in the file (`relocationWord`), neither checked nor ordered; undefined when
   * there is no such view. For a first look at many sections.
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
  const firstFrom = (place: number) => countInFront(length, (index) => relocations[index]!.offset < place)
  const [first, behind] = [firstFrom(start), firstFrom(end)]
  return first === 0 && behind === length ? relocations : relocations.slice(first, behind)
}

/** Bytes; the kernel's own largest is a huge page. */
const largestAlignment = 2 ** 22
/** A distance is at most half of the address space; the kernel's is 2^47 wide. */
const largestAddend = 2 ** 48
/** A number of bytes that something in memory can have. */
const largestSize = Number.MAX_SAFE_INTEGER / 4

const noWords = new Uint32Array(0)

/** Makes the error that refuses the object. */
export type Bad = (why: string) => Fault

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

function readSections(bytes: Buffer, { sections: table, names }: FileHeader, bad: Bad): SectionView[] {
  const tableOffset = Number(table.at)
  const outside = 'its section headers lie outside the file'
  if (table.entrySize !== sectionHeaderSize) throw bad('its section headers have an unknown size')
  if (tableOffset + sectionHeaderSize > bytes.length) throw bad(outside)
  // With 0xff00 sections or more, the real counts stand in section header 0.
  const first = wordsOf(bytes, tableOffset, sectionHeaderSize)
  const count = table.count || u64(first, headerWord.size)
  const nameTable = names === sectionIndex.extended ? first[headerWord.link]! : names
  if (tableOffset + count * sectionHeaderSize > bytes.length) throw bad(outside)
  if (nameTable >= count) throw bad('its section name table does not exist')

  const words = wordsOf(bytes, tableOffset, count * sectionHeaderSize)
  const sizeOf = (index: number): number => (index === 0 ? 0 : u64(words, index * headerWord.count + headerWord.size))
  const lengthOf = (index: number): number =>
    words[index * headerWord.count + headerWord.type] === sectionType.nobits ? 0 : sizeOf(index)
  const placeOf = (index: number): number =>
    lengthOf(index) === 0 ? 0 : u64(words, index * headerWord.count + headerWord.offset)
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
    const header = index * headerWord.count
    const flags = u64(words, header + headerWord.flags)
    const align = u64(words, header + headerWord.align)
    const entrySize = u64(words, header + headerWord.entrySize)
    const size = sizeOf(index)
    if (align > largestAlignment || (align & (align - 1)) !== 0)
      throw bad(`section ${index} has an impossible alignment`)
    if (flags > 0xffff_ffff) throw bad(`section ${index} has unknown flags`)
    if (size > largestSize) throw bad(`section ${index} is impossibly large`)
    if (entrySize > largestSize) throw bad(`an entry of section ${index} is impossibly large`)
    const name = words[header + headerWord.name]!
    const type = words[header + headerWord.type]!
    const link = words[header + headerWord.link]!
    const info = words[header + headerWord.info]!
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

function readSymbols(bytes: Buffer, sections: readonly SectionView[], table: SectionView, bad: Bad): ElfSymbol[] {
  const names = sections[table.link]
  if (names === undefined || names.type !== sectionType.strtab) throw bad('its symbols have no names')
  const nameAt = namesOf(names.data, bad)
  const indices = sections.find(({ type, link }) => type === sectionType.symtabShndx && link === table.index)
  const extended =
    indices === undefined ? new Uint32Array() : wordsOf(bytes, indices.at, indices.length - (indices.length % 4))
  const count = Math.floor(table.length / symbolSize)
  const words = wordsOf(bytes, table.at, count * symbolSize)
  const symbols: ElfSymbol[] = []
  for (let index = 0; index < count; index++) {
    const at = index * symbolWord.count
    const shared = words[at + symbolWord.shared]!
    const binding = bindings[bindingIn(shared)]
    const type = symbolTypes[typeIn(shared)]
    if (binding === undefined || type === undefined)
      throw bad(`symbol ${index}, ${nameAt(words[at + symbolWord.name]!)}, ${foreignSymbol(shared & 0xff)}`)
    const where = sectionIn(shared)
    const place = placeOfSymbol(where)
    if (place === undefined) throw bad(`symbol ${index} has a reserved section`)
    const section =
      place === 'section' ? sections[where === sectionIndex.extended ? (extended[index] ?? -1) : where] : undefined
    if (place === 'section' && section === undefined) throw bad(`symbol ${index} has no section`)
    const value = u64(words, at + symbolWord.value)
    const size = u64(words, at + symbolWord.size)
    if (value > largestSize || size > largestSize) throw bad(`symbol ${index} is impossibly large`)
    if (section !== undefined && value + (type === 'none' ? 0 : size) > section.size)
      throw bad(`symbol ${index} reaches beyond its section`)
    symbols.push({
      index,
      name: type === 'section' ? (section?.name ?? '') : nameAt(words[at + symbolWord.name]!),
      value,
      size,
      binding,
      type,
      visibility: visibilityIn(shared),
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
 * @param words relocations (Elf64_Rela)
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
  const { count } = relocationWord
  for (let at = 0; at + count <= words.length; at += count) {
    const offset = u64(words, at + relocationWord.offset)
    const type = words[at + relocationWord.type]!
    const symbol = symbolAt(words[at + relocationWord.symbol]!)
    const addend = i64(words, at + relocationWord.addend)
    if (symbol === undefined || offset + Math.max(relocationSize(type), 1) > length)
      throw bad(`relocation ${at / count} of ${section.name} points nowhere`)
    if (Math.abs(addend) > largestAddend) throw bad(`relocation ${at / count} of ${section.name} leads impossibly far`)
    // What objtool leaves of a jump that it made a nop of: no reference any more.
    if (type === relocationType.none) continue
    list.push({ offset, type, symbol, addend })
    if (offset < last) sorted = false
    last = offset
  }
  if (!sorted) list.sort((a, b) => a.offset - b.offset)
  return list
}

/** Of a table of relocations that are no section's ordinary ones, such as those that livepatch applies: unchecked. */
export function relocationEntries({ data }: Section): {
  readonly offset: number
  readonly type: number
  /** The symbol's index. */
  readonly symbol: number
  readonly addend: number
}[] {
  const count = Math.floor(data.length / relaSize)
  const words = wordsOf(data, 0, count * relaSize)
  return Array.from({ length: count }, (_, index) => {
    const at = index * relocationWord.count
    return {
      offset: u64(words, at + relocationWord.offset),
      type: words[at + relocationWord.type]!,
      symbol: words[at + relocationWord.symbol]!,
      addend: i64(words, at + relocationWord.addend),
    }
  })
}

/** @param name what to call the object */
export function refuser(name: string): Bad {
  return (why) => new Fault('patch', 'bad-object', `${name} is not a usable object file: ${why}`)
}

/**
 * @param bytes the object file; kept and shared, must not be changed afterwards
 * @param name what to call it in messages
 * @throws what `bad` makes, Fault `patch/bad-object`, when it is not a well-formed relocatable x86-64 object
 */
export function readObject(bytes: Buffer, name: string, bad: Bad = refuser(name)): ObjectFile {
  const header = readFileHeader(bytes)
  if (typeof header === 'string') throw bad(header)
  if (header.type !== fileType.relocatable) throw bad('it is not relocatable')
  if (header.machine !== machine.x86_64) throw bad('it is not for x86-64')

  const sections = readSections(bytes, header, bad)
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
