// SPDX-License-Identifier: GPL-3.0-or-later
// Which sections of two objects may differ, told without reading them. Nearly always nearly nothing does. Whatever
// can't be told counts as different here; only what is plainly the same on both sides, with all that it leads to, does
// not.
import { symbolType } from '../../elf/format.ts'
import {
  alignmentOf,
  entrySizeOf,
  hasSameBytes,
  type Outline,
  relocationCount,
  relocationsAt,
  sizeOfSection,
  sizeOfSymbol,
  typeOf,
  valueOfSymbol,
} from '../../elf/outline.ts'
import { relocationWord } from '../../elf/structures.ts'
import { isFoundByItself, isSameString } from '../object/by-content.ts'
import { hasSameEntryBytes, isObjtoolHint, isReferredTo } from '../object/tables.ts'
import { matchSections, matchSymbols } from './index-matches.ts'
import { propagate } from './propagate.ts'
import { mark, role, type ScannedObject, scanObject, type Table } from './scanned-object.ts'

export interface Differing {
  readonly before: ScannedObject
  readonly after: ScannedObject
}

/** @returns undefined when the objects have something that asks for a closer look at all of them */
export function findDiffering(before: Outline, after: Outline): Differing | undefined {
  const sections = matchSections(before, after)
  if (sections === undefined) return undefined
  const symbols = matchSymbols(before, after, sections)
  const b = scanObject(before, sections.after, symbols.after)
  if (b === undefined) return undefined
  const alike = after.like === undefined ? undefined : b
  const a = scanObject(after, sections.before, symbols.before, alike)
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
  return propagate(b, a) ? { before: b, after: a } : undefined
}

/** What only one of the objects has. */
function markUnmatched(scanned: ScannedObject, other: ScannedObject): void {
  const { outline, roles, sections, symbols } = scanned
  for (let index = 1; index < outline.sections; index++)
    if (roles[index] === role.ordinary && sections[index]! < 0) mark(scanned, other, index)
  for (let index = 1; index < outline.symbols; index++) {
    const home = outline.home[index]!
    if (home >= 0 && symbols[index]! < 0) mark(scanned, other, home)
  }
}

/** Symbols that are at another place, or have another size. */
function markMoved(b: ScannedObject, a: ScannedObject): void {
  for (let index = 1; index < b.outline.symbols; index++) {
    const match = b.symbols[index]!
    const home = b.outline.home[index]!
    if (match < 0 || home < 0) continue
    const isSame =
      valueOfSymbol(b.outline, index) === valueOfSymbol(a.outline, match) &&
      sizeOfSymbol(b.outline, index) === sizeOfSymbol(a.outline, match)
    if (!isSame) mark(b, a, home)
  }
}

/** Sections of one role that have matches, in the order of the object before. */
function pairsOf(b: ScannedObject, wanted: number): number[] {
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
function markBytes(b: ScannedObject, a: ScannedObject): void {
  const list: number[] = []
  for (const index of pairsOf(b, role.ordinary)) {
    const match = b.sections[index]!
    const same =
      sizeOfSection(b.outline, index) === sizeOfSection(a.outline, match) &&
      alignmentOf(b.outline, index) === alignmentOf(a.outline, match) &&
      entrySizeOf(b.outline, index) === entrySizeOf(a.outline, match)
    if (!same) mark(b, a, index)
    else if (b.outline.length[index]! > 0) list.push(index)
  }
  const parts = partsOf(b, a, list, (_, index) => index)
  compareParts(b.outline.bytes, a.outline.bytes, parts, (nth) => mark(b, a, list[nth]!))
}

/**
 * Where sections lie in both files that are equally long there.
 * @param list sections that have matches
 * @param meant what is meant of each: itself, or its relocations
 */
function partsOf(
  b: ScannedObject,
  a: ScannedObject,
  list: readonly number[],
  meant: (outline: Outline, index: number) => number,
) {
  const [inB, inA, length] = [0, 0, 0].map(() => new Uint32Array(list.length)) as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ]
  for (let nth = 0; nth < list.length; nth++) {
    const own = meant(b.outline, list[nth]!)
    inB[nth] = b.outline.at[own]!
    inA[nth] = a.outline.at[meant(a.outline, b.sections[list[nth]!]!)]!
    length[nth] = b.outline.length[own]!
  }
  return { inB, inA, length }
}

interface Comparer {
  /** True when symbols have the same numbers in both objects, and the same strings lie at the same places. */
  readonly plain: boolean
  /**
   * True when `count` relocations mean the same: `inB`, `inA` are their first words, `shift` what offsets differ by.
   */
  relocations(inB: number, inA: number, count: number, shift: number): boolean
}

function comparer(b: ScannedObject, a: ScannedObject): Comparer {
  const [wordsB, wordsA] = [b.outline.words, a.outline.words]
  /** As `b.symbols`, but -1 also for what lies among strings that differ. */
  const equivalent = b.symbols.slice()
  let plain = a.outline.like !== undefined
  equivalent[0] = 0
  for (const index of pairsOf(b, role.strings)) {
    const match = b.sections[index]!
    const sameSize = entrySizeOf(b.outline, index) === entrySizeOf(a.outline, match)
    if (sameSize && hasSameBytes(b.outline, index, a.outline, match)) continue
    plain = false
    for (const symbol of b.symbolsOf(index)) equivalent[symbol] = -1
  }
  const leadToSameString = (wordB: number, wordA: number): boolean => {
    const [symbolB, symbolA] = [wordsB[wordB + relocationWord.symbol]!, wordsA[wordA + relocationWord.symbol]!]
    const [homeB, homeA] = [b.outline.home[symbolB] ?? -1, a.outline.home[symbolA] ?? -1]
    if (homeB < 0 || homeA < 0 || b.roles[homeB] !== role.strings || a.roles[homeA] !== role.strings) return false
    if (!isFoundByItself(wordsB[wordB + relocationWord.type]!)) return false
    if (wordsB[wordB + relocationWord.addend + 1] !== 0 || wordsA[wordA + relocationWord.addend + 1] !== 0) return false
    if (!isPlainStrings(b, homeB) || !isPlainStrings(a, homeA)) return false
    if (!isOfSection(b, symbolB) || !isOfSection(a, symbolA)) return false
    const [atB, atA] = [wordsB[wordB + relocationWord.addend]!, wordsA[wordA + relocationWord.addend]!]
    const [inB, inA] = [b.outline.at[homeB]!, a.outline.at[homeA]!]
    const [endB, endA] = [inB + b.outline.length[homeB]!, inA + a.outline.length[homeA]!]
    return isSameString(b.outline.bytes, inB + atB, endB, a.outline.bytes, inA + atA, endA)
  }
  const { count: step, offset, type, symbol, addend } = relocationWord
  return {
    plain,
    relocations(inB, inA, count, shift) {
      const end = inB + count * step
      for (let [wordB, wordA] = [inB, inA]; wordB < end; wordB += step, wordA += step) {
        if (wordsB[wordB + offset]! + shift !== wordsA[wordA + offset]) return false
        if (wordsB[wordB + offset + 1] !== wordsA[wordA + offset + 1]) return false
        if (wordsB[wordB + type] !== wordsA[wordA + type]) return false
        const isSame =
          equivalent[wordsB[wordB + symbol]!] === wordsA[wordA + symbol] &&
          wordsB[wordB + addend] === wordsA[wordA + addend] &&
          wordsB[wordB + addend + 1] === wordsA[wordA + addend + 1]
        if (!isSame && !leadToSameString(wordB, wordA)) return false
      }
      return true
    },
  }
}

/** Strings of bytes. */
function isPlainStrings({ outline }: ScannedObject, section: number): boolean {
  return entrySizeOf(outline, section) <= 1
}

function isOfSection({ outline }: ScannedObject, symbol: number): boolean {
  const value = valueOfSymbol(outline, symbol)
  return typeOf(outline, symbol) === symbolType.section && value === 0
}

/** True when code out of line is the same; whose it is says only who jumps there. */
function hasSameOutOfLine(b: ScannedObject, a: ScannedObject, same: Comparer): boolean {
  const list = pairsOf(b, role.outOfLine)
  const count = (scanned: ScannedObject) => scanned.roles.reduce((sum, own) => sum + Number(own === role.outOfLine), 0)
  if (list.length !== count(b) || list.length !== count(a)) return false
  return list.every((index) => {
    const match = b.sections[index]!
    const relocations = relocationCount(b.outline, index)
    return (
      hasSameBytes(b.outline, index, a.outline, match) &&
      relocations === relocationCount(a.outline, match) &&
      (relocations === 0 ||
        same.relocations(relocationsAt(b.outline, index), relocationsAt(a.outline, match), relocations, 0))
    )
  })
}

/** Sections whose relocations differ. */
function markRelocations(b: ScannedObject, a: ScannedObject, same: Comparer): void {
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
    const parts = partsOf(b, a, list, ({ relocations }, index) => relocations[index]!)
    compareParts(b.outline.bytes, a.outline.bytes, parts, (nth) => look(list[nth]!))
  }
}

/** The code whose rows differ. @returns false when a row is about no code */
function markRows(b: ScannedObject, a: ScannedObject, same: Comparer): boolean {
  const whose = (scanned: ScannedObject, other: ScannedObject, table: Table, from: number, to: number): boolean => {
    for (let nth = from; nth < to; nth++) {
      const owner = table.owner(nth)
      // Whose the code out of line is would have to be found out.
      if (owner >= 0 && scanned.roles[owner] === role.outOfLine) return false
      if (owner >= 0) mark(scanned, other, owner)
      else if (!isObjtoolHint(table.name)) return false
    }
    return true
  }
  const tablesA = new Map(a.tables.map((table) => [table.section, table]))
  for (const table of b.tables) {
    const match = tablesA.get(b.sections[table.section]!)
    if (match === undefined) {
      if (!whose(b, a, table, 0, table.count)) return false
      continue
    }
    tablesA.delete(match.section)
    if (same.plain && table === match) continue
    const isSame = (nthB: number, nthA: number) => isSameRow(b, table, nthB, a, match, nthA, same)
    const shorter = Math.min(table.count, match.count)
    let start = 0
    while (start < shorter && isSame(start, start)) start++
    let end = 0
    while (end < shorter - start && isSame(table.count - 1 - end, match.count - 1 - end)) end++
    // Whoever refers to rows has to be looked at.
    const differ = start + end < Math.max(table.count, match.count)
    if (differ && isReferredTo(table)) mark(b, a, table.section)
    if (!whose(b, a, table, start, table.count - end)) return false
    if (!whose(a, b, match, start, match.count - end)) return false
  }
  for (const table of tablesA.values()) if (!whose(a, b, table, 0, table.count)) return false
  return true
}

function isSameRow(
  b: ScannedObject,
  table: Table,
  nthB: number,
  a: ScannedObject,
  match: Table,
  nthA: number,
  same: Comparer,
): boolean {
  const [rowB, rowA] = [table.row(nthB), match.row(nthA)]
  const length = rowB.end - rowB.start
  if (length !== rowA.end - rowA.start || table.relocations !== match.relocations) return false
  const inB = b.outline.at[table.section]! + rowB.start
  const inA = a.outline.at[match.section]! + rowA.start
  const [bytesB, bytesA] = [b.outline.bytes, a.outline.bytes]
  if (!hasSameEntryBytes(table.name, length, bytesB, inB, bytesA, inA)) return false
  return same.relocations(
    relocationsAt(b.outline, table.section) + rowB.first * relocationWord.count,
    relocationsAt(a.outline, match.section) + rowA.first * relocationWord.count,
    table.relocations,
    rowA.start - rowB.start,
  )
}
