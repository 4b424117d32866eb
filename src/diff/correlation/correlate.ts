// SPDX-License-Identifier: GPL-3.0-or-later
// Pairs each function and datum of the object before the patch with its counterpart after it. The
// compiler renumbers private things freely (foo.isra.3, count.42): a pair is made by what a thing is
// and by who refers to it, not only by what it is called.

import { isNumbered, stem } from '../object/compiler-names.ts'
import { isIncidental } from '../object/diagnostic-data.ts'
import type { Anatomy, Marks, Piece } from '../object/split-object.ts'
import {
  type Declarations,
  isStaticLocal,
  type Namesakes,
  pairStatics,
  type Users,
  usersIn,
} from '../statics/static-locals.ts'
import { areNamedByCounter, pairEntries } from './table-entries.ts'

export interface Pair {
  readonly before: Piece
  readonly after: Piece
  /** How the two were recognised as one; shown to a reviewer who doubts it. */
  readonly by: 'name' | 'stem' | 'reference' | 'declaration' | 'place' | 'use'
}

export interface Correlation {
  readonly pairs: readonly Pair[]
  /** The counterpart of a piece of the object after the patch. */
  counterpartOf(after: Piece): Piece | undefined
  /** What became of a piece of the object before the patch. */
  successorOf(before: Piece): Piece | undefined
  /** True when the two are one thing. */
  same(before: Piece, after: Piece): boolean
  /**
   * Variables after the patch that can't be told apart from others of their stem, or that changed their function; with those that
   * they may have been.
   */
  readonly ambiguous: ReadonlyMap<Piece, readonly Piece[]>
}

/** Who belongs to whom, by the pieces' indices. */
class Partners {
  private readonly ofBefore: (Piece | undefined)[]
  private readonly ofAfter: (Piece | undefined)[]

  constructor(before: number, after: number) {
    this.ofBefore = new Array(before)
    this.ofAfter = new Array(after)
  }

  join(before: Piece, after: Piece): void {
    this.ofBefore[before.index] = after
    this.ofAfter[after.index] = before
  }

  readonly after = (before: Piece): Piece | undefined => this.ofBefore[before.index]
  readonly before = (after: Piece): Piece | undefined => this.ofAfter[after.index]
}

/** What a piece may be paired by: its kind, its unit in a linked object, and its name without numbers. */
function keyOf(piece: Piece): string {
  return `${piece.kind} ${piece.file} ${stem(piece.name)}`
}

/** Pieces that may be one another's counterparts. */
interface Candidates {
  readonly before: Piece[]
  readonly after: Piece[]
}

/** The pieces of both objects by kind, unit and stem, as `keyOf` but without making so many strings. */
function candidatesOf(before: readonly Piece[], after: readonly Piece[]): Candidates[] {
  const found: Candidates[] = []
  const byKind = { function: new Map(), data: new Map(), constant: new Map() } as const satisfies Record<
    Piece['kind'],
    Map<string, Map<string, Candidates>>
  >
  const enter = (piece: Piece): Candidates => {
    const byFile: Map<string, Map<string, Candidates>> = byKind[piece.kind]
    let byName = byFile.get(piece.file)
    if (byName === undefined) {
      byName = new Map()
      byFile.set(piece.file, byName)
    }
    const name = stem(piece.name)
    let candidates = byName.get(name)
    if (candidates === undefined) {
      candidates = { before: [], after: [] }
      byName.set(name, candidates)
      found.push(candidates)
    }
    return candidates
  }
  for (const piece of before) if (piece.symbol !== undefined) enter(piece).before.push(piece)
  for (const piece of after) if (piece.symbol !== undefined) enter(piece).after.push(piece)
  return found
}

/** The numbered data and clones that a function or datum refers to, in the order of first reference, by key. */
function references(anatomy: Anatomy, piece: Piece, wanted: Marks): Map<string, Piece[]> {
  const found = new Map<string, Piece[]>()
  if (!anatomy.refersInto(piece, wanted)) return found
  for (const relocation of anatomy.relocations(piece)) {
    if (wanted[relocation.symbol.index] === 0) continue
    const target = anatomy.target(piece.section, relocation)
    if (target.kind !== 'piece' || target.piece.symbol === undefined || !isNumbered(target.piece.name))
      continue
    const key = keyOf(target.piece)
    const list = found.get(key)
    if (list === undefined) found.set(key, [target.piece])
    else if (!list.includes(target.piece)) list.push(target.piece)
  }
  return found
}

/** Marks the symbols of the sections of some pieces. */
function marksOf(anatomy: Anatomy, pieces: readonly Piece[]): Marks {
  return anatomy.marksOf(pieces.map(({ section }) => section))
}

/** The static variables of a group that functions use; undefined when it has none on one of the sides. */
function staticsOf(
  { before, after }: Candidates,
  users: () => readonly [Users, Users],
): Namesakes | undefined {
  if (!before.some(isStaticLocal) && !after.some(isStaticLocal)) return undefined
  const [usersBefore, usersAfter] = users()
  const own = {
    before: before.filter((piece) => isStaticLocal(piece) && usersBefore.of(piece) !== undefined),
    after: after.filter((piece) => isStaticLocal(piece) && usersAfter.of(piece) !== undefined),
  }
  return own.before.length === 0 || own.after.length === 0 ? undefined : own
}

/** @param declarations where the source declares the static variables, when somebody has looked */
export function correlate(before: Anatomy, after: Anatomy, declarations?: Declarations): Correlation {
  const pairs: Pair[] = []
  const partners = new Partners(before.pieces.length, after.pieces.length)
  const pair = (b: Piece, a: Piece, by: Pair['by']) => {
    pairs.push({ before: b, after: a, by })
    partners.join(b, a)
  }

  let known: readonly [Users, Users] | undefined
  const users = () => {
    known ??= [usersIn(before), usersIn(after)]
    return known
  }
  const statics: Namesakes[] = []
  const open: Candidates[] = []
  for (const candidates of candidatesOf(before.pieces, after.pieces)) {
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
      afterGroup.forEach((piece, index) => {
        const counterpart = beforeGroup[index]
        if (counterpart !== undefined) pair(counterpart, piece, 'stem')
      })
      continue
    }
    const own = staticsOf(candidates, users)
    if (own !== undefined) statics.push(own)
    // Names from the source are what they say; only the compiler's own numbers are not to be trusted.
    const isPlain = (piece: Piece) => !isNumbered(piece.name) && own?.before.includes(piece) !== true
    pairNamesakes(beforeGroup.filter(isPlain), afterGroup, (b, a) => pair(b, a, 'name'))
    open.push(
      own === undefined
        ? candidates
        : {
            before: beforeGroup.filter((piece) => !own.before.includes(piece)),
            after: afterGroup.filter((piece) => !own.after.includes(piece)),
          },
    )
  }
  pairAcrossBindings(before, after, partners, pair)
  const told =
    statics.length === 0
      ? undefined
      : pairStatics(
          before,
          after,
          users,
          statics,
          new Map(pairs.map((one) => [one.before, one.after])),
          declarations,
        )
  for (const one of told?.found ?? []) pair(one.before, one.after, one.by)

  // What is left has numbers: ask what is known already who refers to what.
  const contradicted = new Set<Piece>()
  const claims = new Map<Piece, Piece>()
  const claimReferences = (known: Pair, wantedBefore: Marks, wantedAfter: Marks) => {
    const inBefore = references(before, known.before, wantedBefore)
    if (inBefore.size === 0) return
    for (const [key, list] of references(after, known.after, wantedAfter)) {
      const counterparts = inBefore.get(key)
      if (counterparts === undefined || counterparts.length !== list.length) continue
      list.forEach((piece, index) => {
        const counterpart = counterparts[index]
        if (
          counterpart === undefined ||
          partners.before(piece) !== undefined ||
          partners.after(counterpart) !== undefined
        )
          return
        const claimed = claims.get(piece)
        if (claimed !== undefined && claimed !== counterpart) contradicted.add(piece)
        claims.set(piece, counterpart)
      })
    }
  }
  const unpaired = open.flatMap(({ before: group }) =>
    group.filter((piece) => partners.after(piece) === undefined),
  )
  if (unpaired.length > 0) {
    const wantedBefore = marksOf(before, unpaired)
    const wantedAfter = marksOf(
      after,
      open.flatMap(({ after: group }) => group.filter((piece) => partners.before(piece) === undefined)),
    )
    // What is found so refers to more.
    for (let known: readonly Pair[] = [...pairs]; known.length > 0; ) {
      const from = pairs.length
      for (const one of known) claimReferences(one, wantedBefore, wantedAfter)
      const claimants = new Map<Piece, Piece>()
      for (const [piece, counterpart] of claims) {
        const other = claimants.get(counterpart)
        if (other !== undefined) {
          contradicted.add(piece)
          contradicted.add(other)
        } else claimants.set(counterpart, piece)
      }
      for (const [piece, counterpart] of claims)
        if (!contradicted.has(piece)) pair(counterpart, piece, 'reference')
      claims.clear()
      known = pairs.slice(from)
    }
  }

  const ambiguous = new Map(told?.undecided)
  for (const group of open) {
    const left = group.before.filter((piece) => partners.after(piece) === undefined)
    if (left.length === 0) continue
    for (const piece of group.after)
      if (piece.kind === 'data' && partners.before(piece) === undefined && !isIncidental(piece))
        ambiguous.set(piece, left)
  }
  return {
    pairs,
    counterpartOf: (piece) => partners.before(piece),
    successorOf: (piece) => partners.after(piece),
    same: (b, a) => partners.before(a) === b,
    ambiguous,
  }
}

/**
 * Pairs what has the same name. A name that several have, as only assembly or a linker makes it, tells them apart no more: they are
 * paired in their order if there are as many, of the same size and in sections of the same name.
 */
function pairNamesakes(
  before: readonly Piece[],
  after: readonly Piece[],
  pair: (b: Piece, a: Piece) => void,
): void {
  const byName = (pieces: readonly Piece[]) => {
    const found = new Map<string, Piece[]>()
    for (const piece of pieces) {
      const known = found.get(piece.name)
      if (known === undefined) found.set(piece.name, [piece])
      else known.push(piece)
    }
    return found
  }
  const plain = byName(before)
  for (const [name, list] of byName(after)) {
    const others = plain.get(name)
    if (others?.length !== list.length) continue
    const isAlike = (a: Piece, nth: number) =>
      a.section.name === others[nth]?.section.name && a.end - a.start === others[nth].end - others[nth].start
    if (list.length > 1 && !list.every(isAlike)) continue
    list.forEach((a, nth) => {
      const b = others[nth]
      if (b !== undefined) pair(b, a)
    })
  }
}

/** In a linked object a global's unit does not count: one that becomes static, or was, is found by its name. */
function pairAcrossBindings(
  before: Anatomy,
  after: Anatomy,
  partners: Partners,
  pair: (b: Piece, a: Piece, by: Pair['by']) => void,
): void {
  const left = (pieces: readonly Piece[], partnerOf: (piece: Piece) => Piece | undefined) => {
    const byName = new Map<string, Piece[]>()
    for (const piece of pieces) {
      if (piece.symbol === undefined || partnerOf(piece) !== undefined) continue
      const key = `${piece.kind} ${piece.name}`
      const group = byName.get(key)
      if (group === undefined) byName.set(key, [piece])
      else group.push(piece)
    }
    return byName
  }
  const leftBefore = left(before.pieces, partners.after)
  for (const [key, [a, ...others]] of left(after.pieces, partners.before)) {
    const [b, ...more] = leftBefore.get(key) ?? []
    if (a === undefined || b === undefined || others.length > 0 || more.length > 0) continue
    if (a.file !== b.file && (a.file === '' || b.file === '')) pair(b, a, 'name')
  }
}
