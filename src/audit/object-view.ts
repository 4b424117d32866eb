// SPDX-License-Identifier: GPL-3.0-or-later
// An object as the audit sees it: bytes, symbols and places, and where each relocation leads. It is a second reader of
// what src/diff/anatomy.ts reads, on purpose simpler, and shares nothing with it but the ELF reader and the decoder.
import { isPcRelative, relocationType, sectionFlag, sectionType } from '../elf/format.ts'
import {
  decodeRelocations,
  type ElfSymbol,
  type ObjectFile,
  type Relocation,
  readObject,
  refuser,
  type Section,
  within,
} from '../elf/read.ts'
import { decodeInstruction } from '../match/decode.ts'

/** A byte of an object. */
export interface Place {
  readonly section: Section
  readonly offset: number
}

/** Where a relocation leads; offsets are what the processor adds to the symbol. */
export type Target =
  | { readonly kind: 'place'; readonly place: Place; readonly symbol: ElfSymbol }
  | { readonly kind: 'outside'; readonly symbol: ElfSymbol; readonly offset: number }
  | { readonly kind: 'number'; readonly value: number }

/** Bytes that belong together: what a symbol names, a string, a constant. */
export interface Extent {
  readonly section: Section
  readonly start: number
  readonly end: number
  readonly symbol?: ElfSymbol
}

export interface ObjectView {
  readonly object: ObjectFile
  /** All relocations of a range, also those that livepatch applies, ordered by offset. */
  relocations(extent: Extent): readonly Relocation[]
  target(section: Section, relocation: Relocation): Target
  /** What a place may belong to: more than one where it lies between two things. */
  extentsAt(place: Place, symbol?: ElfSymbol): readonly Extent[]
  /** Functions and data with a name from the source, in their sections. */
  readonly named: readonly Extent[]
  /** Other names of the same extent. */
  namesOf(extent: Extent): readonly string[]
}

export function isCode({ flags }: Section): boolean {
  return (flags & sectionFlag.exec) !== 0
}

export function isFunction({ symbol, section }: Extent): boolean {
  return symbol !== undefined && symbol.type === 'function' && isCode(section)
}

export function isAllocated({ flags }: Section): boolean {
  return (flags & sectionFlag.alloc) !== 0
}

export function isWritable({ flags }: Section): boolean {
  return (flags & sectionFlag.write) !== 0
}

/** What the kernel frees when it, or the module, has started. */
export function isFreed({ name }: Pick<Section, 'name'>): boolean {
  return /^\.(init|meminit)\b|^\.exit\b/.test(name)
}

export function isString({ flags }: Section): boolean {
  return (flags & sectionFlag.strings) !== 0
}

/** The sections of the kernel's own relocations (SHF_RELA_LIVEPATCH), by the section that they are about. */
function livepatchRelocations(object: ObjectFile): Map<number, Relocation[]> {
  const found = new Map<number, Relocation[]>()
  for (const table of object.sections) {
    const { type, flags, info, data } = table
    const section = object.sections[info]
    if (type !== sectionType.rela || (flags & sectionFlag.relaLivepatch) === 0 || section === undefined)
      continue
    const words = new Uint32Array(Uint8Array.from(data).buffer)
    const list = decodeRelocations(words, section, (index) => object.symbols[index], refuser(object.name))
    found.set(info, [...(found.get(info) ?? []), ...list])
  }
  return found
}

/** @throws Fault `patch/bad-object` */
export function viewOf(bytes: Buffer | ObjectFile, name: string): ObjectView {
  const object = Buffer.isBuffer(bytes) ? readObject(bytes, name) : bytes
  const later = livepatchRelocations(object)
  const merged = new Map<Section, readonly Relocation[]>()
  const bySection = new Map<Section, Extent[]>()
  const named: Extent[] = []
  for (const symbol of object.symbols) {
    const { section, type, size, value } = symbol
    if (section === undefined || type === 'section' || type === 'file' || symbol.name.startsWith('.L'))
      continue
    const extent = { section, start: value, end: value + size, symbol }
    const list = bySection.get(section) ?? []
    bySection.set(section, list)
    list.push(extent)
    if (type !== 'none') named.push(extent)
  }
  for (const list of bySection.values()) list.sort((a, b) => a.start - b.start || b.end - a.end)

  const all = (section: Section): readonly Relocation[] => {
    const known = merged.get(section)
    if (known !== undefined) return known
    const own = object.relocations(section).filter(({ type }) => type !== relocationType.none)
    const more = later.get(section.index) ?? []
    const list = more.length === 0 ? own : [...own, ...more].sort((a, b) => a.offset - b.offset)
    merged.set(section, list)
    return list
  }

  /** For each field of a section's code, where its instruction ends. */
  const ends = new Map<Section, Map<number, number>>()
  const endOf = (section: Section, field: number): number => {
    let known = ends.get(section)
    if (known === undefined) {
      known = new Map()
      ends.set(section, known)
      const starts = [0, ...(bySection.get(section) ?? []).map(({ start }) => start)]
      const fields = all(section)
      for (let [index, at] = [0, 0]; index < fields.length; ) {
        const offset = fields[index]!.offset
        // A function begins anew, whatever stands in front of it.
        const begin = starts.findLast((start) => start <= offset) ?? 0
        if (begin > at) at = begin
        const instruction = decodeInstruction(section.data, at)
        if (instruction === undefined || instruction.end > offset) {
          if (instruction !== undefined) known.set(offset, instruction.end)
          index++
        } else at = instruction.end
      }
    }
    return known.get(field) ?? field + 4
  }

  return {
    object,
    named,
    relocations: ({ section, start, end }) => within(all(section), start, end),
    namesOf: ({ section, start, symbol }) =>
      (bySection.get(section) ?? []).flatMap((one) =>
        one.start === start && one.symbol?.type === symbol?.type ? (one.symbol?.name ?? []) : [],
      ),
    target(section, { offset, type, symbol, addend }) {
      const counts = isPcRelative(type)
      const more = !counts ? 0 : isCode(section) ? endOf(section, offset) - offset : 0
      if (symbol.place === 'absolute' || symbol.index === 0)
        return { kind: 'number', value: symbol.value + addend + more }
      if (symbol.section === undefined) return { kind: 'outside', symbol, offset: addend + more }
      return {
        kind: 'place',
        symbol,
        place: { section: symbol.section, offset: symbol.value + addend + more },
      }
    },
    extentsAt({ section, offset }, symbol) {
      const list = bySection.get(section) ?? []
      if (symbol !== undefined && symbol.type !== 'section' && !symbol.name.startsWith('.L')) {
        const { value, size } = symbol
        const own = list.find((one) => one.start === value && one.symbol?.type !== 'none')
        return [own ?? { section, start: value, end: value + size, symbol }]
      }
      if (isString(section)) {
        const width = Math.max(1, section.entrySize)
        let end = offset
        while (
          end + width <= section.size &&
          section.data.subarray(end, end + width).some((byte) => byte !== 0)
        )
          end += width
        return [{ section, start: offset, end: Math.min(end + width, section.size) }]
      }
      const covering = list.filter(({ start, end }) => offset >= start && (offset < end || offset === start))
      const first = covering.find((one) => one.symbol?.type !== 'none') ?? covering[0]
      const before = list.findLast(({ start, end }) => end === offset && start < offset)
      if (first !== undefined) return before === undefined ? [first] : [first, before]
      // Of a datum with a section of its own, places outside are meant relative to it.
      const [only] = list
      if (only !== undefined && list.every(({ start }) => start === only.start)) return [only]
      if (before !== undefined) return [before]
      if ((section.flags & sectionFlag.merge) !== 0 && section.entrySize > 0) {
        const start = offset - (offset % section.entrySize)
        return [{ section, start, end: Math.min(start + section.entrySize, section.size) }]
      }
      if (section.name === '.altinstr_replacement')
        return [{ section, start: offset, end: decodeInstruction(section.data, offset)?.end ?? offset }]
      if (isCode(section)) return [{ section, start: offset, end: endOfPath(section, offset) }]
      const start = list.findLast(({ end }) => end <= offset)?.end ?? 0
      const end = list.find((one) => one.start > offset)?.start ?? section.size
      return [{ section, start, end }]
    },
  }
}

/** Nameless code is followed to where nothing runs on: behind a jump or a return. */
function endOfPath({ data }: Section, offset: number): number {
  for (let at = offset; ; ) {
    const instruction = decodeInstruction(data, at)
    if (instruction === undefined) return at
    const opcode = data[instruction.branch < 0 ? at : instruction.branch - 1]
    at = instruction.end
    if (opcode === 0xe9 || opcode === 0xeb || opcode === 0xc3) return at
  }
}
