// SPDX-License-Identifier: GPL-3.0-or-later
// Reads a relocatable x86-64 object. The result is a view: section data are slices of the file's own
// buffer, and a section's relocations are decoded when they are asked for. Every offset and index is
// checked here, once, so that the rooms behind can trust what they get.
// Format: System V gABI, chapter 4 (Object Files).
import { Fault } from '../ground/fault.ts'
import {
  fileType,
  machine,
  relocationSize,
  type SymbolBinding,
  type SymbolType,
  sectionFlag,
  sectionIndex,
  sectionType,
} from './format.ts'

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
}

/** @returns those of `relocations`, ordered by offset, that lie in the bytes from `start` to `end` */
export function within(
  relocations: readonly Relocation[],
  start: number,
  end: number,
): readonly Relocation[] {
  const { length } = relocations
  if (length === 0) return relocations
  const first = firstFrom(relocations, start)
  const behind = firstFrom(relocations, end)
  return first === 0 && behind === length ? relocations : relocations.slice(first, behind)
}

/** The index of the first relocation at `offset` or behind. */
function firstFrom(relocations: readonly Relocation[], offset: number): number {
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

const bindings: readonly (SymbolBinding | undefined)[] = ['local', 'global', 'weak']
const types: readonly (SymbolType | undefined)[] = ['none', 'object', 'function', 'section', 'file']

function u64(buffer: Buffer, offset: number): number {
  return buffer.readUInt32LE(offset) + buffer.readUInt32LE(offset + 4) * 0x1_0000_0000
}

function i64(buffer: Buffer, offset: number): number {
  return buffer.readUInt32LE(offset) + buffer.readInt32LE(offset + 4) * 0x1_0000_0000
}

/**
 * @param bytes the object file; kept and shared, must not be changed afterwards
 * @param name what to call it in messages
 * @throws Fault `patch/bad-object` when it is not a well-formed relocatable x86-64 object
 */
export function readObject(bytes: Buffer, name: string): ObjectFile {
  const bad = (why: string) => new Fault('patch', 'bad-object', `${name} is not a usable object file: ${why}`)
  if (bytes.length < headerSize || bytes.readUInt32BE(0) !== 0x7f454c46) throw bad('it is not an ELF file')
  if (bytes[4] !== 2 || bytes[5] !== 1) throw bad('it is not a little-endian 64-bit ELF file')
  if (bytes.readUInt16LE(16) !== fileType.relocatable) throw bad('it is not relocatable')
  if (bytes.readUInt16LE(18) !== machine.x86_64) throw bad('it is not for x86-64')

  const tableOffset = u64(bytes, 40)
  if (bytes.readUInt16LE(58) !== sectionHeaderSize) throw bad('its section headers have an unknown size')
  if (tableOffset + sectionHeaderSize > bytes.length) throw bad('its section headers lie outside the file')
  // With 0xff00 sections or more, the real counts stand in section header 0.
  const count = bytes.readUInt16LE(60) || u64(bytes, tableOffset + 32)
  let nameTableIndex = bytes.readUInt16LE(62)
  if (nameTableIndex === sectionIndex.extended) nameTableIndex = bytes.readUInt32LE(tableOffset + 40)
  if (tableOffset + count * sectionHeaderSize > bytes.length)
    throw bad('its section headers lie outside the file')
  if (nameTableIndex >= count) throw bad('its section name table does not exist')

  const dataOf = (index: number): Buffer => {
    const header = tableOffset + index * sectionHeaderSize
    if (bytes.readUInt32LE(header + 4) === sectionType.nobits) return bytes.subarray(0, 0)
    const offset = u64(bytes, header + 24)
    const size = u64(bytes, header + 32)
    if (index !== 0 && offset + size > bytes.length) throw bad(`section ${index} lies outside the file`)
    return index === 0 ? bytes.subarray(0, 0) : bytes.subarray(offset, offset + size)
  }
  const stringAt = (table: Buffer, offset: number): string => {
    if (offset === 0) return ''
    const end = offset < table.length ? table.indexOf(0, offset) : -1
    if (end < 0) throw bad('a name lies outside its string table')
    return table.toString('latin1', offset, end)
  }

  /** A number of bytes that something in memory can have. */
  const checked = (value: number, what: string): number => {
    if (value > Number.MAX_SAFE_INTEGER / 4) throw bad(`${what} is impossibly large`)
    return value
  }

  const sectionNames = dataOf(nameTableIndex)
  const sections: Section[] = new Array(count)
  for (let index = 0; index < count; index++) {
    const header = tableOffset + index * sectionHeaderSize
    const align = u64(bytes, header + 48)
    if (align > largestAlignment || !Number.isInteger(Math.log2(Math.max(align, 1))))
      throw bad(`section ${index} has an impossible alignment`)
    const flags = u64(bytes, header + 8)
    if (flags > 0xffff_ffff) throw bad(`section ${index} has unknown flags`)
    sections[index] = {
      index,
      name: stringAt(sectionNames, bytes.readUInt32LE(header)),
      type: bytes.readUInt32LE(header + 4),
      flags,
      size: index === 0 ? 0 : checked(u64(bytes, header + 32), `section ${index}`),
      data: dataOf(index),
      link: bytes.readUInt32LE(header + 40),
      info: bytes.readUInt32LE(header + 44),
      align,
      entrySize: checked(u64(bytes, header + 56), `an entry of section ${index}`),
    }
  }

  const symbolTable = sections.find((section) => section.type === sectionType.symtab)
  const symbols: ElfSymbol[] = []
  if (symbolTable !== undefined) {
    const names = sections[symbolTable.link]
    if (names === undefined || names.type !== sectionType.strtab) throw bad('its symbols have no names')
    const extended = sections.find(
      (section) => section.type === sectionType.symtabShndx && section.link === symbolTable.index,
    )?.data
    const { data } = symbolTable
    const symbolCount = Math.floor(data.length / symbolSize)
    for (let index = 0; index < symbolCount; index++) {
      const at = index * symbolSize
      const info = data.readUInt8(at + 4)
      const binding = bindings[info >> 4]
      const type = types[info & 0xf]
      if (binding === undefined || type === undefined)
        throw bad(`symbol ${index} has an unknown binding or type`)
      let where = data.readUInt16LE(at + 6)
      let place: ElfSymbol['place'] = 'section'
      if (where === sectionIndex.undefined) place = 'undefined'
      else if (where === sectionIndex.absolute) place = 'absolute'
      else if (where === sectionIndex.common) place = 'common'
      else if (where === sectionIndex.livepatch) place = 'livepatch'
      else if (where === sectionIndex.extended) {
        if (extended === undefined || index * 4 + 4 > extended.length)
          throw bad(`symbol ${index} has no section`)
        where = extended.readUInt32LE(index * 4)
      } else if (where >= sectionIndex.loReserve) throw bad(`symbol ${index} has a reserved section`)
      const section = place === 'section' ? sections[where] : undefined
      if (place === 'section' && section === undefined) throw bad(`symbol ${index} has no section`)
      const value = checked(u64(data, at + 8), `symbol ${index}`)
      const size = checked(u64(data, at + 16), `symbol ${index}`)
      if (section !== undefined && value + (type === 'none' ? 0 : size) > section.size)
        throw bad(`symbol ${index} reaches beyond its section`)
      symbols.push({
        index,
        name: type === 'section' ? (section?.name ?? '') : stringAt(names.data, data.readUInt32LE(at)),
        value,
        size,
        binding,
        type,
        visibility: data.readUInt8(at + 5) & 3,
        section,
        place,
      })
    }
  }

  const relocationSections: (Section | undefined)[] = new Array(count)
  for (const section of sections) {
    if (section.type === sectionType.rel) throw bad('it has relocations without addends')
    // Livepatch relocations come on top of a section's ordinary ones.
    if (section.type !== sectionType.rela || (section.flags & sectionFlag.relaLivepatch) !== 0) continue
    if (section.info === 0 || section.info >= count)
      throw bad(`relocations of section ${section.info} are lost`)
    if (relocationSections[section.info] !== undefined) throw bad('a section is relocated twice')
    if (section.link !== symbolTable?.index) throw bad('relocations have no symbols')
    relocationSections[section.info] = section
  }

  const decoded: (Relocation[] | undefined)[] = new Array(count)
  const none: readonly Relocation[] = []
  return {
    name,
    sections,
    symbols,
    relocations(section) {
      const table = relocationSections[section.index]
      if (table === undefined) return none
      const known = decoded[section.index]
      if (known !== undefined) return known
      const { data } = table
      const list: Relocation[] = new Array(Math.floor(data.length / relaSize))
      let sorted = true
      let last = -1
      for (let index = 0; index < list.length; index++) {
        const at = index * relaSize
        const offset = u64(data, at)
        const symbol = symbols[data.readUInt32LE(at + 12)]
        const type = data.readUInt32LE(at + 8)
        const addend = i64(data, at + 16)
        if (symbol === undefined || offset + Math.max(relocationSize(type), 1) > section.data.length)
          throw bad(`relocation ${index} of ${section.name} points nowhere`)
        if (Math.abs(addend) > largestAddend)
          throw bad(`relocation ${index} of ${section.name} leads impossibly far`)
        list[index] = { offset, type, symbol, addend }
        if (offset < last) sorted = false
        last = offset
      }
      if (!sorted) list.sort((a, b) => a.offset - b.offset)
      decoded[section.index] = list
      return list
    },
  }
}
