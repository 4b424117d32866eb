// SPDX-License-Identifier: GPL-3.0-or-later
// Takes the debug information out of an object that the compiler made. All else stays as it is, in its order; only the
// symbols of sections that nothing else refers to go, too, and what counts sections and symbols counts anew.
// Format: System V gABI, chapter 4 (Object Files).
import { isAllocated, sectionFlag, sectionIndex, sectionType } from './format.ts'
import { type ObjectFile, readObject, type Section } from './read.ts'
import {
  headerSize,
  headerWord,
  relaSize,
  relocationWord,
  sectionHeaderSize,
  sectionIn,
  symbolSize,
  symbolWord,
} from './structures.ts'

function isDebug(section: Section, all: readonly Section[]): boolean {
  const of = section.type === sectionType.rela ? all[section.info]! : section
  // clang's hint for a linker counts symbols, whose numbers change here.
  return !isAllocated(of) && /^(\.debug_|\.llvm_addrsig$)/.test(of.name)
}

/** The numbers that things have when some are gone. */
class Renumbering {
  readonly #numbers: number[] = []

  constructor(
    readonly things: readonly { readonly index: number }[],
    isGone: (index: number) => boolean,
  ) {
    let next = 0
    for (const { index } of things) this.#numbers.push(isGone(index) ? -1 : next++)
  }

  isGone(index: number): boolean {
    return this.#numbers[index] === -1
  }

  to(index: number): number {
    const number = this.#numbers[index] ?? -1
    if (number === -1) throw new Error('something that is no debug information refers to debug information')
    return number
  }

  /** How many of the first `count` stay. */
  staying(count: number): number {
    return this.#numbers.slice(0, count).filter((number) => number !== -1).length
  }
}

/**
 * @param bytes an object file
 * @returns the same bytes when it has no debug information
 * @throws Fault `patch/bad-object`
 */
export function withoutDebug(bytes: Buffer, name: string): Buffer {
  const object = readObject(bytes, name)
  const sections = new Renumbering(object.sections, (index) => isDebug(object.sections[index]!, object.sections))
  const kept = object.sections.filter(({ index }) => !sections.isGone(index))
  if (kept.length === object.sections.length) return bytes
  const needed = new Set(kept.flatMap(symbolsOf))
  const symbols = new Renumbering(object.symbols, (index) => {
    const { section, type } = object.symbols[index]!
    return section !== undefined && (sections.isGone(section.index) || (type === 'section' && !needed.has(index)))
  })

  const pieces: Buffer[] = [Buffer.from(bytes.subarray(0, headerSize))]
  let end = headerSize
  /** @returns where the bytes lie in the file */
  const append = (data: Buffer, align: number): number => {
    const gap = (align - (end % align)) % align
    pieces.push(Buffer.alloc(gap), data)
    end += gap + data.length
    return end - data.length
  }
  const headers = Buffer.alloc(kept.length * sectionHeaderSize)
  const table = bytes.readUIntLE(40, 6)
  kept.forEach((section, number) => {
    const header = headers.subarray(number * sectionHeaderSize)
    bytes.copy(header, 0, table + section.index * sectionHeaderSize, table + (section.index + 1) * sectionHeaderSize)
    if (number === 0) return
    const put = (word: number, value: number) => header.writeUInt32LE(value, word * 4)
    const data = counted(object, section, sections, symbols)
    put(headerWord.offset, append(data, Math.max(section.align, 1)))
    if (section.type !== sectionType.nobits) put(headerWord.size, data.length)
    put(headerWord.link, sections.to(section.link))
    put(headerWord.info, infoOf(section, sections, symbols))
  })

  const [head] = pieces
  const names = head!.readUInt16LE(62)
  const first = object.sections[0]!
  const put16 = (at: number, many: number, word: number) => {
    const fits = many < sectionIndex.loReserve
    // With too many, the real number stands in section header 0.
    head!.writeUInt16LE(fits ? many : word === headerWord.size ? 0 : sectionIndex.extended, at)
    headers.writeUInt32LE(fits ? 0 : many, word * 4)
  }
  put16(60, kept.length, headerWord.size)
  put16(62, sections.to(names === sectionIndex.extended ? first.link : names), headerWord.link)
  head!.writeUIntLE(append(headers, 8), 40, 6)
  return Buffer.concat(pieces)
}

/** The symbols, by number, to which a section refers. */
function symbolsOf({ type, data, info }: Section): number[] {
  if (type === sectionType.group) return [info]
  if (type !== sectionType.rela) return []
  const count = Math.floor(data.length / relaSize)
  return Array.from({ length: count }, (_, nth) => data.readUInt32LE(nth * relaSize + relocationWord.symbol * 4))
}

/** What a section header's `sh_info` says. */
function infoOf({ type, flags, info }: Section, sections: Renumbering, symbols: Renumbering): number {
  if (type === sectionType.rela || (flags & sectionFlag.infoLink) !== 0) return sections.to(info)
  if (type === sectionType.symtab) return symbols.staying(info)
  return type === sectionType.group ? symbols.to(info) : info
}

/** The bytes of a section, with the numbers of sections and symbols in them as they are now. */
function counted({ symbols: all }: ObjectFile, section: Section, sections: Renumbering, symbols: Renumbering): Buffer {
  const { type, data } = section
  const staying = all.filter(({ index }) => !symbols.isGone(index))
  const own = Buffer.from(data)
  const replaceEach = (from: number, step: number, numbers: Renumbering) => {
    for (let at = from; at < own.length; at += step) own.writeUInt32LE(numbers.to(own.readUInt32LE(at)), at)
  }
  switch (type) {
    case sectionType.rela:
      replaceEach(relocationWord.symbol * 4, relaSize, symbols)
      return own
    case sectionType.group:
      // The first word says what kind of group it is.
      replaceEach(4, 4, sections)
      return own
    case sectionType.symtabShndx:
      return Buffer.concat(
        staying.map(({ section: home }) => {
          const index = Buffer.alloc(4)
          const number = home === undefined ? 0 : sections.to(home.index)
          if (number >= sectionIndex.loReserve) index.writeUInt32LE(number)
          return index
        }),
      )
    case sectionType.symtab:
      return Buffer.concat(
        staying.map(({ index, section: home }) => {
          const entry = own.subarray(index * symbolSize, (index + 1) * symbolSize)
          if (home === undefined) return entry
          const number = sections.to(home.index)
          const shared = entry.readUInt32LE(symbolWord.shared * 4)
          const short = number < sectionIndex.loReserve ? number : sectionIndex.extended
          entry.writeUInt32LE(shared - sectionIn(shared) * 0x10000 + short * 0x10000, symbolWord.shared * 4)
          return entry
        }),
      )
    default:
      return own
  }
}
