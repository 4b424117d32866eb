// SPDX-License-Identifier: GPL-3.0-or-later
// Which section and which symbol of one object are those of the other, told from names and order alone. What is not
// matched here may still be the same thing under another name; that is for who looks closer.
import { symbolBinding, symbolType } from '../../elf/format.ts'
import { bindingOf, isContent, nameOfSection, nameOfSymbol, type Outline, sharedWordOf } from '../../elf/outline.ts'
import { textAt } from '../../elf/part.ts'
import { typeIn } from '../../elf/structures.ts'

/** Of each section or symbol of one object: the number of its match in the other; -1 when it has none. */
export interface IndexMatches {
  readonly after: Int32Array
  readonly before: Int32Array
}

/** Steps that are looked ahead where two lists begin to differ. */
const lookAhead = 48

/** Pairs two lists in their order; where they differ, goes on at the nearest place at which they agree again. */
function pairInOrder(
  before: Int32Array,
  after: Int32Array,
  agree: (b: number, a: number) => boolean,
  matches: IndexMatches,
): void {
  let [b, a] = [0, 0]
  while (b < before.length && a < after.length) {
    if (agree(before[b]!, after[a]!)) {
      matches.after[before[b]!] = after[a]!
      matches.before[after[a]!] = before[b]!
      b++
      a++
      continue
    }
    let [skipB, skipA] = [1, 1]
    search: for (let far = 1; far <= lookAhead; far++)
      for (let near = 0; near <= far; near++) {
        if (b + near < before.length && a + far < after.length && agree(before[b + near]!, after[a + far]!)) {
          ;[skipB, skipA] = [near, far]
          break search
        }
        if (b + far < before.length && a + near < after.length && agree(before[b + far]!, after[a + near]!)) {
          ;[skipB, skipA] = [far, near]
          break search
        }
      }
    b += skipB
    a += skipA
  }
}

/** Pairs what has no match yet by its name, where that is the only one of its kind. */
function pairByName(
  before: Int32Array,
  after: Int32Array,
  nameOf: (side: 'before' | 'after', index: number) => string,
  agree: (b: number, a: number) => boolean,
  matches: IndexMatches,
): void {
  const left = (side: 'before' | 'after', list: Int32Array, match: Int32Array) => {
    const found = new Map<string, number>()
    for (const index of list) {
      if (match[index] !== -1) continue
      const name = nameOf(side, index)
      found.set(name, found.has(name) ? -1 : index)
    }
    return found
  }
  const named = left('before', before, matches.after)
  if (named.size === 0) return
  for (const [name, a] of left('after', after, matches.before)) {
    const b = named.get(name) ?? -1
    if (a < 0 || b < 0 || !agree(b, a)) continue
    matches.after[b] = a
    matches.before[a] = b
  }
}

function none(before: number, after: number): IndexMatches {
  return {
    after: new Int32Array(before).fill(-1),
    before: new Int32Array(after).fill(-1),
  }
}

/** Each with the one of its number. */
function oneToOne(count: number): IndexMatches {
  const matches = new Int32Array(count)
  for (let index = 0; index < count; index++) matches[index] = index
  return { after: matches, before: matches }
}

/** True when two tables of names are the same to the byte. */
function isSameTable(b: Buffer, inB: number, lengthB: number, a: Buffer, inA: number, lengthA: number): boolean {
  return lengthB === lengthA && b.compare(a, inA, inA + lengthA, inB, inB + lengthB) === 0
}

function contentOf({ sections, type }: Outline): Int32Array {
  const found = new Int32Array(sections)
  let count = 0
  for (let index = 1; index < sections; index++) if (isContent(type[index]!)) found[count++] = index
  return found.subarray(0, count)
}

/** Compares texts of two tables, given by their places in the files. */
type SameText = (inB: number, inA: number) => boolean

/** @param table where each of two tables of names begins, and its bytes. Each text ends with a NUL, which is there. */
function textComparer(
  b: Buffer,
  a: Buffer,
  table: { readonly inB: number; readonly inA: number; readonly lengthB: number; readonly lengthA: number },
): SameText {
  const { inB, inA, lengthB, lengthA } = table
  const known = isSameTable(b, inB, lengthB, a, inA, lengthA)
  const shift = inA - inB
  return (atB, atA) => {
    if (known && atB + shift === atA) return true
    let [at, to] = [atB, atA]
    for (; b[at] === a[to]; at++, to++) if (b[at] === 0) return true
    return false
  }
}

/** The sections with content of two objects; undefined when one without a match is called like one that has one. */
export function matchSections(before: Outline, after: Outline): IndexMatches | undefined {
  if (after.like?.outline === before) return oneToOne(before.sections)
  const matches = none(before.sections, after.sections)
  const [listBefore, listAfter] = [contentOf(before), contentOf(after)]
  const isSameText = textComparer(before.bytes, after.bytes, {
    inB: before.sectionNames,
    inA: after.sectionNames,
    lengthB: before.sectionNamesLength,
    lengthA: after.sectionNamesLength,
  })
  const agree = (b: number, a: number) =>
    before.type[b] === after.type[a] &&
    before.flags[b] === after.flags[a] &&
    isSameText(nameOfSection(before, b), nameOfSection(after, a))
  pairInOrder(listBefore, listAfter, agree, matches)
  const nameOf = (side: 'before' | 'after', index: number) => {
    const outline = side === 'before' ? before : after
    return textAt(outline, nameOfSection(outline, index))
  }
  pairByName(listBefore, listAfter, nameOf, agree, matches)
  const left = new Set<string>()
  for (const index of listBefore) if (matches.after[index]! < 0) left.add(nameOf('before', index))
  for (const index of listAfter) if (matches.before[index]! < 0) left.add(nameOf('after', index))
  for (const name of left)
    for (const [outline, match] of [
      [before, matches.after],
      [after, matches.before],
    ] as const)
      if (sectionsCalled(outline, name).some((index) => match[index]! >= 0)) return undefined
  return matches
}

/** @returns the sections of a name */
function sectionsCalled({ bytes, sections, name, sectionNames, sectionNamesLength }: Outline, text: string) {
  const wanted = Buffer.from(`${text}\0`, 'latin1')
  const places = new Set<number>()
  const end = sectionNames + sectionNamesLength
  for (let at = bytes.indexOf(wanted, sectionNames); at >= 0 && at < end; at = bytes.indexOf(wanted, at + 1))
    places.add(at)
  const found: number[] = []
  for (let index = 1; index < sections; index++) if (places.has(sectionNames + name[index]!)) found.push(index)
  return found
}

/** The symbols of two objects. */
export function matchSymbols(before: Outline, after: Outline, sections: IndexMatches): IndexMatches {
  if (after.like?.outline === before) return oneToOne(before.symbols)
  const matches = none(before.symbols, after.symbols)
  const all = (count: number) => new Int32Array(count).map((_, index) => index)
  const isSameText = textComparer(before.bytes, after.bytes, {
    inB: before.symbolNames,
    inA: after.symbolNames,
    lengthB: before.symbolNamesLength,
    lengthA: after.symbolNamesLength,
  })
  const agree = (b: number, a: number) => {
    // st_info and st_other.
    const info = sharedWordOf(before, b) & 0xffff
    if (info !== (sharedWordOf(after, a) & 0xffff)) return false
    const [homeB, homeA] = [before.home[b]!, after.home[a]!]
    if (homeB < 0 ? homeB !== homeA : sections.after[homeB] !== homeA) return false
    if (typeIn(info) === symbolType.section) return true
    return isSameText(nameOfSymbol(before, b), nameOfSymbol(after, a))
  }
  const [listBefore, listAfter] = [all(before.symbols), all(after.symbols)]
  pairInOrder(listBefore, listAfter, agree, matches)
  // Globals stand in the order in which the unit first needs them, so one more call may move a name.
  const nameOf = (side: 'before' | 'after', index: number) => {
    const outline = side === 'before' ? before : after
    return `${bindingOf(outline, index)} ${textAt(outline, nameOfSymbol(outline, index))}`
  }
  const isGlobal = (outline: Outline) => (index: number) => bindingOf(outline, index) !== symbolBinding.local
  pairByName(listBefore.filter(isGlobal(before)), listAfter.filter(isGlobal(after)), nameOf, agree, matches)
  return matches
}
