// SPDX-License-Identifier: GPL-3.0-or-later
// An object as the audit sees it: what has a name, and where each reference leads. It is a second reader of what
// src/diff/object/split-object.ts reads, on purpose simpler, and shares nothing with it but the ELF reader and the
// decoder.
import { isCode, isPcRelative, sectionFlag, sectionType } from '../elf/format.ts'
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
import { addTo } from '../ground/values/grouped.ts'
import { controlOf } from '../x86/branch.ts'
import { decodeInstruction } from '../x86/instruction.ts'

/** A byte of an object. */
export interface Place {
  readonly section: Section
  readonly offset: number
}

/** Where a reference leads; offsets are what the processor adds to the symbol. */
export type Target =
  | { readonly kind: 'place'; readonly place: Place; readonly symbol: ElfSymbol }
  | { readonly kind: 'outside'; readonly symbol: ElfSymbol; readonly offset: number }
  | { readonly kind: 'number'; readonly value: number }

/** A field of an object that gets an address, from the linker or from the kernel's livepatch code. */
export interface Reference extends Relocation {
  readonly section: Section
  readonly target: Target
}

export interface Range {
  readonly section: Section
  readonly start: number
  readonly end: number
}

/** A function or a datum with a name from the source. */
export interface Named extends Range {
  readonly symbol: ElfSymbol
  readonly name: string
}

/** Bytes that belong together: what a symbol names, a string, a constant. */
export type Extent = Named | (Range & { readonly symbol?: undefined })

export interface ObjectView {
  readonly object: ObjectFile
  /** In the symbols' order. */
  readonly named: readonly Named[]
  /** What has a name. */
  called(name: string): readonly Named[]
  /** What begins at a place, the longest first. */
  at(place: Place): readonly Named[]
  /** All names of a function or of a datum. */
  namesOf(extent: Extent): readonly string[]
  /** The references of a section or a part of it, ordered by offset. */
  references(of: Section | Range): readonly Reference[]
  /** What a place may belong to: more than one where it lies between two things. */
  extentsAt(place: Place, symbol?: ElfSymbol): readonly Extent[]
  /** To what a reference leads in the object; nothing when it leads elsewhere. */
  ledTo(target: Target): readonly Extent[]
}

export function isFunction({ symbol, section }: Extent): boolean {
  return symbol?.type === 'function' && isCode(section)
}

/** What the kernel frees when it, or the module, has started. */
export function isFreed({ name }: Section): boolean {
  return /^\.(init|meminit)\b|^\.exit\b/.test(name)
}

export function isString({ flags }: Section): boolean {
  return (flags & sectionFlag.strings) !== 0
}

/** True for the table of WARN and BUG, to whose entries code may refer (arch/x86/include/asm/bug.h of Linux 7.2). */
export function hasToldEntries({ name }: Section): boolean {
  return name === '__bug_table'
}

export function keyOf({ section, start }: Range): string {
  return `${section.index}:${start}`
}

/** What a message calls something. */
export function nameOf({ symbol, section }: Extent): string {
  return symbol?.name ?? section.name
}

export function bytesOf({ section: { data }, start, end }: Range): Buffer {
  return data.subarray(start, end)
}

/** The text that begins at a place. */
export function textAt({ section: { data, size }, offset }: Place): string {
  const end = data.indexOf(0, offset)
  return data.toString('latin1', offset, end < 0 ? size : end)
}

/** True for relocations that the kernel's livepatch code applies. */
export function isLivepatchTable({ type, flags }: Section): boolean {
  return type === sectionType.rela && (flags & sectionFlag.relaLivepatch) !== 0
}

/** @throws Fault `patch/bad-object` */
export function viewOf(bytes: Buffer | ObjectFile, name: string): ObjectView {
  const object = Buffer.isBuffer(bytes) ? readObject(bytes, name) : bytes
  const known = new Map<Section, readonly Reference[]>()
  /** Also labels, which have no type. */
  const bySection = new Map<Section, Named[]>()
  const byName = new Map<string, Named[]>()
  const named: Named[] = []
  for (const symbol of object.symbols) {
    const { section, type, size, value, name } = symbol
    if (section === undefined || type === 'section' || type === 'file' || name.startsWith('.L')) continue
    const extent = { section, start: value, end: value + size, symbol, name }
    addTo(bySection, section, extent)
    if (type === 'none') continue
    named.push(extent)
    addTo(byName, name, extent)
  }
  for (const list of bySection.values()) list.sort((a, b) => a.start - b.start || b.end - a.end)
  const symbolsIn = (section: Section) => bySection.get(section) ?? []

  const livepatchTables = object.sections.filter(isLivepatchTable)
  const livepatchRelocations = (section: Section): Relocation[] =>
    livepatchTables
      .filter(({ info }) => info === section.index)
      .flatMap(({ data }) => {
        const words = new Uint32Array(Uint8Array.from(data).buffer)
        return decodeRelocations(words, section, (index) => object.symbols[index], refuser(name))
      })

  /** The processor counts a distance from the end of the instruction, and the relocation from the field. */
  const readReferences = (section: Section): Reference[] => {
    const fields = [...object.relocations(section), ...livepatchRelocations(section)]
    const starts = symbolsIn(section).map(({ start }) => start)
    let at = 0
    return fields
      .sort((a, b) => a.offset - b.offset)
      .map((field) => {
        const { offset, type, symbol, addend } = field
        let more = 0
        if (isCode(section)) {
          // A function begins anew, whatever stands in front of it.
          at = Math.max(at, starts.findLast((start) => start <= offset) ?? 0)
          let end = decodeInstruction(section.data, at)?.end
          for (; end !== undefined && end <= offset; end = decodeInstruction(section.data, at)?.end) at = end
          if (isPcRelative(type)) more = (end ?? offset + 4) - offset
        }
        return { ...field, section, target: targetOf(symbol, addend + more) }
      })
  }

  function references(of: Section | Range): readonly Reference[] {
    const { section, start, end } = 'section' in of ? of : { section: of, start: 0, end: of.size }
    const all = known.get(section) ?? readReferences(section)
    known.set(section, all)
    return within(all, start, end)
  }

  /** The entry about code that holds a byte of a table; it begins with the reference to its place. */
  function entryAt(section: Section, offset: number): Range {
    const starts = references(section).flatMap(({ target, offset: at }) =>
      target.kind === 'place' && isCode(target.place.section) ? at : [],
    )
    const start = starts.findLast((at) => at <= offset) ?? 0
    return { section, start, end: starts.find((at) => at > offset) ?? section.size }
  }

  return {
    object,
    named,
    called: (name) => byName.get(name) ?? [],
    at: ({ section, offset }) =>
      symbolsIn(section).filter(({ start, symbol }) => start === offset && symbol.type !== 'none'),
    namesOf: ({ section, start, symbol }) =>
      symbolsIn(section).flatMap((one) => (one.start === start && one.symbol.type === symbol?.type ? one.name : [])),
    references,
    extentsAt,
    ledTo: (target) => (target.kind === 'place' ? extentsAt(target.place, target.symbol) : []),
  }

  function extentsAt({ section, offset }: Place, symbol?: ElfSymbol): readonly Extent[] {
    const list = symbolsIn(section)
    if (symbol !== undefined && symbol.type !== 'section' && !symbol.name.startsWith('.L')) {
      const { value, size } = symbol
      const own = list.find((one) => one.start === value && one.symbol.type !== 'none')
      return [own ?? { section, start: value, end: value + size, symbol, name: symbol.name }]
    }
    if (hasToldEntries(section)) return [entryAt(section, offset)]
    if (isString(section)) {
      const width = Math.max(1, section.entrySize)
      let end = offset
      while (end + width <= section.size && section.data.subarray(end, end + width).some((byte) => byte !== 0))
        end += width
      return [{ section, start: offset, end: Math.min(end + width, section.size) }]
    }
    const covering = list.filter(({ start, end }) => offset >= start && (offset < end || offset === start))
    const first = covering.find((one) => one.symbol.type !== 'none') ?? covering[0]
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
  }
}

function targetOf(symbol: ElfSymbol, offset: number): Target {
  const { place, index, section, value } = symbol
  if (place === 'absolute' || index === 0) return { kind: 'number', value: value + offset }
  if (section === undefined) return { kind: 'outside', symbol, offset }
  return { kind: 'place', symbol, place: { section, offset: value + offset } }
}

/** Nameless code is followed to where nothing runs on: behind a jump or a return. */
function endOfPath({ data }: Section, offset: number): number {
  for (let at = offset; ; ) {
    const instruction = decodeInstruction(data, at)
    if (instruction === undefined) return at
    const control = controlOf(instruction)
    at = instruction.end
    if (control === 'jump' || control === 'return') return at
  }
}
