// SPDX-License-Identifier: GPL-3.0-or-later
// Pairs each function and datum of the object before the patch with its counterpart after it. The
// compiler renumbers private things freely (foo.isra.3, count.42): a pair is made by what a thing is
// and by who refers to it, not only by what it is called.

import { grouped } from '../../ground/values/grouped.ts'
import { getOrInsertComputed, lazy } from '../../ground/values/remembered.ts'
import { isNumbered, stem } from '../object/compiler-names.ts'
import { isIncidental } from '../object/diagnostic-data.ts'
import type { Atom, Marks, SplitObject } from '../object/split-object.ts'
import {
  type Declarations,
  isStaticLocal,
  type Namesakes,
  pairStatics,
  type StaticUsers,
  staticUsers,
} from '../statics/static-locals.ts'
import { areNamedByCounter, pairEntries } from './table-entries.ts'

export interface Pair {
  readonly before: Atom
  readonly after: Atom
  /** How the two were recognised as one; shown to a reviewer who doubts it. */
  readonly by: 'name' | 'stem' | 'reference' | 'declaration' | 'place' | 'use'
}

export interface Correlation {
  readonly pairs: readonly Pair[]
  /** The counterpart of an atom of the object after the patch. */
  counterpartOf(after: Atom): Atom | undefined
  /** What became of an atom of the object before the patch. */
  successorOf(before: Atom): Atom | undefined
  /** True when the two are one thing. */
  same(before: Atom, after: Atom): boolean
  /**
   * Variables after the patch that can't be told apart from others of their stem, or that changed their function; with
   * those that they may have been.
   */
  readonly ambiguous: ReadonlyMap<Atom, readonly Atom[]>
}

/** Who belongs to whom, by the atoms' indices. */
class Partners {
  private readonly ofBefore: (Atom | undefined)[]
  private readonly ofAfter: (Atom | undefined)[]

  constructor(before: number, after: number) {
    this.ofBefore = new Array(before)
    this.ofAfter = new Array(after)
  }

  join(before: Atom, after: Atom): void {
    this.ofBefore[before.index] = after
    this.ofAfter[after.index] = before
  }

  readonly after = (before: Atom): Atom | undefined => this.ofBefore[before.index]
  readonly before = (after: Atom): Atom | undefined => this.ofAfter[after.index]
}

/** What an atom may be paired by: its kind, its unit in a linked object, and its name without numbers. */
function keyOf(atom: Atom): string {
  return `${atom.kind} ${atom.file} ${stem(atom.name)}`
}

/** Atoms that may be one another's counterparts. */
interface Candidates {
  readonly before: Atom[]
  readonly after: Atom[]
}

/** The atoms of both objects by kind, unit and stem, as `keyOf` but without making so many strings. */
function candidatesOf(before: readonly Atom[], after: readonly Atom[]): Candidates[] {
  const found: Candidates[] = []
  const byKind = { function: new Map(), data: new Map(), constant: new Map() } as const satisfies Record<
    Atom['kind'],
    Map<string, Map<string, Candidates>>
  >
  const enter = (atom: Atom): Candidates => {
    const byFile: Map<string, Map<string, Candidates>> = byKind[atom.kind]
    const byName = getOrInsertComputed(byFile, atom.file, () => new Map())
    return getOrInsertComputed(byName, stem(atom.name), () => {
      const candidates = { before: [], after: [] }
      found.push(candidates)
      return candidates
    })
  }
  for (const atom of before) if (atom.symbol !== undefined) enter(atom).before.push(atom)
  for (const atom of after) if (atom.symbol !== undefined) enter(atom).after.push(atom)
  return found
}

/** The numbered data and clones that a function or datum refers to, in the order of first reference, by key. */
function references(split: SplitObject, atom: Atom, wanted: Marks): Map<string, Atom[]> {
  const numbered = split
    .referredAtoms(atom, wanted)
    .filter(({ symbol, name }) => symbol !== undefined && isNumbered(name))
  return grouped(new Set(numbered), keyOf)
}

/** Marks the symbols of the sections of some atoms. */
function marksOf(split: SplitObject, atoms: readonly Atom[]): Marks {
  return split.marksOf(atoms.map(({ section }) => section))
}

/** The static variables of a group that functions use; undefined when it has none on one of the sides. */
function staticsOf(
  { before, after }: Candidates,
  users: () => readonly [StaticUsers, StaticUsers],
): Namesakes | undefined {
  if (!before.some(isStaticLocal) && !after.some(isStaticLocal)) return undefined
  const [usersBefore, usersAfter] = users()
  const own = {
    before: before.filter((atom) => isStaticLocal(atom) && usersBefore.of(atom) !== undefined),
    after: after.filter((atom) => isStaticLocal(atom) && usersAfter.of(atom) !== undefined),
  }
  return own.before.length === 0 || own.after.length === 0 ? undefined : own
}

/** @param declarations where the source declares the static variables, when somebody has looked */
export function correlate(before: SplitObject, after: SplitObject, declarations?: Declarations): Correlation {
  const pairs: Pair[] = []
  const partners = new Partners(before.atoms.length, after.atoms.length)
  const pair = (b: Atom, a: Atom, by: Pair['by']) => {
    pairs.push({ before: b, after: a, by })
    partners.join(b, a)
  }

  const users = lazy(() => [staticUsers(before), staticUsers(after)] as const)
  const statics: Namesakes[] = []
  const open: Candidates[] = []
  for (const candidates of candidatesOf(before.atoms, after.atoms)) {
    const { before: beforeGroup, after: afterGroup } = candidates
    if (beforeGroup.length === 0 || afterGroup.length === 0) continue
    const [b, a] = [beforeGroup[0], afterGroup[0]]
    if (beforeGroup.length === 1 && afterGroup.length === 1 && b !== undefined && a !== undefined) {
      if (isStaticLocal(b) || isStaticLocal(a)) statics.push(candidates)
      else pair(b, a, b.name === a.name ? 'name' : 'stem')
      continue
    }
    if (areNamedByCounter(before, after, candidates)) {
      pairEntries(before, after, candidates, (b, a) => pair(b, a, 'stem'))
      continue
    }
    // Entries of a table that a macro names by a counter stand in the order of the source.
    if (a?.name.startsWith('__UNIQUE_ID_') && beforeGroup.length === afterGroup.length) {
      for (const [index, atom] of afterGroup.entries()) pair(beforeGroup[index]!, atom, 'stem')
      continue
    }
    const own = staticsOf(candidates, users)
    if (own !== undefined) statics.push(own)
    // Names from the source are what they say; only the compiler's own numbers are not to be trusted.
    const isPlain = (atom: Atom) => !isNumbered(atom.name) && own?.before.includes(atom) !== true
    pairNamesakes(beforeGroup.filter(isPlain), afterGroup, (b, a) => pair(b, a, 'name'))
    open.push(
      own === undefined
        ? candidates
        : {
            before: beforeGroup.filter((atom) => !own.before.includes(atom)),
            after: afterGroup.filter((atom) => !own.after.includes(atom)),
          },
    )
  }
  pairAcrossBindings(before, after, partners, pair)
  const told =
    statics.length === 0
      ? undefined
      : pairStatics(before, after, users, statics, new Map(pairs.map((one) => [one.before, one.after])), declarations)
  for (const one of told?.found ?? []) pair(one.before, one.after, one.by)

  // What is left has numbers: ask what is known already who refers to what.
  const contradicted = new Set<Atom>()
  const claims = new Map<Atom, Atom>()
  const claimReferences = (known: Pair, wantedBefore: Marks, wantedAfter: Marks) => {
    const inBefore = references(before, known.before, wantedBefore)
    if (inBefore.size === 0) return
    for (const [key, list] of references(after, known.after, wantedAfter)) {
      const counterparts = inBefore.get(key)
      if (counterparts === undefined || counterparts.length !== list.length) continue
      for (const [index, atom] of list.entries()) {
        const counterpart = counterparts[index]!
        if (partners.before(atom) !== undefined || partners.after(counterpart) !== undefined) continue
        const claimed = claims.get(atom)
        if (claimed !== undefined && claimed !== counterpart) contradicted.add(atom)
        claims.set(atom, counterpart)
      }
    }
  }
  const unpaired = open.flatMap(({ before: group }) => group.filter((atom) => partners.after(atom) === undefined))
  if (unpaired.length > 0) {
    const wantedBefore = marksOf(before, unpaired)
    const wantedAfter = marksOf(
      after,
      open.flatMap(({ after: group }) => group.filter((atom) => partners.before(atom) === undefined)),
    )
    // What is found so refers to more.
    for (let known: readonly Pair[] = [...pairs]; known.length > 0; ) {
      const from = pairs.length
      for (const one of known) claimReferences(one, wantedBefore, wantedAfter)
      const claimants = new Map<Atom, Atom>()
      for (const [atom, counterpart] of claims) {
        const other = claimants.get(counterpart)
        if (other !== undefined) {
          contradicted.add(atom)
          contradicted.add(other)
        } else claimants.set(counterpart, atom)
      }
      for (const [atom, counterpart] of claims) if (!contradicted.has(atom)) pair(counterpart, atom, 'reference')
      claims.clear()
      known = pairs.slice(from)
    }
  }

  const ambiguous = new Map(told?.undecided)
  for (const group of open) {
    const left = group.before.filter((atom) => partners.after(atom) === undefined)
    if (left.length === 0) continue
    for (const atom of group.after)
      if (atom.kind === 'data' && partners.before(atom) === undefined && !isIncidental(atom)) ambiguous.set(atom, left)
  }
  return {
    pairs,
    counterpartOf: (atom) => partners.before(atom),
    successorOf: (atom) => partners.after(atom),
    same: (b, a) => partners.before(a) === b,
    ambiguous,
  }
}

/** The same without the counterparts of some atoms after the patch, which are new then. */
export function withoutCounterparts(whole: Correlation, added: ReadonlySet<Atom>): Correlation {
  const counterpartOf = (after: Atom) => (added.has(after) ? undefined : whole.counterpartOf(after))
  return {
    pairs: whole.pairs.filter(({ after }) => !added.has(after)),
    counterpartOf,
    successorOf(before) {
      const after = whole.successorOf(before)
      return after === undefined || added.has(after) ? undefined : after
    },
    same: (before, after) => counterpartOf(after) === before,
    ambiguous: whole.ambiguous,
  }
}

/**
 * Pairs what has the same name. A name that several have, as only assembly or a linker makes it, tells them apart no
 * more: they are paired in their order if there are as many, of the same size and in sections of the same name.
 */
function pairNamesakes(before: readonly Atom[], after: readonly Atom[], pair: (b: Atom, a: Atom) => void): void {
  const nameOf = ({ name }: Atom) => name
  const plain = grouped(before, nameOf)
  for (const [name, list] of grouped(after, nameOf)) {
    const others = plain.get(name)
    if (others?.length !== list.length) continue
    const isAlike = ({ section, start, end }: Atom, nth: number) =>
      section.name === others[nth]!.section.name && end - start === others[nth]!.end - others[nth]!.start
    if (list.length > 1 && !list.every(isAlike)) continue
    for (const [nth, a] of list.entries()) pair(others[nth]!, a)
  }
}

/** In a linked object a global's unit does not count: one that becomes static, or was, is found by its name. */
function pairAcrossBindings(
  before: SplitObject,
  after: SplitObject,
  partners: Partners,
  pair: (b: Atom, a: Atom, by: Pair['by']) => void,
): void {
  const left = (atoms: readonly Atom[], partnerOf: (atom: Atom) => Atom | undefined) =>
    grouped(
      atoms.filter((atom) => atom.symbol !== undefined && partnerOf(atom) === undefined),
      ({ kind, name }) => `${kind} ${name}`,
    )
  const leftBefore = left(before.atoms, partners.after)
  for (const [key, [a, ...others]] of left(after.atoms, partners.before)) {
    const [b, ...more] = leftBefore.get(key) ?? []
    if (a === undefined || b === undefined || others.length > 0 || more.length > 0) continue
    if (a.file !== b.file && (a.file === '' || b.file === '')) pair(b, a, 'name')
  }
}
