// SPDX-License-Identifier: GPL-3.0-or-later
// What an object file is made of, seen as a compiler's output: functions, data, constants without a
// name, and tables that say something about the code. The object should be compiled with
// -ffunction-sections and -fdata-sections; what the source puts into a section of its own choice
// (`__init`, `__sched`, `.data.once`) may still share it.

import { isCode, isPcRelative, sectionFlag } from '../../elf/format.ts'
import { type ElfSymbol, type ObjectFile, type Relocation, type Section, within } from '../../elf/read.ts'
import { relocationWord } from '../../elf/structures.ts'
import { getOrInsertComputed, lazy, remembered } from '../../ground/values/remembered.ts'
import { decodeInstruction, type Instruction } from '../../x86/instruction.ts'
import { type Atom, type DataUse, isLabel, isOutOfLine, lastFrom, splitSections } from './atoms.ts'
import { usesOfData } from './data-uses.ts'
import { looksIncidental } from './diagnostic-data.ts'
import { referrersIn } from './referrers.ts'
import { separateBundled } from './shared-sections.ts'
import { switchTables } from './switch-tables.ts'
import { isDerived, isReferredTo, isTable, readTables, type TableEntry } from './tables.ts'

export { isCode } from '../../elf/format.ts'
export { type Atom, type AtomKind, isIgnored, isLabel, isOutOfLine } from './atoms.ts'

/** Where a relocation leads. */
export type Target =
  | { readonly kind: 'external'; readonly name: string; readonly offset: number }
  /** `offset` may lie outside of it: counted from a table's field, or the base of a table that an index leads into. */
  | { readonly kind: 'atom'; readonly atom: Atom; readonly offset: number }
  /** A string of a mergeable section, by its content: `text` begins at `start` of the section. */
  | {
      readonly kind: 'string'
      readonly atom: Atom
      /** Where in the section the reference leads: in the string, or behind it. */
      readonly offset: number
      readonly start: number
      /** With its terminator. */
      readonly text: Buffer
    }
  /** The entry of a table that is about the place right behind the instruction which takes its address. */
  | { readonly kind: 'entry'; readonly entry: TableEntry }
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

export interface SplitObject {
  readonly object: ObjectFile
  readonly atoms: readonly Atom[]
  readonly functions: readonly Atom[]
  readonly data: readonly Atom[]
  /** The atoms of a section, ordered by start. */
  atomsOf(section: Section): readonly Atom[]
  /** The relocations inside a range, ordered by offset. */
  relocations(extent: Extent): readonly Relocation[]
  /** The atoms that refer to one, itself perhaps among them, each once and in order. */
  referrers(atom: Atom): readonly Atom[]
  /** Marks the symbols of some sections, for `refersInto`. */
  marksOf(sections: Iterable<Section>): Marks
  /** False when no relocation of the atom leads to a symbol that is marked. */
  refersInto(atom: Extent, marks: Marks): boolean
  /** The atoms to which the relocations of a range lead whose symbols are marked, in order. */
  referredAtoms(extent: Extent, marks: Marks): readonly Atom[]
  target(from: Section, relocation: Relocation): Target
  /** The atom that a symbol names; undefined for one of another object, a section's or a label. */
  atomOf(symbol: ElfSymbol): Atom | undefined
  /** The instruction that holds the byte at `offset` of a code section; undefined when that is unclear. */
  instructionAt(section: Section, offset: number): Instruction | undefined
  /** The table entries that belong to a function. */
  tableEntries(atom: Atom): readonly TableEntry[]
  /** Those of them that say something which the code does not. */
  tellingEntries(atom: Atom): readonly TableEntry[]
  /** Those about a part of nameless code: a snippet out of line, the replacement of an alternative. */
  entriesAbout(code: Extent): readonly TableEntry[]
  /**
   * The part of a nameless atom that a reference to `offset` means: one constant of a pool, one snippet of
   * out-of-line code, else all of it.
   */
  extent(atom: Atom, offset: number): Extent
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

/** @returns the atoms of an object, and how they refer to one another */
export function splitObject(given: ObjectFile): SplitObject {
  const object = separateBundled(given)
  const uses = lazy(() => usesOfData(self, self.data.filter(looksIncidental)))
  const usesOf = (datum: Atom): readonly DataUse[] => uses().get(datum) ?? []
  const { atomsBySection, atomBySymbol } = splitSections(object, usesOf)
  const atoms = atomsBySection.flat()
  const none: readonly Atom[] = []
  const atomsOf = (section: Section): readonly Atom[] => atomsBySection[section.index] ?? none

  const atomAt = (section: Section, offset: number): Atom | undefined => {
    const list = atomsOf(section)
    if (list.length === 1) return list[0]
    // The base of a table may lie before it.
    const atom = lastFrom(list, offset) ?? (isCode(section) ? undefined : list[0])
    // Padding between functions is nobody's; behind the last byte of a datum is still meant relative to it.
    return atom?.kind === 'function' && offset >= atom.end && atom.end > atom.start ? undefined : atom
  }

  // Relocations are asked for in order, so the instructions are walked along; going back begins the function anew.
  let walked: Section | undefined
  let here: Instruction | undefined
  const instructionAt = (section: Section, offset: number): Instruction | undefined => {
    if (walked !== section || here === undefined || offset < here.start || offset >= here.end + farAhead) {
      const atom = atomAt(section, offset)
      const begin = atom?.symbol?.value ?? atom?.start ?? 0
      // The room in front of a function is filled with code of its own.
      walked = section
      here = decodeInstruction(section.data, offset < begin ? (atom?.start ?? 0) : begin)
    }
    while (here !== undefined && here.end <= offset) here = decodeInstruction(section.data, here.end)
    return here !== undefined && here.start <= offset ? here : undefined
  }

  /**
   * What a reference of code counts from its field on: the processor does from the end of the instruction, behind an
   * immediate.
   */
  const behindField = (from: Section, relocation: Relocation): number | undefined => {
    if (!isCode(from) || !isPcRelative(relocation.type)) return 0
    const instruction = instructionAt(from, relocation.offset)
    return instruction && instruction.end - relocation.offset
  }

  const switches = switchTables(object, atomAt, (from, relocation) => {
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
    if (isTable(section)) {
      const entry = ownEntry(from, relocation.offset, section, place)
      return entry !== undefined && isReferredTo(section) && placeOf(entry) === relocation.offset + behind
        ? { kind: 'entry', entry }
        : { kind: 'nowhere', why: `it leads into ${section.name}, and not to the entry about its own place` }
    }
    if (isStringSection(section)) {
      const atom = atomsOf(section)[0]
      // The assembler keeps the label where a distance from it could leave the string.
      const start = symbol.type === 'section' ? place : symbol.value
      const end = endOfString(section, start)
      if (atom === undefined || end < 0)
        return { kind: 'nowhere', why: `it leads outside the strings of ${section.name}` }
      return { kind: 'string', atom, offset: place, start, text: section.data.subarray(start, end) }
    }
    const switched = switches.ledTo(from, relocation)
    if (switched !== undefined) return { kind: 'atom', atom: switched, offset: place - switched.start }
    // `__pa_symbol()` leads to a place as far behind the symbol as the kernel's map begins before 0.
    const physical = place >= kernelMap ? kernelMap : 0
    const own =
      atomBySymbol[symbol.index] ??
      atomAt(section, symbol.type === 'section' || isLabel(symbol.name) ? place - physical : symbol.value)
    if (own === undefined) return { kind: 'nowhere', why: `${section.name}+${place} belongs to nothing` }
    const outside = place - physical < own.start || place - physical > own.end
    // The base of a table may lie before it, when the compiler has folded an index into it.
    if (outside && !(own.kind === 'data' || isWholeTable(own)))
      return { kind: 'nowhere', why: `it leads outside ${own.name}` }
    return { kind: 'atom', atom: own, offset: place - own.start }
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
    const { count, symbol } = relocationWord
    for (let at = 0; at < words.length; at += count) if (marks[words[at + symbol] ?? 0] === 1) return true
    return false
  }

  const referredAtoms = (extent: Extent, marks: Marks): readonly Atom[] =>
    refersInto(extent, marks)
      ? within(object.relocations(extent.section), extent.start, extent.end).flatMap((relocation) => {
          if (marks[relocation.symbol.index] === 0) return []
          const led = target(extent.section, relocation)
          return led.kind === 'atom' ? [led.atom] : []
        })
      : none

  // Out-of-line code has no names; each snippet begins where something leads to.
  const snippets = lazy(() => {
    const faults = [...told.entries.values()].flat().filter(({ table }) => table.name === '__ex_table')
    return findSnippets(object, target, refersInto, marksOf(object.sections.filter(isOutOfLine)), faults)
  })
  const snippetStarts = (section: Section): readonly number[] => snippets().get(section) ?? [0]

  const extent = (atom: Atom, offset: number): Extent => {
    const { section } = atom
    const place = atom.start + offset
    if (atom.kind === 'constant' && (section.flags & sectionFlag.merge) !== 0 && section.entrySize > 0) {
      const start = place - (place % section.entrySize)
      return { section, start, end: Math.min(start + section.entrySize, section.size) }
    }
    if (atom.kind === 'constant' && isOutOfLine(section)) {
      const starts = snippetStarts(section)
      const after = starts.findIndex((start) => start > place)
      const index = after < 0 ? starts.length - 1 : after - 1
      return { section, start: starts[index] ?? 0, end: starts[index + 1] ?? section.size }
    }
    if (atom.kind === 'constant' && !isCode(section)) {
      const table = switches.extentAt(section, place)
      if (table !== undefined) return { section, ...table }
    }
    return { section, start: atom.start, end: atom.end }
  }

  const ownerOf = ({ symbol: { section, value }, addend }: Relocation) =>
    section === undefined || !isCode(section) ? undefined : atomAt(section, value + addend)
  const told = readTables(object, ownerOf, (table) => !isDerived(table))
  /** The entry at a place of a table, when it is about the atom that refers to it. */
  const ownEntry = (from: Section, offset: number, table: Section, place: number): TableEntry | undefined => {
    const atom = atomAt(from, offset)
    return atom && told.entries.get(atom)?.find((entry) => entry.table === table && entry.start === place)
  }
  const derived = lazy(() => readTables(object, ownerOf, isDerived).entries)
  const byPlace = remembered((section: Section): EntryAt[] =>
    atomsOf(section)
      .flatMap((atom) => told.entries.get(atom) ?? noEntries)
      .map((entry) => ({ offset: placeOf(entry), entry }))
      .sort((a, b) => a.offset - b.offset),
  )
  const entriesAbout = ({ section, start, end }: Extent): readonly TableEntry[] =>
    within(byPlace(section), start, end).map(({ entry }) => entry)
  const referrers = lazy(() => referrersIn(self))
  const self: SplitObject = {
    object,
    atoms,
    functions: atoms.filter((atom) => atom.kind === 'function'),
    data: atoms.filter((atom) => atom.kind === 'data'),
    atomsOf,
    atomOf: (symbol) => atomBySymbol[symbol.index],
    relocations: ({ section, start, end }) => within(object.relocations(section), start, end),
    referrers: (atom) => referrers()(atom),
    marksOf,
    refersInto,
    referredAtoms,
    target,
    instructionAt,
    tableEntries: (atom) => [...(derived().get(atom) ?? noEntries), ...(told.entries.get(atom) ?? noEntries)],
    tellingEntries: (atom) => told.entries.get(atom) ?? noEntries,
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
function isWholeTable(atom: Atom): boolean {
  const { section } = atom
  return atom.kind === 'constant' && !isCode(section) && (section.flags & sectionFlag.merge) === 0
}

function findSnippets(
  object: ObjectFile,
  target: SplitObject['target'],
  refersInto: SplitObject['refersInto'],
  marks: Marks,
  faults: readonly TableEntry[],
): Map<Section, readonly number[]> {
  const found = new Map<Section, Set<number>>()
  const add = (from: Section, relocation: Relocation) => {
    const { section } = relocation.symbol
    if (section === undefined || !isOutOfLine(section)) return
    const at = target(from, relocation)
    if (at.kind !== 'atom') return
    getOrInsertComputed(found, section, () => new Set([0])).add(at.atom.start + at.offset)
  }
  for (const from of object.sections) {
    if ((from.flags & sectionFlag.alloc) === 0 || isOutOfLine(from) || !isCode(from)) continue
    if (!refersInto({ section: from, start: 0, end: from.size }, marks)) continue
    for (const relocation of object.relocations(from)) add(from, relocation)
  }
  // The place of a fault may be in the middle of a snippet; the way back from it is the start of one.
  for (const { table, relocations } of faults) for (const relocation of relocations.slice(1)) add(table, relocation)
  return new Map([...found].map(([section, starts]) => [section, [...starts].sort((a, b) => a - b)]))
}
