// SPDX-License-Identifier: GPL-3.0-or-later
// Is a function of one object the same machine code as one of another, modulo addresses? The one object is of a whole
// unit, the other of an extract of its source: names that the unit defines are only named there, a replaced
// function has another name, static locals have other numbers. What is not the same is put into a class, by
// what the compiler did otherwise.

import { comparison } from '../../diff/compare.ts'
import { type Correlation, correlate } from '../../diff/correlation/correlate.ts'
import { isByContent } from '../../diff/object/by-content.ts'
import { isColdPart, sourceName, stem } from '../../diff/object/compiler-names.ts'
import { isIncidental } from '../../diff/object/diagnostic-data.ts'
import { type Anatomy, anatomy, isCode, type Piece, type Target } from '../../diff/object/split-object.ts'
import { sectionFlag } from '../../elf/format.ts'
import type { ElfSymbol, ObjectFile, Relocation, Section } from '../../elf/read.ts'
import { codeOf, type Difference, differenceOf } from './code-difference.ts'

export type Agreement =
  | { readonly identical: true; readonly carried: readonly CarriedDifference[] }
  | (Difference & { readonly identical: false; readonly carried: readonly CarriedDifference[] })

/** Something else that the extract has of its own and the function comes to, and that is not what the unit has. */
export interface CarriedDifference {
  readonly name: string
  /** `second-copy`: data that can be written, of which the unit has one already. */
  readonly class: 'other-code' | 'other-data' | 'second-copy'
  /** One sentence. */
  readonly message: string
}

/**
 * Compares function `name` of one object with `as` of another.
 * @param one the object of the whole unit
 * @param other the object of an extract of the unit's source
 * @param nameOf what a symbol of `other` is called in `one`; by default `as` is `name`, and all others are themselves
 */
export function compareFunction(
  one: ObjectFile,
  other: ObjectFile,
  name: string,
  as: string,
  nameOf: (symbol: string) => string = (symbol) => (symbol === as ? name : symbol),
): Agreement {
  return compareFunctions(one, other, [{ name, as }], nameOf).get(name)!
}

/**
 * Compares several functions at once, which are looked for in each object only once.
 * @param functions what each is called in `one` and in `other`
 * @param nameOf as above; by default the functions' own names
 * @returns the agreement of each, by its name in `one`
 */
export function compareFunctions(
  one: ObjectFile,
  other: ObjectFile,
  functions: readonly { readonly name: string; readonly as: string }[],
  nameOf: (symbol: string) => string = namer(functions),
): ReadonlyMap<string, Agreement> {
  const before = anatomy(one)
  const after = anatomy(renamed(other, (symbol) => plainName(symbol, nameOf)))
  const correlation = correlate(before, after)
  const compare = comparison(before, after, correlation, { linesMoved: true, extract: { nameOf } })
  return new Map(functions.map(({ name }) => [name, agreementOf(name)]))

  function agreementOf(name: string): Agreement {
    const [b, a] = [functionIn(before, name), functionIn(after, name)]
    if (b === undefined || a === undefined)
      return { identical: false, ...missing(name, before, b, after, a), carried: [] }
    const carried = carriedDifferences(before, after, correlation, a, compare)
    const [reason] = compare.functionDifferences(b, a)
    if (reason === undefined) return { identical: true, carried }
    const difference = differenceOf(codeOf(before, b), codeOf(after, a), reason)
    return { identical: false, ...difference, carried }
  }
}

/**
 * Why data of an extract are not what the unit has of the same names: their bytes, their section, or where they lead.
 * @param one the object of the whole unit
 * @param names of data that both have
 * @returns by name; undefined for one that is the same
 */
export function compareData(
  one: ObjectFile,
  other: ObjectFile,
  names: readonly string[],
): ReadonlyMap<string, string | undefined> {
  if (names.length === 0) return new Map()
  const nameOf = (symbol: string) => symbol
  const before = anatomy(one)
  const after = anatomy(renamed(other, (symbol) => plainName(symbol, nameOf)))
  const compare = comparison(before, after, correlate(before, after), {
    linesMoved: false,
    extract: { nameOf },
  })
  const datum = (unit: Anatomy, name: string) => unit.data.find((piece) => piece.name === name)
  return new Map(
    names.map((name) => {
      const [b, a] = [datum(before, name), datum(after, name)]
      return [name, b && a ? compare.dataDifference(b, a) : 'only one of them has it']
    }),
  )
}

/** What symbols of an extract are called in the unit, where only these functions have other names. */
export function namer(functions: readonly { readonly name: string; readonly as: string }[]) {
  const names = new Map(functions.map(({ name, as }) => [as, name]))
  return (symbol: string) => names.get(symbol) ?? symbol
}

/** `livepatch_foo.cold` is `foo.cold` when `livepatch_foo` is `foo`; a label (kernel/include/inarch-source.h) is what it names. */
function plainName(symbol: string, nameOf: (symbol: string) => string): string {
  const own = /^__livepatch_symbol\.[^.]+\.\d+\.(.+)$/.exec(symbol)?.[1]
  if (own !== undefined) return own
  const dot = symbol.indexOf('.', 1)
  return dot < 0 ? nameOf(symbol) : nameOf(symbol.slice(0, dot)) + symbol.slice(dot)
}

/** The object as it would be if its symbols had other names. */
function renamed(object: ObjectFile, nameOf: (symbol: string) => string): ObjectFile {
  const symbols = object.symbols.map((symbol): ElfSymbol => {
    if (symbol.name === '' || symbol.type === 'section' || symbol.type === 'file') return symbol
    const name = nameOf(symbol.name)
    return name === symbol.name ? symbol : { ...symbol, name }
  })
  const known = new Map<number, readonly Relocation[]>()
  return {
    name: object.name,
    sections: object.sections,
    symbols,
    relocations(section: Section) {
      const list =
        known.get(section.index) ??
        object.relocations(section).map((relocation) => {
          const symbol = symbols[relocation.symbol.index]
          return symbol === undefined || symbol === relocation.symbol ? relocation : { ...relocation, symbol }
        })
      known.set(section.index, list)
      return list
    },
    relocationWords: (section) => object.relocationWords(section),
  }
}

function functionIn(unit: Anatomy, name: string): Piece | undefined {
  return unit.functions.find(
    (piece) => piece.name === name || piece.aliases.some((alias) => alias.name === name),
  )
}

function missing(
  name: string,
  before: Anatomy,
  b: Piece | undefined,
  after: Anatomy,
  a: Piece | undefined,
): Difference {
  const [where, unit] = b === undefined ? ['the unit', before] : ['the extract', after]
  const rest = unit.functions.find((piece) => sourceName(piece.name) === name && !isColdPart(piece.name))
  if (rest !== undefined && (a === undefined || b === undefined))
    return {
      class: 'other-clone',
      message: `The compiler made ${rest.name} of ${name} in ${where}, with other parameters`,
    }
  return {
    class: b === undefined ? 'missing' : 'left-out',
    message: `${name} is not in the object of ${where}`,
  }
}

/** Walks what the extract has of its own, from a function on, and compares it with what the unit has. */
function carriedDifferences(
  before: Anatomy,
  after: Anatomy,
  correlation: Correlation,
  from: Piece,
  compare: ReturnType<typeof comparison>,
): CarriedDifference[] {
  const found: CarriedDifference[] = []
  const seen = new Set<Piece>([from])
  for (const piece of seen)
    for (const target of targetsOf(after, piece)) {
      if (target.kind !== 'piece' || seen.has(target.piece)) continue
      seen.add(target.piece)
      const difference = carriedDifference(before, correlation, target.piece, compare)
      if (difference !== undefined) found.push(difference)
    }
  return found
}

function carriedDifference(
  before: Anatomy,
  correlation: Correlation,
  piece: Piece,
  compare: ReturnType<typeof comparison>,
): CarriedDifference | undefined {
  const { name } = piece
  // Cold parts and what has no name count with the function that uses them.
  if (piece.symbol === undefined || isColdPart(name) || isByContent(piece) || isIncidental(piece))
    return undefined
  const counterpart = correlation.counterpartOf(piece)
  if (counterpart === undefined) {
    if (piece.kind === 'function') return undefined
    const namesake = before.data.find((datum) => stem(datum.name) === stem(name))
    return namesake === undefined || !isWritable(piece) ? undefined : secondCopy(name)
  }
  if (piece.kind === 'function') {
    const [reason] = compare.functionDifferences(counterpart, piece)
    return reason === undefined
      ? undefined
      : { name, class: 'other-code', message: `The extract's own ${name} differs: ${reason}` }
  }
  if (isWritable(piece)) return secondCopy(name)
  const reason = compare.dataDifference(counterpart, piece)
  return reason === undefined
    ? undefined
    : { name, class: 'other-data', message: `The extract's own ${name} differs: ${reason}` }
}

function secondCopy(name: string): CarriedDifference {
  return {
    name,
    class: 'second-copy',
    message: `The extract has a ${name} of its own, which can be written, beside the unit's`,
  }
}

function isWritable({ section }: Piece): boolean {
  return (
    (section.flags & sectionFlag.write) !== 0 && !isCode(section) && !/^\.data\.rel\.ro/.test(section.name)
  )
}

function targetsOf(unit: Anatomy, piece: Piece): Target[] {
  return unit.relocations(piece).map((relocation) => unit.target(piece.section, relocation))
}
