// SPDX-License-Identifier: GPL-3.0-or-later
// Is an extract what its unit is? The same machine code says so. Where it differs, the compiler may have chosen
// otherwise, since it sees fewer callers and fewer definitions; so both are compiled again, each function by itself,
// without what one function tells the compiler about another. Then the same text is the same code, and whatever still
// differs is a difference of the text.
import { type ObjectFile, within } from '../../elf/read.ts'
import type { DifferenceClass } from './code-difference.ts'
import { type AttributeTable, attributeDifference, placementDifference, placementsIn } from './function-attributes.ts'
import { type CarriedDifference, compareFunctions, namer } from './same-code.ts'

/** How a function of an extract is to the unit's. */
export interface Likeness {
  /** `same-by-source`: only the compiler's choices differ. */
  readonly code:
    | 'identical'
    | 'same-by-source'
    /** The same instructions in another section, which the compiler may have chosen. */
    | 'other-section'
    /** Something of it, or of what it has taken along, is said with other attributes. */
    | 'other-attributes'
    | DifferenceClass
    | CarriedDifference['class']
  /** What differs, in a sentence without a full stop; absent when nothing does. */
  readonly explanation?: string
}

/** The same text, compiled as a whole unit and as an extract. */
export interface BothSides {
  readonly unit: ObjectFile
  readonly extract: ObjectFile
}

/** One of them, compiled without regard to what one function tells about another. */
export interface IsolatedCompilation {
  readonly object: ObjectFile
  readonly attributes: AttributeTable
}

export interface Wanted {
  /** In the unit, and in the extract. */
  readonly name: string
  readonly as: string
  /** Its symbol in the unit, where an asm label gives it another name; and in the extract, where it keeps its name. */
  readonly symbol?: string | undefined
}

/**
 * gcc's flags with which a function is compiled without regard to others, unless the text asks for inlining.
 */
export const byItself: readonly string[] = (
  'inline-functions inline-small-functions inline-functions-called-once partial-inlining ipa-sra ipa-cp ipa-bit-cp ' +
  'ipa-vrp ipa-icf ipa-ra ipa-modref ipa-pure-const ipa-reference ipa-reference-addressable ipa-profile ' +
  'ipa-stack-alignment'
)
  .split(' ')
  .map((pass) => `-fno-${pass}`)

/** By a datum's name in the extract, and the symbols of the unit of which it may be the copy. */
export type IsOwn = (name: string, of: readonly string[]) => boolean

/** From the flags of a unit, others with which it is compiled once more. */
export type Way = (flags: readonly string[]) => readonly string[]

/**
 * In the order in which they are tried. What the compiler was seen to inline carries `inline` in an extract, and may
 * not in the unit; without inlining the word means nothing, but that the kernel's `inline` is not traced. Not
 * every unit compiles so.
 */
const ways: readonly Way[] = [
  (flags) => [...flags, ...byItself],
  (flags) => [
    ...flags.filter((flag) => !/^-(?:pg|mfentry|mrecord-mcount|mnop-mcount)$/.test(flag)),
    ...byItself,
    '-fno-inline',
  ],
]

/** Whether a compiler understands `byItself`. */
export function compilesByItself(compiler: string): boolean {
  return !/clang/.test(compiler)
}

/**
 * @param again compiles both sides in another way; undefined when that can't be done
 * @param nameOf what a symbol of the extract is called in the unit
 * @param isOwn whether the extract may have such data of its own
 * @returns by the functions' names in the unit
 */
export async function likenessOf(
  sides: BothSides,
  functions: readonly Wanted[],
  again: (
    way: Way,
  ) => Promise<{ readonly unit: IsolatedCompilation; readonly extract: IsolatedCompilation } | undefined>,
  symbolOf?: (symbol: string) => string,
  isOwn: IsOwn = () => false,
): Promise<ReadonlyMap<string, Likeness>> {
  const wanted = functions.map(({ name, as, symbol = name }) => ({
    name: symbol,
    as: as === name ? symbol : as,
  }))
  const nameOf = symbolOf ?? namer(wanted)
  const written = namer(functions)
  const first = compared(sides, wanted, nameOf, isOwn)
  const traced = tracedAlike(sides, wanted, nameOf)
  const likenesses = new Map(first)
  // Two copies of a variable are two, whatever the compiler makes of them.
  const open = () =>
    wanted.filter(
      ({ name }) => !['identical', 'same-by-source', 'second-copy'].includes(likenesses.get(name)?.code ?? 'identical'),
    )
  for (const way of ways) {
    const different = open()
    if (different.length === 0) break
    const isolated = await again(way)
    if (isolated === undefined) continue
    const { unit, extract } = isolated
    const attributes = attributeDifference(unit.attributes, extract.attributes, (as) => nameOf(written(as)))
    const compiledAgain = compared({ unit: unit.object, extract: extract.object }, different, nameOf, isOwn)
    for (const [name, { code }] of compiledAgain) {
      const likeness = first.get(name)
      if (code !== 'identical' || likeness === undefined) continue
      if (attributes !== undefined) likenesses.set(name, { code: 'other-attributes', explanation: attributes })
      else if (traced(name)) likenesses.set(name, { ...likeness, code: 'same-by-source' })
    }
  }
  return new Map(functions.map(({ name, symbol = name }) => [name, likenesses.get(symbol)!]))
}

/**
 * Without ftrace's hooks, one that is not to be traced looks like one that is. What the extract has for `inline` may
 * not be traced; but nothing in it may be that is not in the unit.
 * @returns whether the hooks in a function's code are no difference
 */
function tracedAlike(
  { unit, extract }: BothSides,
  wanted: readonly Wanted[],
  nameOf: (symbol: string) => string,
): (name: string) => boolean {
  const [inUnit, inExtract] = [tracedIn(unit), tracedIn(extract)]
  const isMoreTraced = [...inExtract].some(([symbol, isTraced]) => isTraced && inUnit.get(nameOf(symbol)) === false)
  const differing = new Set(
    wanted.filter(({ name, as }) => inUnit.get(name) !== inExtract.get(as)).map(({ name }) => name),
  )
  return (name) => !isMoreTraced && !differing.has(name)
}

/** Whether each function of an object calls ftrace's hook. */
function tracedIn(object: ObjectFile): Map<string, boolean> {
  const found = new Map<string, boolean>()
  for (const { name, type, section, value, size } of object.symbols)
    if (type === 'function' && section !== undefined)
      found.set(
        name,
        within(object.relocations(section), value, value + size).some(({ symbol }) =>
          /^(?:__fentry__|_?mcount)$/.test(symbol.name),
        ),
      )
  return found
}

function compared(
  { unit, extract }: BothSides,
  wanted: readonly Wanted[],
  nameOf: (symbol: string) => string,
  isOwn: IsOwn,
): Map<string, Likeness> {
  const agreements = compareFunctions(unit, extract, wanted, nameOf)
  const [inUnit, inExtract] = [placementsIn(unit), placementsIn(extract)]
  const copies = [...inExtract.keys()].filter((symbol) => wanted.every(({ as }) => as !== symbol))
  const misplaced = placementsOf(copies.map((as) => ({ name: nameOf(as), as })))
  return new Map(
    wanted.map((one): [string, Likeness] => {
      const agreement = agreements.get(one.name)!
      if (!agreement.identical) return [one.name, { code: agreement.class, explanation: agreement.message }]
      const carried = agreement.carried.find((it) => it.class !== 'second-copy' || !isOwn(it.name, it.of ?? []))
      if (carried !== undefined) return [one.name, { code: carried.class, explanation: carried.message }]
      return [one.name, placementsOf([one]) ?? misplaced ?? { code: 'identical' }]
    }),
  )

  /** What the first of some functions that is placed otherwise says. */
  function placementsOf(functions: readonly Wanted[]): Likeness | undefined {
    for (const { name, as } of functions) {
      const [there, here] = [inUnit.get(name), inExtract.get(as)]
      if (there === undefined || here === undefined) continue
      const difference = placementDifference(name, there, here)
      if (difference !== undefined) return difference
    }
    return undefined
  }
}
