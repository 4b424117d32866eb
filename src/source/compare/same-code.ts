// SPDX-License-Identifier: GPL-3.0-or-later
// Is a function of one object the same machine code as one of another, modulo addresses? The one object is of a whole
// unit, the other of an extract of its source: names that the unit defines are only named there, a replaced
// function has another name, static locals have other numbers. What is not the same is put into a class, by
// what the compiler did otherwise.

import { Comparison } from '../../diff/compare.ts'
import { type Correlation, correlate } from '../../diff/correlation/correlate.ts'
import { isByContent } from '../../diff/object/by-content.ts'
import { isColdPart, sourceName, stem } from '../../diff/object/compiler-names.ts'
import { isIncidental } from '../../diff/object/diagnostic-data.ts'
import { withSymbols } from '../../diff/object/shared-sections.ts'
import { type Atom, isCode, type SplitObject, splitObject, type Target } from '../../diff/object/split-object.ts'
import { sectionFlag } from '../../elf/format.ts'
import type { ElfSymbol, ObjectFile, Relocation, Section } from '../../elf/read.ts'
import { getOrInsertComputed } from '../../ground/values/remembered.ts'
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
  /** Of a second copy: the symbols of the unit, one of which it repeats. */
  readonly of?: readonly string[]
}

/**
 * Compares functions of two objects.
 * @param one the object of the whole unit
 * @param other the object of an extract of the unit's source
 * @param functions what each is called in `one` and in `other`
 * @param nameOf what a symbol of `other` is called in `one`; by default the functions have their names, and all others
 * are themselves
 * @returns the agreement of each, by its name in `one`
 */
export function compareFunctions(
  one: ObjectFile,
  other: ObjectFile,
  functions: readonly { readonly name: string; readonly as: string }[],
  nameOf: (symbol: string) => string = namer(functions),
): ReadonlyMap<string, Agreement> {
  const before = splitObject(one)
  const after = splitObject(renamed(other, (symbol) => plainName(symbol, nameOf)))
  const correlation = correlate(before, after)
  const compare = new Comparison(before, after, correlation, { linesMoved: true, extract: { nameOf } })
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
  const before = splitObject(one)
  const after = splitObject(renamed(other, (symbol) => plainName(symbol, nameOf)))
  const compare = new Comparison(before, after, correlate(before, after), {
    linesMoved: false,
    extract: { nameOf },
  })
  const datum = (unit: SplitObject, name: string) => unit.data.find((atom) => atom.name === name)
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

/**
 * `livepatch_foo.cold` is `foo.cold` when `livepatch_foo` is `foo`; a label (kernel/include/inarch-source.h) is what it
 * names.
 */
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
      return getOrInsertComputed(known, section.index, () => withSymbols(object.relocations(section), symbols))
    },
    relocationWords: (section) => object.relocationWords(section),
  }
}

function functionIn(unit: SplitObject, name: string): Atom | undefined {
  return unit.functions.find((atom) => atom.name === name || atom.aliases.some((alias) => alias.name === name))
}

function missing(
  name: string,
  before: SplitObject,
  b: Atom | undefined,
  after: SplitObject,
  a: Atom | undefined,
): Difference {
  const [where, unit] = b === undefined ? ['the unit', before] : ['the extract', after]
  const rest = unit.functions.find((atom) => sourceName(atom.name) === name && !isColdPart(atom.name))
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
  before: SplitObject,
  after: SplitObject,
  correlation: Correlation,
  from: Atom,
  compare: Comparison,
): CarriedDifference[] {
  const found: CarriedDifference[] = []
  const seen = new Set<Atom>([from])
  for (const atom of seen)
    for (const target of targetsOf(after, atom)) {
      if (target.kind !== 'atom' || seen.has(target.atom)) continue
      seen.add(target.atom)
      const difference = carriedDifference(before, correlation, target.atom, compare)
      if (difference !== undefined) found.push(difference)
    }
  return found
}

function carriedDifference(
  before: SplitObject,
  correlation: Correlation,
  atom: Atom,
  compare: Comparison,
): CarriedDifference | undefined {
  const { name } = atom
  // Cold parts and what has no name count with the function that uses them.
  if (atom.symbol === undefined || isColdPart(name) || isByContent(atom) || isIncidental(atom)) return undefined
  const counterpart = correlation.counterpartOf(atom)
  if (counterpart === undefined) {
    if (atom.kind === 'function') return undefined
    const namesakes = before.data.filter((datum) => stem(datum.name) === stem(name))
    return namesakes.length === 0 || !isWritable(atom) ? undefined : secondCopy(name, namesakes)
  }
  if (atom.kind === 'function') {
    const [reason] = compare.functionDifferences(counterpart, atom)
    return reason === undefined
      ? undefined
      : { name, class: 'other-code', message: `The extract's own ${name} differs: ${reason}` }
  }
  if (isWritable(atom)) return secondCopy(name, [counterpart])
  const reason = compare.dataDifference(counterpart, atom)
  return reason === undefined
    ? undefined
    : { name, class: 'other-data', message: `The extract's own ${name} differs: ${reason}` }
}

function secondCopy(name: string, of: readonly Atom[]): CarriedDifference {
  return {
    name,
    of: of.map((atom) => atom.name),
    class: 'second-copy',
    message: `The extract has a ${name} of its own, which can be written, beside the unit's`,
  }
}

function isWritable({ section }: Atom): boolean {
  return (section.flags & sectionFlag.write) !== 0 && !isCode(section) && !/^\.data\.rel\.ro/.test(section.name)
}

function targetsOf(unit: SplitObject, atom: Atom): Target[] {
  return unit.relocations(atom).map((relocation) => unit.target(atom.section, relocation))
}
