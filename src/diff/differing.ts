// SPDX-License-Identifier: GPL-3.0-or-later
// Which sections of two objects may differ, told without reading them. Nearly always nearly nothing does. Whatever can't
// be told counts as different here; only what is plainly the same on both sides, with all that it leads to, does not.
import { relocationType, sectionFlag, symbolType } from '../elf/format.ts'
import {
  headerOf,
  isContent,
  nameOfSection,
  type Outline,
  relocationWords,
  symbolWords,
} from '../elf/outline.ts'
import { type Row, relocationCount, relocationsAt, textAt } from '../elf/part.ts'
import { isIgnored, isLabel, isOutOfLine } from './anatomy.ts'
import { isDirective } from './directives.ts'
import { matchSections, matchSymbols } from './mates.ts'
import { isColdPart, isCompilersName, isFront } from './names.ts'
import { isBootConstant, isObjtoolHint, isTable, layoutOf } from './tables.ts'

/** What a section is for who looks for differences. */
export const role = {
  /** It says nothing about what the code does, or is about other sections. */
  none: 0,
  ordinary: 1,
  /** Strings that the linker merges: a reference means the text. */
  strings: 2,
  /** Rows about places in the code. */
  table: 3,
  /** Code without names that functions jump to. */
  outOfLine: 4,
} as const

/** What the symbols of a section say about it. */
export const naming = {
  /** It matters by what is in it: constants, cold parts, what the compiler named. */
  content: 0,
  /** It has one name, which says all that there is to say to who refers to it. */
  one: 1,
  /** Several things with names share it. */
  several: 2,
} as const

/** One of the two objects. */
export interface Side {
  readonly outline: Outline
  /** Of each section: one of `role`. */
  readonly roles: Uint8Array
  /** Of each section and symbol: its mate in the other object, or -1. */
  readonly sections: Int32Array
  readonly symbols: Int32Array
  /** Of each section: 1 when it may differ from its mate. */
  readonly differs: Uint8Array
  /** The symbols of a section. */
  symbolsOf(section: number): readonly number[]
  /** The name of a symbol that is not a section's. */
  nameOf(symbol: number): string
  /** One of `naming`. */
  namingOf(section: number): number
  /** Its tables. */
  readonly tables: readonly Table[]
}

/** A table of rows about places in the code. */
export interface Table {
  readonly section: number
  readonly name: string
  /** How many rows it has. */
  readonly count: number
  /** Relocations of each row. */
  readonly relocations: number
  row(nth: number): Row
  /** The section that holds the code that a row is about; -1 when none does. */
  owner(nth: number): number
}

export interface Differing {
  readonly before: Side
  readonly after: Side
}

/** @returns undefined when the objects have something that asks for a closer look at all of them */
export function findDiffering(before: Outline, after: Outline): Differing | undefined {
  const sections = matchSections(before, after)
  if (sections === undefined) return undefined
  const symbols = matchSymbols(before, after, sections)
  const b = sideOf(before, sections.after, symbols.after)
  if (b === undefined) return undefined
  const alike = sections.identical ? b : undefined
  const a = sideOf(after, sections.before, symbols.before, alike)
  if (a === undefined) return undefined
  if (after.like === undefined) {
    markUnmatched(b, a)
    markUnmatched(a, b)
    markMoved(b, a)
  } else
    for (const symbol of after.like.moved) {
      const home = before.home[symbol]!
      if (home >= 0) mark(b, a, home)
    }
  const same = comparer(b, a)
  markBytes(b, a)
  markRelocations(b, a, same)
  if (!hasSameOutOfLine(b, a, same) || !markRows(b, a, same)) return undefined
  return spread(b, a) ? { before: b, after: a } : undefined
}

function mark(side: Side, other: Side, section: number): void {
  side.differs[section] = 1
  const mate = side.sections[section]!
  if (mate >= 0) other.differs[mate] = 1
}

/** Most sections hold one function or datum, and are called after it: `.text…`, `.data…`, `.rodata…`, `.bss…`. */
function isOrdinaryName(outline: Outline, section: number): boolean {
  const { bytes } = outline
  const at = nameOfSection(outline, section)
  switch (bytes[at + 1]) {
    case 0x74:
      return bytes[at + 2] === 0x65 && bytes[at + 3] === 0x78
    case 0x64:
      return bytes[at + 2] === 0x61 && bytes[at + 3] === 0x74
    case 0x72:
      return bytes[at + 2] === 0x6f && bytes[at + 3] === 0x64
    case 0x62:
      return bytes[at + 2] === 0x73 && bytes[at + 3] === 0x73
    default:
      return false
  }
}

/** @returns undefined when a section is one that has its own ways */
function rolesOf(
  outline: Outline,
  symbolsOf: (section: number) => readonly number[],
): Uint8Array | undefined {
  const roles = new Uint8Array(outline.sections)
  const strings = sectionFlag.merge | sectionFlag.strings
  const isNamed = (symbol: number) =>
    typeOf(outline, symbol) !== symbolType.section && !isLabel(nameOf(outline, symbol))
  for (let index = 1; index < outline.sections; index++) {
    if (!isContent(outline.type[index]!)) continue
    const flags = outline.flags[index]!
    const ordinary =
      (flags & strings) === strings && !symbolsOf(index).some(isNamed) ? role.strings : role.ordinary
    if ((flags & sectionFlag.alloc) !== 0 && isOrdinaryName(outline, index)) {
      roles[index] = ordinary
      continue
    }
    const name = textAt(outline, nameOfSection(outline, index))
    if (isDirective(name) || isBootConstant(name) || name === '.printk_index') return undefined
    // Relocations that are called so are none.
    if (name.startsWith('.rel')) return undefined
    if (isTable({ name })) roles[index] = role.table
    else if (isOutOfLine({ name })) roles[index] = role.outOfLine
    else roles[index] = isIgnored({ name, flags }) ? role.none : ordinary
  }
  return roles
}

/** @param alike the other side, when sections and symbols have the same names and numbers there */
function sideOf(outline: Outline, sections: Int32Array, symbols: Int32Array, alike?: Side): Side | undefined {
  const symbolsOf = alike?.symbolsOf ?? bySection(outline)
  const roles = alike?.roles ?? rolesOf(outline, symbolsOf)
  const tables = roles && tablesOf(outline, roles, alike)
  if (roles === undefined || tables === undefined) return undefined
  const placeOf = (symbol: number) => outline.words[outline.symbolTable + symbol * symbolWords + 2]!
  const namings = new Int8Array(outline.sections).fill(-1)
  const findNaming = (section: number): number => {
    const code = (outline.flags[section]! & sectionFlag.exec) !== 0
    let place = -1
    let found: number = naming.content
    for (const symbol of symbolsOf(section)) {
      const type = typeOf(outline, symbol)
      if (type === symbolType.section || (code && type !== symbolType.function)) continue
      const name = nameOf(outline, symbol)
      if (isLabel(name) || isFront(name)) continue
      if (code ? isColdPart(name) : isCompilersName(name)) return naming.content
      if (place >= 0 && place !== placeOf(symbol)) found = naming.several
      else if (found === naming.content) found = naming.one
      place = placeOf(symbol)
    }
    return found
  }
  return {
    outline,
    roles,
    sections,
    symbols,
    differs: new Uint8Array(outline.sections),
    symbolsOf,
    nameOf: (symbol) => nameOf(outline, symbol),
    namingOf(section) {
      if (namings[section] === -1) namings[section] = findNaming(section)
      return namings[section]!
    },
    tables,
  }
}

function typeOf({ words, symbolTable }: Outline, symbol: number): number {
  return words[symbolTable + symbol * symbolWords + 1]! & 0xf
}

function nameOf(outline: Outline, symbol: number): string {
  return textAt(outline, outline.symbolNames + outline.words[outline.symbolTable + symbol * symbolWords]!)
}

/** Finds the symbols of a section. */
function bySection({ sections, symbols, home }: Outline): (section: number) => number[] {
  // They are linked into lists.
  const first = new Int32Array(sections).fill(-1)
  const next = new Int32Array(symbols)
  for (let index = symbols - 1; index > 0; index--) {
    const own = home[index]!
    if (own < 0) continue
    next[index] = first[own]!
    first[own] = index
  }
  return (section) => {
    const found: number[] = []
    for (let index = first[section]!; index >= 0; index = next[index]!) found.push(index)
    return found
  }
}

/** @returns undefined when a table has an unknown layout */
function tablesOf(outline: Outline, roles: Uint8Array, alike: Side | undefined): Table[] | undefined {
  const known = new Map(alike?.tables.map((table) => [table.section, table]))
  const tables: Table[] = []
  for (let section = 1; section < outline.sections; section++) {
    if (roles[section] !== role.table || outline.words[headerOf(outline, section) + 8] === 0) continue
    const other = known.get(section)
    const same = other !== undefined && alike !== undefined && isSameTable(alike.outline, outline, section)
    const table = same ? other : tableOf(outline, section)
    if (table === undefined) return undefined
    tables.push(table)
  }
  return tables
}

/** True when a table is the same to the byte in two objects, with its relocations. */
function isSameTable(before: Outline, after: Outline, section: number): boolean {
  const isSame = (index: number) => {
    const [inB, inA] = [before.at[index]!, after.at[index]!]
    const [endB, endA] = [inB + before.length[index]!, inA + after.length[index]!]
    return before.bytes.compare(after.bytes, inA, endA, inB, endB) === 0
  }
  const own = before.relocations[section]!
  return isSame(section) && own === after.relocations[section] && (own === 0 || isSame(own))
}

function tableOf(outline: Outline, section: number): Table | undefined {
  const { words, home, flags } = outline
  const size = words[headerOf(outline, section) + 8]!
  const name = textAt(outline, nameOfSection(outline, section))
  const from = relocationsAt(outline, section)
  const offsets = new Uint32Array(relocationCount(outline, section))
  for (let nth = 0, word = from; nth < offsets.length; nth++, word += relocationWords) {
    offsets[nth] = words[word]!
    if (words[word + 3]! >= outline.symbols || (nth > 0 && offsets[nth]! < offsets[nth - 1]!))
      return undefined
  }
  const layout = layoutOf({ name, size }, offsets)
  if (layout === undefined || (offsets.at(-1) ?? 0) >= size) return undefined
  const { relocations, bytes } = layout
  return {
    section,
    name,
    count: offsets.length / relocations,
    relocations,
    row(nth) {
      const first = nth * relocations
      const behind = first + relocations
      const start = offsets[first]!
      return { start, end: bytes === 0 ? (offsets[behind] ?? size) : start + bytes, first, behind }
    },
    owner(nth) {
      const own = home[words[from + nth * relocations * relocationWords + 3]!]!
      return own >= 0 && (flags[own]! & sectionFlag.exec) !== 0 ? own : -1
    },
  }
}

/** What only one of the objects has. */
function markUnmatched(side: Side, other: Side): void {
  const { outline, roles, sections, symbols } = side
  for (let index = 1; index < outline.sections; index++)
    if (roles[index] === role.ordinary && sections[index]! < 0) mark(side, other, index)
  for (let index = 1; index < outline.symbols; index++) {
    const home = outline.home[index]!
    if (home >= 0 && symbols[index]! < 0) mark(side, other, home)
  }
}

/** Symbols that are at another place, or have another size. */
function markMoved(b: Side, a: Side): void {
  const [wordsB, wordsA] = [b.outline.words, a.outline.words]
  for (let index = 1; index < b.outline.symbols; index++) {
    const mate = b.symbols[index]!
    const home = b.outline.home[index]!
    if (mate < 0 || home < 0) continue
    const wordB = b.outline.symbolTable + index * symbolWords
    const wordA = a.outline.symbolTable + mate * symbolWords
    if (wordsB[wordB + 2] !== wordsA[wordA + 2] || wordsB[wordB + 4] !== wordsA[wordA + 4]) mark(b, a, home)
  }
}

/** Sections of one role that have mates, in the order of the object before. */
function pairsOf(b: Side, wanted: number): number[] {
  const found: number[] = []
  for (let index = 1; index < b.outline.sections; index++)
    if (b.roles[index] === wanted && b.sections[index]! >= 0) found.push(index)
  return found
}

/**
 * Compares parts of two files, many at once as long as they lie side by side on both sides.
 * @param parts pairs of parts: where each begins in both files, and their bytes
 * @param differ told the number of each pair that differs
 */
function compareParts(
  b: Buffer,
  a: Buffer,
  parts: { readonly inB: Uint32Array; readonly inA: Uint32Array; readonly length: Uint32Array },
  differ: (nth: number) => void,
): void {
  const { inB, inA, length } = parts
  const compare = (from: number, to: number): void => {
    const endB = inB[to]! + length[to]!
    const endA = inA[to]! + length[to]!
    if (b.compare(a, inA[from]!, endA, inB[from]!, endB) === 0) return
    if (from === to) {
      differ(from)
      return
    }
    const middle = (from + to) >> 1
    compare(from, middle)
    compare(middle + 1, to)
  }
  for (let from = 0; from < length.length; ) {
    let to = from
    while (to + 1 < length.length) {
      const end = inB[to]! + length[to]!
      const gap = inB[to + 1]! - end
      if (gap < 0 || gap > 64 || inA[to + 1]! - inA[to]! !== inB[to + 1]! - inB[to]!) break
      to++
    }
    compare(from, to)
    from = to + 1
  }
}

/** Sections whose bytes or headers differ. */
function markBytes(b: Side, a: Side): void {
  const list: number[] = []
  for (const index of pairsOf(b, role.ordinary)) {
    const mate = b.sections[index]!
    const [headerB, headerA] = [headerOf(b.outline, index), headerOf(a.outline, mate)]
    const same =
      b.outline.words[headerB + 8] === a.outline.words[headerA + 8] &&
      b.outline.words[headerB + 12] === a.outline.words[headerA + 12] &&
      b.outline.words[headerB + 14] === a.outline.words[headerA + 14]
    if (!same) mark(b, a, index)
    else if (b.outline.length[index]! > 0) list.push(index)
  }
  compareParts(b.outline.bytes, a.outline.bytes, partsOf(b, a, list), (nth) => mark(b, a, list[nth]!))
}

function emptyParts(count: number) {
  return { inB: new Uint32Array(count), inA: new Uint32Array(count), length: new Uint32Array(count) }
}

/** The bytes of sections that are equally long in both objects. */
function partsOf(b: Side, a: Side, list: readonly number[]) {
  const parts = emptyParts(list.length)
  for (let nth = 0; nth < list.length; nth++) {
    const index = list[nth]!
    parts.inB[nth] = b.outline.at[index]!
    parts.inA[nth] = a.outline.at[b.sections[index]!]!
    parts.length[nth] = b.outline.length[index]!
  }
  return parts
}

interface Comparer {
  /** True when symbols have the same numbers in both objects, and the same strings lie at the same places. */
  readonly plain: boolean
  /** True when `count` relocations mean the same: `inB`, `inA` are their first words, `shift` what offsets differ by. */
  relocations(inB: number, inA: number, count: number, shift: number): boolean
}

function comparer(b: Side, a: Side): Comparer {
  const [wordsB, wordsA] = [b.outline.words, a.outline.words]
  /** As `b.symbols`, but -1 also for what lies among strings that differ. */
  const peer = b.symbols.slice()
  let plain = a.outline.like !== undefined
  peer[0] = 0
  for (const index of pairsOf(b, role.strings)) {
    const mate = b.sections[index]!
    const [atB, atA] = [b.outline.at[index]!, a.outline.at[mate]!]
    const [endB, endA] = [atB + b.outline.length[index]!, atA + a.outline.length[mate]!]
    const sameSize =
      b.outline.words[headerOf(b.outline, index) + 14] === a.outline.words[headerOf(a.outline, mate) + 14]
    if (sameSize && b.outline.bytes.compare(a.outline.bytes, atA, endA, atB, endB) === 0) continue
    plain = false
    for (const symbol of b.symbolsOf(index)) peer[symbol] = -1
  }
  const isSameString = (wordB: number, wordA: number): boolean => {
    const [symbolB, symbolA] = [wordsB[wordB + 3]!, wordsA[wordA + 3]!]
    const [homeB, homeA] = [b.outline.home[symbolB] ?? -1, a.outline.home[symbolA] ?? -1]
    if (homeB < 0 || homeA < 0 || b.roles[homeB] !== role.strings || a.roles[homeA] !== role.strings)
      return false
    // Where a distance leads depends on the instruction.
    const type = wordsB[wordB + 2]
    if (type !== relocationType.abs32s && type !== relocationType.abs64) return false
    if (wordsB[wordB + 5] !== 0 || wordsA[wordA + 5] !== 0) return false
    if (!isPlainStrings(b, homeB) || !isPlainStrings(a, homeA)) return false
    if (!isOfSection(b, symbolB) || !isOfSection(a, symbolA)) return false
    const [atB, atA] = [wordsB[wordB + 4]!, wordsA[wordA + 4]!]
    const length = Math.min(b.outline.length[homeB]! - atB, a.outline.length[homeA]! - atA)
    const [inB, inA] = [b.outline.at[homeB]! + atB, a.outline.at[homeA]! + atA]
    for (let nth = 0; nth < length; nth++) {
      const byte = b.outline.bytes[inB + nth]
      if (byte !== a.outline.bytes[inA + nth]) return false
      if (byte === 0) return true
    }
    return false
  }
  return {
    plain,
    relocations(inB, inA, count, shift) {
      const end = inB + count * relocationWords
      for (let [wordB, wordA] = [inB, inA]; wordB < end; wordB += relocationWords, wordA += relocationWords) {
        if (wordsB[wordB]! + shift !== wordsA[wordA] || wordsB[wordB + 1] !== wordsA[wordA + 1]) return false
        if (wordsB[wordB + 2] !== wordsA[wordA + 2]) return false
        const isSame =
          peer[wordsB[wordB + 3]!] === wordsA[wordA + 3] &&
          wordsB[wordB + 4] === wordsA[wordA + 4] &&
          wordsB[wordB + 5] === wordsA[wordA + 5]
        if (!isSame && !isSameString(wordB, wordA)) return false
      }
      return true
    },
  }
}

/** Strings of bytes. */
function isPlainStrings({ outline }: Side, section: number): boolean {
  return outline.words[headerOf(outline, section) + 14]! <= 1
}

function isOfSection({ outline }: Side, symbol: number): boolean {
  const word = outline.symbolTable + symbol * symbolWords
  return (outline.words[word + 1]! & 0xf) === symbolType.section && outline.words[word + 2] === 0
}

/** True when code out of line is the same; whose it is says only who jumps there. */
function hasSameOutOfLine(b: Side, a: Side, same: Comparer): boolean {
  const list = pairsOf(b, role.outOfLine)
  const count = (side: Side) => side.roles.reduce((sum, own) => sum + Number(own === role.outOfLine), 0)
  if (list.length !== count(b) || list.length !== count(a)) return false
  return list.every((index) => {
    const mate = b.sections[index]!
    const [inB, inA] = [b.outline.at[index]!, a.outline.at[mate]!]
    const [endB, endA] = [inB + b.outline.length[index]!, inA + a.outline.length[mate]!]
    const relocations = relocationCount(b.outline, index)
    return (
      b.outline.bytes.compare(a.outline.bytes, inA, endA, inB, endB) === 0 &&
      relocations === relocationCount(a.outline, mate) &&
      (relocations === 0 ||
        same.relocations(relocationsAt(b.outline, index), relocationsAt(a.outline, mate), relocations, 0))
    )
  })
}

/** Sections whose relocations differ. */
function markRelocations(b: Side, a: Side, same: Comparer): void {
  const list: number[] = []
  for (const index of pairsOf(b, role.ordinary)) {
    if (b.differs[index] === 1) continue
    const count = relocationCount(b.outline, index)
    if (count !== relocationCount(a.outline, b.sections[index]!)) mark(b, a, index)
    else if (count > 0) list.push(index)
  }
  const look = (index: number) => {
    const count = relocationCount(b.outline, index)
    const [inB, inA] = [relocationsAt(b.outline, index), relocationsAt(a.outline, b.sections[index]!)]
    if (!same.relocations(inB, inA, count, 0)) mark(b, a, index)
  }
  if (!same.plain) list.forEach(look)
  else {
    const parts = emptyParts(list.length)
    for (let nth = 0; nth < list.length; nth++) {
      const own = b.outline.relocations[list[nth]!]!
      parts.inB[nth] = b.outline.at[own]!
      parts.inA[nth] = a.outline.at[a.outline.relocations[b.sections[list[nth]!]!]!]!
      parts.length[nth] = b.outline.length[own]!
    }
    compareParts(b.outline.bytes, a.outline.bytes, parts, (nth) => look(list[nth]!))
  }
}

/** The code whose rows differ. @returns false when a row is about no code */
function markRows(b: Side, a: Side, same: Comparer): boolean {
  const whose = (side: Side, other: Side, table: Table, from: number, to: number): boolean => {
    for (let nth = from; nth < to; nth++) {
      const owner = table.owner(nth)
      if (owner >= 0) mark(side, other, owner)
      else if (!isObjtoolHint(table.name)) return false
    }
    return true
  }
  const tablesA = new Map(a.tables.map((table) => [table.section, table]))
  for (const table of b.tables) {
    const mate = tablesA.get(b.sections[table.section]!)
    if (mate === undefined) {
      if (!whose(b, a, table, 0, table.count)) return false
      continue
    }
    tablesA.delete(mate.section)
    if (same.plain && table === mate) continue
    const isSame = (nthB: number, nthA: number) => isSameRow(b, table, nthB, a, mate, nthA, same)
    const shorter = Math.min(table.count, mate.count)
    let start = 0
    while (start < shorter && isSame(start, start)) start++
    let end = 0
    while (end < shorter - start && isSame(table.count - 1 - end, mate.count - 1 - end)) end++
    if (!whose(b, a, table, start, table.count - end)) return false
    if (!whose(a, b, mate, start, mate.count - end)) return false
  }
  for (const table of tablesA.values()) if (!whose(a, b, table, 0, table.count)) return false
  return true
}

function isSameRow(
  b: Side,
  table: Table,
  nthB: number,
  a: Side,
  mate: Table,
  nthA: number,
  same: Comparer,
): boolean {
  const [rowB, rowA] = [table.row(nthB), mate.row(nthA)]
  const length = rowB.end - rowB.start
  if (length !== rowA.end - rowA.start || table.relocations !== mate.relocations) return false
  const inB = b.outline.at[table.section]! + rowB.start
  const inA = a.outline.at[mate.section]! + rowA.start
  // The line number in struct bug_entry.
  const line = table.name === '__bug_table' && length === 12
  for (let nth = 0; nth < length; nth++)
    if (!(line && (nth === 8 || nth === 9)) && b.outline.bytes[inB + nth] !== a.outline.bytes[inA + nth])
      return false
  return same.relocations(
    relocationsAt(b.outline, table.section) + rowB.first * relocationWords,
    relocationsAt(a.outline, mate.section) + rowA.first * relocationWords,
    table.relocations,
    rowA.start - rowB.start,
  )
}

/** More rounds than any compiler's output needs. */
const mostRounds = 8

/**
 * What matters by its content makes everything different that refers to it.
 * @returns false when there is no end of it
 */
function spread(b: Side, a: Side): boolean {
  const told: Uint8Array[] = [new Uint8Array(b.outline.sections), new Uint8Array(a.outline.sections)]
  for (let round = 0; round < mostRounds; round++) {
    let some = false
    for (const [nth, side, other] of [
      [0, b, a],
      [1, a, b],
    ] as const) {
      const doubtful = new Uint8Array(side.outline.symbols)
      let any = false
      for (let section = 1; section < side.outline.sections; section++) {
        if (side.differs[section] === 0 || told[nth]![section] === 1) continue
        told[nth]![section] = 1
        some = true
        any = markDoubtful(side, section, doubtful) || any
      }
      if (any) markReferrers(side, other, doubtful)
    }
    if (!some) return true
  }
  return false
}

/** Marks the symbols of a section that differs through which a reference may now mean something else. */
function markDoubtful(side: Side, section: number, doubtful: Uint8Array): boolean {
  const { outline } = side
  const own = side.symbolsOf(section)
  // What has one name is the same thing for everybody, whatever is in it; unless that is not its name any more.
  const renamed = own.some((symbol) => side.symbols[symbol]! < 0)
  const kind = renamed ? naming.content : side.namingOf(section)
  let any = false
  for (const symbol of own) {
    const type = typeOf(outline, symbol)
    const byName = type !== symbolType.section && !isLabel(side.nameOf(symbol))
    const safe =
      kind === naming.one ? byName || type === symbolType.section : kind === naming.several && byName
    if (safe) continue
    doubtful[symbol] = 1
    any = true
  }
  return any
}

function markReferrers(side: Side, other: Side, doubtful: Uint8Array): void {
  const { outline, roles, differs } = side
  const { words } = outline
  for (let section = 1; section < outline.sections; section++) {
    if (roles[section] !== role.ordinary || differs[section] === 1) continue
    const count = relocationCount(outline, section)
    const from = count === 0 ? 0 : relocationsAt(outline, section)
    const end = from + count * relocationWords
    for (let word = from; word < end; word += relocationWords)
      if (doubtful[words[word + 3]!] === 1) {
        mark(side, other, section)
        break
      }
  }
  for (const table of side.tables) {
    const from = relocationsAt(outline, table.section)
    // The first relocation of a row leads to its owner.
    for (let nth = 0; nth < table.count; nth++)
      for (let own = 1; own < table.relocations; own++)
        if (doubtful[words[from + (nth * table.relocations + own) * relocationWords + 3]!] === 1) {
          const owner = table.owner(nth)
          if (owner >= 0) mark(side, other, owner)
        }
  }
}
