// SPDX-License-Identifier: GPL-3.0-or-later
// What an object file is made of, seen as a compiler's output: functions, data, constants without a
// name, and tables that say something about the code. The object should be compiled with
// -ffunction-sections and -fdata-sections; what the source puts into a section of its own choice
// (`__init`, `__sched`, `.data.once`) may still share it.
import { isCode, isPcRelative, sectionFlag } from '../../elf/format.ts'
import { type ElfSymbol, type ObjectFile, type Relocation, type Section, within } from '../../elf/read.ts'
import { decodeInstruction, type Instruction } from '../../x86/instruction.ts'
import { type DataUse, isLabel, isOutOfLine, lastFrom, type Piece, splitSections } from './atoms.ts'
import { usesOfData } from './data-uses.ts'
import { looksIncidental } from './diagnostic-data.ts'
import { separateBundled } from './shared-sections.ts'
import { switchTables } from './switch-tables.ts'
import { isDerived, readTables, type TableEntry } from './tables.ts'

export { isCode } from '../../elf/format.ts'
export { isIgnored, isLabel, isOutOfLine, type Piece, type PieceKind } from './atoms.ts'

/** Where a relocation leads. */
export type Target =
  | { readonly kind: 'external'; readonly name: string; readonly offset: number }
  /** `offset` may lie outside of it: counted from a table's field, or the base of a table that an index leads into. */
  | { readonly kind: 'piece'; readonly piece: Piece; readonly offset: number }
  /** A string of a mergeable section, by its content: `text` begins at `start` of the section. */
  | {
      readonly kind: 'string'
      readonly piece: Piece
      /** Where in the section the reference leads: in the string, or behind it. */
      readonly offset: number
      readonly start: number
      /** With its terminator. */
      readonly text: Buffer
    }
  | { readonly kind: 'absolute'; readonly value: number }
  | { readonly kind: 'nowhere'; readonly why: string }

/** A range of bytes in a section. */
export interface Extent {
  readonly section: Section
  readonly start: number
  readonly end: number
}

/** 1 for each marked symbol, by its index. */
export type Marks = Uint8Array

export interface Anatomy {
  readonly object: ObjectFile
  readonly pieces: readonly Piece[]
  readonly functions: readonly Piece[]
  readonly data: readonly Piece[]
  /** The pieces of a section, ordered by start. */
  piecesOf(section: Section): readonly Piece[]
  /** The relocations inside a range, ordered by offset. */
  relocations(extent: Extent): readonly Relocation[]
  /** Marks the symbols of some sections, for `refersInto`. */
  marksOf(sections: Iterable<Section>): Marks
  /** False when no relocation of the piece leads to a symbol that is marked. */
  refersInto(piece: Extent, marks: Marks): boolean
  target(from: Section, relocation: Relocation): Target
  /** The piece that a symbol names; undefined for one of another object, a section's or a label. */
  pieceOf(symbol: ElfSymbol): Piece | undefined
  /** The instruction that holds the byte at `offset` of a code section; undefined when that is unclear. */
  instructionAt(section: Section, offset: number): Instruction | undefined
  /** The table entries that belong to a function. */
  tableEntries(piece: Piece): readonly TableEntry[]
  /** Those of them that say something which the code does not. */
  tellingEntries(piece: Piece): readonly TableEntry[]
  /** Those about a part of nameless code: a snippet out of line, the replacement of an alternative. */
  entriesAbout(code: Extent): readonly TableEntry[]
  /**
   * The part of a nameless piece that a reference to `offset` means: one constant of a pool, one snippet of
   * out-of-line code, else all of it.
   */
  extent(piece: Piece, offset: number): Extent
  /** Tables whose layout could not be understood, with the reason. */
  readonly unreadableTables: readonly { readonly section: Section; readonly why: string }[]
}

function isStringSection(section: Section): boolean {
  const both = sectionFlag.merge | sectionFlag.strings
  return (section.flags & both) === both
}

/** @returns the offset behind the terminator of the string at `start`; -1 when it has none */
function endOfString(section: Section, start: number): number {
  const { data } = section
  const width = Math.max(section.entrySize, 1)
  if (start < 0 || start >= data.length || start % width !== 0) return -1
  if (width === 1) return data.indexOf(0, start) + 1 || -1
  for (let at = start; at + width <= data.length; at += width)
    if (data.subarray(at, at + width).every((value) => value === 0)) return at + width
  return -1
}

/** -__START_KERNEL_map: the kernel's image lies in the last 2 GiB (Documentation/x86/x86_64/mm.rst). */
const kernelMap = 0x8000_0000

/** Bytes from which on it is quicker to begin at the function's start than to walk there. */
const farAhead = 65_536

/** @returns the pieces of an object, and how they refer to one another */
export function anatomy(given: ObjectFile): Anatomy {
  const object = separateBundled(given)
  let uses: ReadonlyMap<Piece, readonly DataUse[]> | undefined
  const usesOf = (datum: Piece): readonly DataUse[] => {
    uses ??= usesOfData(self, self.data.filter(looksIncidental))
    return uses.get(datum) ?? []
  }
  const { piecesBySection, pieceBySymbol } = splitSections(object, usesOf)
  const pieces = piecesBySection.flat()
  const none: readonly Piece[] = []
  const piecesOf = (section: Section): readonly Piece[] => piecesBySection[section.index] ?? none

  const pieceAt = (section: Section, offset: number): Piece | undefined => {
    const list = piecesOf(section)
    if (list.length === 1) return list[0]
    // The base of a table may lie before it.
    const piece = lastFrom(list, offset) ?? (isCode(section) ? undefined : list[0])
    // Padding between functions is nobody's; behind the last byte of a datum is still meant relative to it.
    return piece?.kind === 'function' && offset >= piece.end && piece.end > piece.start ? undefined : piece
  }

  // Relocations are asked for in order, so the instructions are walked along; going back begins the function anew.
  let walked: Section | undefined
  let here: Instruction | undefined
  const instructionAt = (section: Section, offset: number): Instruction | undefined => {
    if (walked !== section || here === undefined || offset < here.start || offset >= here.end + farAhead) {
      const piece = pieceAt(section, offset)
      const begin = piece?.symbol?.value ?? piece?.start ?? 0
      // The room in front of a function is filled with code of its own.
      walked = section
      here = decodeInstruction(section.data, offset < begin ? (piece?.start ?? 0) : begin)
    }
    while (here !== undefined && here.end <= offset) here = decodeInstruction(section.data, here.end)
    return here !== undefined && here.start <= offset ? here : undefined
  }

  /** What a reference of code counts from its field on: the processor does from the end of the instruction, behind an immediate. */
  const behindField = (from: Section, relocation: Relocation): number | undefined => {
    if (!isCode(from) || !isPcRelative(relocation.type)) return 0
    const instruction = instructionAt(from, relocation.offset)
    return instruction && instruction.end - relocation.offset
  }

  const switches = switchTables(object, pieceAt, (from, relocation) => {
    const behind = behindField(from, relocation)
    return behind === undefined ? undefined : relocation.symbol.value + relocation.addend + behind
  })

  const target = (from: Section, relocation: Relocation): Target => {
    const { symbol } = relocation
    // The assembler gives the first symbol, which is none, to an address that it knows.
    if (symbol.place === 'absolute' || symbol.index === 0)
      return { kind: 'absolute', value: symbol.value + relocation.addend }
    const { section } = symbol
    const behind = behindField(from, relocation)
    if (behind === undefined)
      return { kind: 'nowhere', why: `the instruction at ${from.name}+${relocation.offset} is unknown` }
    const offset = relocation.addend + behind
    if (section === undefined)
      return symbol.place === 'undefined'
        ? { kind: 'external', name: symbol.name, offset }
        : { kind: 'nowhere', why: `${symbol.name} is a common symbol` }
    const place = symbol.value + offset
    if (isStringSection(section)) {
      const piece = piecesOf(section)[0]
      // The assembler keeps the label where a distance from it could leave the string.
      const start = symbol.type === 'section' ? place : symbol.value
      const end = endOfString(section, start)
      if (piece === undefined || end < 0)
        return { kind: 'nowhere', why: `it leads outside the strings of ${section.name}` }
      return { kind: 'string', piece, offset: place, start, text: section.data.subarray(start, end) }
    }
    const switched = switches.ledTo(from, relocation)
    if (switched !== undefined) return { kind: 'piece', piece: switched, offset: place - switched.start }
    // `__pa_symbol()` leads to a place as far behind the symbol as the kernel's map begins before 0.
    const physical = place >= kernelMap ? kernelMap : 0
    const own =
      pieceBySymbol[symbol.index] ??
      pieceAt(section, symbol.type === 'section' || isLabel(symbol.name) ? place - physical : symbol.value)
    if (own === undefined) return { kind: 'nowhere', why: `${section.name}+${place} belongs to nothing` }
    const outside = place - physical < own.start || place - physical > own.end
    // The base of a table may lie before it, when the compiler has folded an index into it.
    if (outside && !(own.kind === 'data' || isWholeTable(own)))
      return { kind: 'nowhere', why: `it leads outside ${own.name}` }
    return { kind: 'piece', piece: own, offset: place - own.start }
  }

  const marksOf = (sections: Iterable<Section>): Marks => {
    const inSection = new Uint8Array(object.sections.length)
    for (const { index } of sections) inSection[index] = 1
    const marks = new Uint8Array(object.symbols.length)
    for (const { index, section } of object.symbols)
      if (section !== undefined && inSection[section.index] === 1) marks[index] = 1
    return marks
  }

  const refersInto = ({ section, start, end }: Extent, marks: Marks): boolean => {
    const words = start === 0 && end === section.size ? object.relocationWords(section) : undefined
    if (words === undefined)
      return within(object.relocations(section), start, end).some(({ symbol }) => marks[symbol.index] === 1)
    for (let at = 3; at < words.length; at += 6) if (marks[words[at] ?? 0] === 1) return true
    return false
  }

  // Out-of-line code has no names; each snippet begins where something leads to.
  let snippets: Map<Section, readonly number[]> | undefined
  const snippetStarts = (section: Section): readonly number[] => {
    const faults = [...told.entries.values()].flat().filter(({ table }) => table.name === '__ex_table')
    snippets ??= findSnippets(
      object,
      target,
      refersInto,
      marksOf(object.sections.filter(isOutOfLine)),
      faults,
    )
    return snippets.get(section) ?? [0]
  }

  const extent = (piece: Piece, offset: number): Extent => {
    const { section } = piece
    const place = piece.start + offset
    if (piece.kind === 'constant' && (section.flags & sectionFlag.merge) !== 0 && section.entrySize > 0) {
      const start = place - (place % section.entrySize)
      return { section, start, end: Math.min(start + section.entrySize, section.size) }
    }
    if (piece.kind === 'constant' && isOutOfLine(section)) {
      const starts = snippetStarts(section)
      const after = starts.findIndex((start) => start > place)
      const index = after < 0 ? starts.length - 1 : after - 1
      return { section, start: starts[index] ?? 0, end: starts[index + 1] ?? section.size }
    }
    if (piece.kind === 'constant' && !isCode(section)) {
      const table = switches.extentAt(section, place)
      if (table !== undefined) return { section, ...table }
    }
    return { section, start: piece.start, end: piece.end }
  }

  const ownerOf = ({ symbol: { section, value }, addend }: Relocation) =>
    section === undefined || !isCode(section) ? undefined : pieceAt(section, value + addend)
  const told = readTables(object, ownerOf, (table) => !isDerived(table))
  let derived: typeof told.entries | undefined
  const derivedEntries = (piece: Piece) => {
    derived ??= readTables(object, ownerOf, isDerived).entries
    return derived.get(piece) ?? noEntries
  }
  const byPlace = new Map<Section, readonly EntryAt[]>()
  const entriesAbout = ({ section, start, end }: Extent): readonly TableEntry[] => {
    let list = byPlace.get(section)
    if (list === undefined) {
      const entries = piecesOf(section).flatMap((piece) => told.entries.get(piece) ?? noEntries)
      list = entries.map((entry) => ({ offset: placeOf(entry), entry })).sort((a, b) => a.offset - b.offset)
      byPlace.set(section, list)
    }
    return within(list, start, end).map(({ entry }) => entry)
  }
  const self: Anatomy = {
    object,
    pieces,
    functions: pieces.filter((piece) => piece.kind === 'function'),
    data: pieces.filter((piece) => piece.kind === 'data'),
    piecesOf,
    pieceOf: (symbol) => pieceBySymbol[symbol.index],
    relocations: ({ section, start, end }) => within(object.relocations(section), start, end),
    marksOf,
    refersInto,
    target,
    instructionAt,
    tableEntries: (piece) => [...derivedEntries(piece), ...(told.entries.get(piece) ?? noEntries)],
    tellingEntries: (piece) => told.entries.get(piece) ?? noEntries,
    entriesAbout,
    extent,
    unreadableTables: told.unreadable,
  }
  return self
}

const noEntries: readonly TableEntry[] = []

interface EntryAt {
  /** In the section of the code. */
  readonly offset: number
  readonly entry: TableEntry
}

/** The place in the code that an entry is about. */
export function placeOf({ relocations: [first] }: TableEntry): number {
  return first === undefined ? -1 : first.symbol.value + first.addend
}

/** A nameless table with a section of its own. */
function isWholeTable(piece: Piece): boolean {
  const { section } = piece
  return piece.kind === 'constant' && !isCode(section) && (section.flags & sectionFlag.merge) === 0
}

function findSnippets(
  object: ObjectFile,
  target: Anatomy['target'],
  refersInto: Anatomy['refersInto'],
  marks: Marks,
  faults: readonly TableEntry[],
): Map<Section, readonly number[]> {
  const found = new Map<Section, Set<number>>()
  const add = (from: Section, relocation: Relocation) => {
    const { section } = relocation.symbol
    if (section === undefined || !isOutOfLine(section)) return
    const at = target(from, relocation)
    if (at.kind !== 'piece') return
    const starts = found.get(section)
    if (starts === undefined) found.set(section, new Set([0, at.piece.start + at.offset]))
    else starts.add(at.piece.start + at.offset)
  }
  for (const from of object.sections) {
    if ((from.flags & sectionFlag.alloc) === 0 || isOutOfLine(from) || !isCode(from)) continue
    if (!refersInto({ section: from, start: 0, end: from.size }, marks)) continue
    for (const relocation of object.relocations(from)) add(from, relocation)
  }
  // The place of a fault may be in the middle of a snippet; the way back from it is the start of one.
  for (const { table, relocations } of faults)
    for (const relocation of relocations.slice(1)) add(table, relocation)
  return new Map([...found].map(([section, starts]) => [section, [...starts].sort((a, b) => a - b)]))
}
