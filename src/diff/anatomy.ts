// SPDX-License-Identifier: GPL-3.0-or-later
// What an object file is made of, seen as a compiler's output: functions, data, constants without a
// name, and tables that say something about the code. The object must be compiled with
// -ffunction-sections and -fdata-sections; what the source puts into a section of its own choice
// (`__init`, `__sched`, `.data.once`) may still share it.
import { isPcRelative, sectionFlag, sectionType } from '../elf/format.ts'
import type { ElfSymbol, ObjectFile, Relocation, Section } from '../elf/read.ts'
import { decodeInstruction, type Instruction } from './instruction.ts'

export type PieceKind =
  | 'function'
  /** Named data, writable or not. */
  | 'data'
  /** What has no name of its own: a string, a constant pool, a switch table. */
  | 'constant'

/** A part of a section that belongs together. */
export interface Piece {
  readonly kind: PieceKind
  readonly section: Section
  /** Bytes in the section: first, and behind the last. */
  readonly start: number
  readonly end: number
  /** The symbol that names it; undefined for a constant. */
  readonly symbol: ElfSymbol | undefined
  /** Other names of the same place, as SYSCALL_DEFINE0 makes them. */
  readonly aliases: readonly ElfSymbol[]
  /** `symbol.name`, or the section's name. */
  readonly name: string
}

/** Where a relocation leads. */
export type Target =
  | { readonly kind: 'external'; readonly name: string; readonly offset: number }
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

/** An entry of a table that says something about a place in a function. */
export interface TableEntry {
  readonly table: Section
  readonly start: number
  readonly end: number
  readonly relocations: readonly Relocation[]
}

export interface Anatomy {
  readonly object: ObjectFile
  readonly pieces: readonly Piece[]
  readonly functions: readonly Piece[]
  readonly data: readonly Piece[]
  /** The pieces of a section, ordered by start. */
  piecesOf(section: Section): readonly Piece[]
  /** The relocations inside a piece. */
  relocations(piece: Piece): readonly Relocation[]
  target(from: Section, relocation: Relocation): Target
  /** The instruction that holds the byte at `offset` of a code section; undefined when that is unclear. */
  instructionAt(section: Section, offset: number): Instruction | undefined
  /** The table entries that belong to a function, in table order. */
  tableEntries(piece: Piece): readonly TableEntry[]
  /**
   * The part of a nameless piece that a reference to `offset` means: one constant of a pool, one snippet of
   * out-of-line code, else all of it.
   */
  extent(piece: Piece, offset: number): Extent
  /** Tables whose layout could not be understood, with the reason. */
  readonly unreadableTables: readonly { readonly section: Section; readonly why: string }[]
}

/**
 * Tables about code, with the number of relocations that each entry has; the first leads to the place
 * in a function that the entry is about. From the kernel's include/asm-generic/bug.h,
 * arch/x86/include/asm/{alternative,extable,jump_label,paravirt_types}.h and include/linux/objtool.h.
 */
const tables: ReadonlyMap<string, number> = new Map([
  ['__bug_table', 2],
  ['.altinstructions', 2],
  ['__ex_table', 2],
  ['__jump_table', 3],
  ['.smp_locks', 1],
  ['.parainstructions', 1],
  ['.static_call_sites', 2],
  ['.retpoline_sites', 1],
  ['.return_sites', 1],
  ['.call_sites', 1],
  ['.ibt_endbr_seal', 1],
  ['.cfi_sites', 1],
  ['__mcount_loc', 1],
  ['__patchable_function_entries', 1],
])

/** Relocations for each entry of a table about code; undefined when the section is no such table. */
export function relocationsPerEntry(section: { readonly name: string }): number | undefined {
  const known = tables.get(section.name)
  if (known !== undefined) return known
  return isObjtoolHint(section.name) ? 1 : undefined
}

/** Hints for objtool that are dropped when the kernel is linked (include/linux/objtool.h). */
export function isObjtoolHint(name: string): boolean {
  return /^\.discard\.(?!addressable$|sym$|.*ksym)/.test(name)
}

/** Sections that say nothing about what the code does. */
export function isIgnored(section: Section): boolean {
  const { name } = section
  return (
    (section.flags & sectionFlag.alloc) === 0 ||
    /^\.(comment|note|debug|stab|eh_frame|orc_|discard\.(addressable|sym|.*ksym)|printk_index|llvm)/.test(
      name,
    )
  )
}

/** True for a section that holds code. */
export function isCode(section: Section): boolean {
  return (section.flags & sectionFlag.exec) !== 0
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

/** A compiler's label, as opposed to a name from the source. */
export function isLabel(name: string): boolean {
  return name === '' || name.startsWith('.L')
}

/** -__START_KERNEL_map: the kernel's image lies in the last 2 GiB (Documentation/x86/x86_64/mm.rst). */
const kernelMap = 0x8000_0000

/** @returns the pieces of an object, and how they refer to one another */
export function anatomy(object: ObjectFile): Anatomy {
  const named: ElfSymbol[][] = object.sections.map(() => [])
  for (const symbol of object.symbols) {
    if (symbol.section === undefined || symbol.type === 'section' || symbol.type === 'file') continue
    if (isLabel(symbol.name) || /^(__pfx_|__BTF_ID__)/.test(symbol.name)) continue
    named[symbol.section.index]?.push(symbol)
  }
  const piecesBySection: Piece[][] = object.sections.map((section) => {
    const symbols = named[section.index] ?? []
    if (section.type === sectionType.null || isIgnored(section)) return []
    if (section.type !== sectionType.progbits && section.type !== sectionType.nobits) return []
    if (relocationsPerEntry(section) !== undefined) return []
    return split(section, symbols)
  })
  const pieces = piecesBySection.flat()

  const piecesOf = (section: Section): readonly Piece[] => piecesBySection[section.index] ?? []

  const pieceAt = (section: Section, offset: number): Piece | undefined => {
    const list = piecesOf(section)
    if (list.length === 1) return list[0]
    let low = 0
    let high = list.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const piece = list[middle]
      if (piece === undefined) return undefined
      if (offset < piece.start) high = middle - 1
      else if (offset >= piece.end && !(offset === piece.start && piece.start === piece.end)) low = middle + 1
      else return piece
    }
    return undefined
  }

  const instructions = new Map<Section, readonly Instruction[]>()
  const instructionAt = (section: Section, offset: number): Instruction | undefined => {
    let list = instructions.get(section)
    if (list === undefined) {
      list = decodeSection(section, piecesOf(section))
      instructions.set(section, list)
    }
    let low = 0
    let high = list.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const instruction = list[middle]
      if (instruction === undefined) return undefined
      if (offset < instruction.start) high = middle - 1
      else if (offset >= instruction.end) low = middle + 1
      else return instruction
    }
    return undefined
  }

  const target = (from: Section, relocation: Relocation): Target => {
    const { symbol } = relocation
    if (symbol.place === 'absolute') return { kind: 'absolute', value: symbol.value + relocation.addend }
    const { section } = symbol
    let offset = relocation.addend
    if (isCode(from) && isPcRelative(relocation.type)) {
      // The processor counts from the end of the instruction, behind an immediate.
      const instruction = instructionAt(from, relocation.offset)
      if (instruction === undefined)
        return { kind: 'nowhere', why: `the instruction at ${from.name}+${relocation.offset} is unknown` }
      offset += instruction.end - relocation.offset
    }
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
    // `__pa_symbol()` leads to a place as far behind the symbol as the kernel's map begins before 0.
    const physical = place >= kernelMap ? kernelMap : 0
    const own =
      symbol.type === 'section' || isLabel(symbol.name)
        ? pieceAt(section, place - physical)
        : (piecesOf(section).find((piece) => piece.symbol === symbol || piece.aliases.includes(symbol)) ??
          pieceAt(section, symbol.value))
    if (own === undefined) return { kind: 'nowhere', why: `${section.name}+${place} belongs to nothing` }
    if (own.kind !== 'data' && (place - physical < own.start || place - physical > own.end))
      return { kind: 'nowhere', why: `it leads outside ${own.name}` }
    return { kind: 'piece', piece: own, offset: place - own.start }
  }

  // The snippets of `.altinstr_aux` have no names; each begins where a function jumps to.
  const snippets = new Map<Section, number[]>()
  const snippetStarts = (section: Section): readonly number[] => {
    const known = snippets.get(section)
    if (known !== undefined) return known
    const starts = new Set([0])
    for (const from of object.sections) {
      if (!isCode(from) || from === section) continue
      for (const relocation of object.relocations(from)) {
        if (relocation.symbol.section !== section) continue
        const at = target(from, relocation)
        if (at.kind === 'piece') starts.add(at.piece.start + at.offset)
      }
    }
    const sorted = [...starts].sort((a, b) => a - b)
    snippets.set(section, sorted)
    return sorted
  }

  const extent = (piece: Piece, offset: number): Extent => {
    const { section } = piece
    const place = piece.start + offset
    if (piece.kind === 'constant' && (section.flags & sectionFlag.merge) !== 0 && section.entrySize > 0) {
      const start = place - (place % section.entrySize)
      return { section, start, end: Math.min(start + section.entrySize, section.size) }
    }
    if (piece.kind === 'constant' && section.name === '.altinstr_aux') {
      const starts = snippetStarts(section)
      const after = starts.findIndex((start) => start > place)
      const index = after < 0 ? starts.length - 1 : after - 1
      return { section, start: starts[index] ?? 0, end: starts[index + 1] ?? section.size }
    }
    return { section, start: piece.start, end: piece.end }
  }

  const { entries, unreadable } = readTables(object, piecesOf, pieceAt)
  const sliced = new Map<Piece, readonly Relocation[]>()
  return {
    object,
    pieces,
    functions: pieces.filter((piece) => piece.kind === 'function'),
    data: pieces.filter((piece) => piece.kind === 'data'),
    piecesOf,
    relocations(piece) {
      const all = object.relocations(piece.section)
      if (piece.start === 0 && piece.end === piece.section.size) return all
      let slice = sliced.get(piece)
      if (slice === undefined) {
        slice = all.filter((relocation) => relocation.offset >= piece.start && relocation.offset < piece.end)
        sliced.set(piece, slice)
      }
      return slice
    },
    target,
    instructionAt,
    tableEntries: (piece) => entries.get(piece) ?? [],
    extent,
    unreadableTables: unreadable,
  }
}

/** Splits a section at its symbols. */
function split(section: Section, symbols: readonly ElfSymbol[]): Piece[] {
  const code = isCode(section)
  const wanted = symbols.filter((symbol) => (code ? symbol.type === 'function' : true))
  wanted.sort((a, b) => a.value - b.value || Number(b.binding !== 'local') - Number(a.binding !== 'local'))
  const groups: ElfSymbol[][] = []
  for (const symbol of wanted) {
    const last = groups.at(-1)
    if (last !== undefined && last[0]?.value === symbol.value) last.push(symbol)
    else groups.push([symbol])
  }
  if (groups.length === 0) groups.push([])
  return groups.map(([symbol, ...aliases], index) => ({
    kind: symbol === undefined ? 'constant' : code ? 'function' : 'data',
    section,
    // Padding in front of the first function (call depth tracking, kCFI) belongs to it.
    start: index === 0 ? 0 : (symbol?.value ?? 0),
    end: groups[index + 1]?.[0]?.value ?? section.size,
    symbol,
    name: symbol?.name ?? section.name,
    aliases,
  }))
}

/** The instructions of a section in order; behind bytes that are none, the next function begins anew. */
function decodeSection(section: Section, pieces: readonly Piece[]): Instruction[] {
  const list: Instruction[] = []
  const decode = (start: number, end: number) => {
    for (let at = start; at < end; ) {
      const instruction = decodeInstruction(section.data, at)
      if (instruction === undefined || instruction.end > end) return
      list.push(instruction)
      at = instruction.end
    }
  }
  if (pieces.length === 0) decode(0, section.size)
  for (const piece of pieces) {
    const begin = piece.symbol?.value ?? piece.start
    decode(piece.start, begin)
    decode(begin, piece.end)
  }
  return list
}

function readTables(
  object: ObjectFile,
  piecesOf: (section: Section) => readonly Piece[],
  pieceAt: (section: Section, offset: number) => Piece | undefined,
) {
  const entries = new Map<Piece, TableEntry[]>()
  const unreadable: { section: Section; why: string }[] = []
  for (const table of object.sections) {
    const perEntry = relocationsPerEntry(table)
    if (perEntry === undefined || table.size === 0 || table.type !== sectionType.progbits) continue
    const relocations = object.relocations(table)
    if (relocations.length % perEntry !== 0 || relocations.length === 0) {
      unreadable.push({
        section: table,
        why: `it has ${relocations.length} relocations, not ${perEntry} an entry`,
      })
      continue
    }
    for (let index = 0; index < relocations.length; index += perEntry) {
      const first = relocations[index]
      if (first === undefined) break
      const start = index === 0 ? 0 : first.offset
      const end = relocations[index + perEntry]?.offset ?? table.size
      const { section } = first.symbol
      const owner =
        section === undefined || !isCode(section) || piecesOf(section).length === 0
          ? undefined
          : pieceAt(section, first.symbol.value + first.addend)
      if (first.offset !== start || owner === undefined) {
        unreadable.push({ section: table, why: `its entry at ${start} is about no function` })
        break
      }
      const list = entries.get(owner) ?? []
      entries.set(owner, list)
      list.push({ table, start, end, relocations: relocations.slice(index, index + perEntry) })
    }
  }
  return { entries, unreadable }
}
