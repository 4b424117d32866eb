// SPDX-License-Identifier: GPL-3.0-or-later
// Decides whether two pieces of two objects do the same. Bytes are compared as they are; a relocation is
// compared by what it leads to: a named thing by its counterpart, a nameless one by its content. Each
// piece is looked at once, so the whole is linear in bytes and relocations.
import { sectionFlag } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import type { Anatomy, Extent, Piece, TableEntry, Target } from './anatomy.ts'
import type { Correlation } from './correlate.ts'
import { isIncidental } from './incidental.ts'
import { isColdPart, isNumbered, stem } from './names.ts'

/** True for data whose identity nobody can see: it is compared, and carried, by content. */
export function isByContent(piece: Piece): boolean {
  if (piece.kind === 'constant') return true
  return (
    piece.kind === 'data' &&
    piece.symbol?.binding === 'local' &&
    isNumbered(piece.name) &&
    (piece.section.flags & sectionFlag.write) === 0
  )
}

export interface Comparison {
  /** Why the two functions differ; empty when they do the same. */
  functionDifferences(before: Piece, after: Piece): string[]
  /** Why two data differ in their initial value; undefined when they don't. */
  dataDifference(before: Piece, after: Piece): string | undefined
  /** Why two ranges without a name differ. */
  extentDifference(before: Extent, after: Extent): string | undefined
}

/** Content that leads to content that leads to content: no compiler goes so deep. */
const deepest = 200

export function comparison(before: Anatomy, after: Anatomy, correlation: Correlation): Comparison {
  const known = new Map<string, boolean>()
  let depth = 0

  const targetDifference = (b: Target, a: Target): string | undefined => {
    const changed = () => `it refers to ${describeTarget(a)} instead of ${describeTarget(b)}`
    if (b.kind === 'external' && a.kind === 'external')
      return b.name === a.name && b.offset === a.offset ? undefined : changed()
    if (b.kind === 'string' && a.kind === 'string')
      return b.text.equals(a.text) && b.offset - b.start === a.offset - a.start ? undefined : changed()
    if (b.kind === 'absolute' && a.kind === 'absolute') return b.value === a.value ? undefined : changed()
    if (b.kind !== 'piece' || a.kind !== 'piece') return changed()
    if (isIncidental(b.piece) && isIncidental(a.piece))
      return stem(b.piece.name) === stem(a.piece.name) && b.offset === a.offset ? undefined : changed()
    const cold = isColdPart(b.piece.name) && isColdPart(a.piece.name)
    if (cold) {
      if (b.offset !== a.offset || !same(b.piece, a.piece, () => codeDifference(b.piece, a.piece)))
        return `its cold part ${a.piece.name} differs`
      return undefined
    }
    if (isByContent(b.piece) && isByContent(a.piece)) {
      const inBefore = before.extent(b.piece, b.offset)
      const inAfter = after.extent(a.piece, a.offset)
      const sameOffset =
        b.piece.start + b.offset - inBefore.start === a.piece.start + a.offset - inAfter.start
      return sameOffset && sameContent(inBefore, inAfter)
        ? undefined
        : `a constant differs (${describeTarget(a)})`
    }
    return correlation.same(b.piece, a.piece) && b.offset === a.offset ? undefined : changed()
  }

  const relocationDifference = (
    b: readonly Relocation[],
    a: readonly Relocation[],
    fromB: Section,
    fromA: Section,
    startB: number,
    startA: number,
  ): string | undefined => {
    if (b.length !== a.length) return 'it has other relocations'
    for (let index = 0; index < b.length; index++) {
      const [rb, ra] = [b[index], a[index]]
      if (rb === undefined || ra === undefined) continue
      if (rb.offset - startB !== ra.offset - startA || rb.type !== ra.type) return 'it has other relocations'
      const difference = targetDifference(before.target(fromB, rb), after.target(fromA, ra))
      if (difference !== undefined) return difference
    }
    return undefined
  }

  const extentDifference = (b: Extent, a: Extent): string | undefined => {
    if (b.end - b.start !== a.end - a.start)
      return `its size changes from ${b.end - b.start} to ${a.end - a.start} bytes`
    const bytes = firstDifference(b, a)
    if (bytes !== undefined) return `its bytes differ from offset ${bytes} on`
    const inside = (extent: Extent) => (relocation: Relocation) =>
      relocation.offset >= extent.start && relocation.offset < extent.end
    const whole = (extent: Extent) => extent.start === 0 && extent.end === extent.section.size
    const relocationsB = before.object.relocations(b.section)
    const relocationsA = after.object.relocations(a.section)
    return relocationDifference(
      whole(b) ? relocationsB : relocationsB.filter(inside(b)),
      whole(a) ? relocationsA : relocationsA.filter(inside(a)),
      b.section,
      a.section,
      b.start,
      a.start,
    )
  }

  /** Remembers whether two ranges are the same. */
  const same = (b: Extent, a: Extent, difference: () => string | undefined): boolean => {
    const key = `${b.section.index}:${b.start}:${b.end}:${a.section.index}:${a.start}`
    const answer = known.get(key)
    if (answer !== undefined) return answer
    if (depth >= deepest) return false
    // Content that refers back to itself is the same unless something else differs; then all that was
    // concluded from it has to be asked again.
    const earlier = known.size
    known.set(key, true)
    depth++
    const equal = difference() === undefined
    depth--
    if (!equal) {
      for (const later of [...known.keys()].slice(earlier)) known.delete(later)
      known.set(key, false)
    }
    return equal
  }
  const sameContent = (b: Extent, a: Extent): boolean => same(b, a, () => extentDifference(b, a))

  /** Entries name places in the code, so they say something only while the code is the same. */
  const codeDifference = (b: Piece, a: Piece): string | undefined =>
    extentDifference(b, a) ?? tableDifference(before.tableEntries(b), after.tableEntries(a))

  const tableDifference = (b: readonly TableEntry[], a: readonly TableEntry[]): string | undefined => {
    if (b.length !== a.length) return `it has ${a.length} table entries instead of ${b.length}`
    for (let index = 0; index < b.length; index++) {
      const [eb, ea] = [b[index], a[index]]
      if (eb === undefined || ea === undefined) continue
      const name = ea.table.name
      if (eb.table.name !== name) return `its entry in ${name} was one in ${eb.table.name}`
      if (eb.end - eb.start !== ea.end - ea.start || !entryBytes(eb).equals(entryBytes(ea)))
        return `its entry in ${name} differs`
      for (let nth = 0; nth < eb.relocations.length; nth++) {
        const [rb, ra] = [eb.relocations[nth], ea.relocations[nth]]
        if (rb === undefined || ra === undefined) continue
        const [tb, ta] = [before.target(eb.table, rb), after.target(ea.table, ra)]
        if (name === '.altinstructions' && nth === 1) {
          const length = replacementLength(ea)
          const [xb, xa] = [slice(tb, length), slice(ta, length)]
          if (xb === undefined || xa === undefined || !sameContent(xb, xa))
            return `its entry in ${name} differs`
        } else if (targetDifference(tb, ta) !== undefined) return `its entry in ${name} differs`
      }
    }
    return undefined
  }

  return {
    functionDifferences(b, a) {
      const found: string[] = []
      const difference = codeDifference(b, a)
      if (difference !== undefined) found.push(difference)
      if (sectionClass(b.section) !== sectionClass(a.section))
        found.push(`it moves from section ${b.section.name} to ${a.section.name}`)
      return found
    },
    dataDifference(b, a) {
      if (sectionClass(b.section) !== sectionClass(a.section))
        return `it moves from section ${b.section.name} to ${a.section.name}`
      return extentDifference(b, a)
    },
    extentDifference,
  }
}

/** Sections that differ only by the function or datum that they hold are of one class. */
export function sectionClass(section: Section): string {
  return (
    /^\.(text\.unlikely|text\.hot|text\.startup|text|data\.rel\.ro|data\.rel|data|rodata|bss)(?=\.[^.]|$)/.exec(
      section.name,
    )?.[0] ?? section.name
  )
}

function firstDifference(b: Extent, a: Extent): number | undefined {
  // Bytes that the file does not hold are zero on both sides.
  if (b.section.data.length === 0 && a.section.data.length === 0) return undefined
  const bytesB = b.section.data.subarray(b.start, b.end)
  const bytesA = a.section.data.subarray(a.start, a.end)
  if (bytesB.equals(bytesA)) return undefined
  for (let index = 0; index < bytesA.length; index++) if (bytesA[index] !== bytesB[index]) return index
  return bytesA.length
}

/** The bytes of an entry that mean something: the line number of a `__bug_table` entry does not. */
function entryBytes(entry: TableEntry): Buffer {
  const bytes = Buffer.from(entry.table.data.subarray(entry.start, entry.end))
  if (entry.table.name === '__bug_table' && bytes.length >= 12) bytes.writeUInt16LE(0, 8)
  // The last entry has no padding behind it.
  return entry.table.name === '.parainstructions' ? bytes.subarray(0, 10) : bytes
}

/** Bytes of replacement code that an entry of `.altinstructions` names: struct alt_instr's last fields. */
export function replacementLength(entry: TableEntry): number {
  const size = entry.end - entry.start
  return entry.table.data[entry.start + (size === 13 ? 11 : size - 1)] ?? 0
}

function slice(target: Target, length: number): Extent | undefined {
  if (target.kind !== 'piece') return undefined
  const start = target.piece.start + target.offset
  if (start + length > target.piece.section.size) return undefined
  return { section: target.piece.section, start, end: start + length }
}

/** How a person would call it. */
export function describeTarget(target: Target): string {
  switch (target.kind) {
    case 'external':
      return target.name
    case 'string':
      return JSON.stringify(target.text.toString('latin1').replace(/\0$/, ''))
    case 'absolute':
      return `address 0x${target.value.toString(16)}`
    case 'nowhere':
      return `nothing known (${target.why})`
    case 'piece':
      return target.piece.name
  }
}
