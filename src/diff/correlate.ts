// SPDX-License-Identifier: GPL-3.0-or-later
// Pairs each function and datum of the object before the patch with its counterpart after it. The
// compiler renumbers private things freely (foo.isra.3, count.42): a pair is made by what a thing is
// and by who refers to it, not only by what it is called.
import { sectionFlag } from '../elf/format.ts'
import type { Anatomy, Piece } from './anatomy.ts'
import { isIncidental } from './incidental.ts'
import { coldParent, isNumbered, stem } from './names.ts'

export interface Pair {
  readonly before: Piece
  readonly after: Piece
  /** How the two were recognised as one; shown to a reviewer who doubts it. */
  readonly by: 'name' | 'stem' | 'reference'
}

export interface Correlation {
  readonly pairs: readonly Pair[]
  /** The counterpart of a piece of the object after the patch. */
  counterpartOf(after: Piece): Piece | undefined
  /** True when the two are one thing. */
  same(before: Piece, after: Piece): boolean
  /** Static variables that could not be told apart from others of their stem, or that changed their function. */
  readonly ambiguous: readonly Piece[]
}

/** Groups pieces by kind and stem. */
function byStem(pieces: readonly Piece[]): Map<string, Piece[]> {
  const groups = new Map<string, Piece[]>()
  for (const piece of pieces) {
    const key = `${piece.kind} ${stem(piece.name)}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [piece])
    else group.push(piece)
  }
  return groups
}

/** The numbered data that a function refers to, in the order of first reference, by stem. */
function references(anatomy: Anatomy, piece: Piece): Map<string, Piece[]> {
  const found = new Map<string, Piece[]>()
  for (const relocation of anatomy.relocations(piece)) {
    const target = anatomy.target(piece.section, relocation)
    if (target.kind !== 'piece' || target.piece.symbol === undefined || !isNumbered(target.piece.name))
      continue
    const key = `${target.piece.kind} ${stem(target.piece.name)}`
    const list = found.get(key)
    if (list === undefined) found.set(key, [target.piece])
    else if (!list.includes(target.piece)) list.push(target.piece)
  }
  return found
}

/** The stems of the functions that refer to each static local variable. */
function usersOf(anatomy: Anatomy): Map<Piece, Set<string>> {
  const users = new Map<Piece, Set<string>>()
  for (const code of anatomy.functions)
    for (const relocation of anatomy.relocations(code)) {
      const target = anatomy.target(code.section, relocation)
      if (target.kind !== 'piece' || target.piece.kind !== 'data') continue
      const known = users.get(target.piece)
      const user = stem(coldParent(code.name)).replace(/\..*/, '')
      if (known === undefined) users.set(target.piece, new Set([user]))
      else known.add(user)
    }
  return users
}

function isStaticLocal(piece: Piece): boolean {
  return (
    piece.kind === 'data' &&
    isNumbered(piece.name) &&
    (piece.section.flags & sectionFlag.write) !== 0 &&
    !isIncidental(piece)
  )
}

export function correlate(before: Anatomy, after: Anatomy): Correlation {
  const pairs: Pair[] = []
  const partner = new Map<Piece, Piece>()
  const taken = new Set<Piece>()
  const pair = (b: Piece, a: Piece, by: Pair['by']) => {
    pairs.push({ before: b, after: a, by })
    partner.set(a, b)
    taken.add(b)
  }

  // One stem does not make one variable: a function may lose its `count`, and another one get its own.
  let users: readonly [Map<Piece, Set<string>>, Map<Piece, Set<string>>] | undefined
  const haveCommonUser = (b: Piece, a: Piece): boolean => {
    users ??= [usersOf(before), usersOf(after)]
    const [usersBefore, usersAfter] = [users[0].get(b), users[1].get(a)]
    if (usersBefore === undefined || usersAfter === undefined) return true
    return [...usersAfter].some((user) => usersBefore.has(user))
  }
  const doubtful: Piece[] = []

  const beforeGroups = byStem(before.pieces.filter((piece) => piece.symbol !== undefined))
  const open: {
    readonly key: string
    readonly before: readonly Piece[]
    readonly after: readonly Piece[]
  }[] = []
  for (const [key, afterGroup] of byStem(after.pieces.filter((piece) => piece.symbol !== undefined))) {
    const beforeGroup = beforeGroups.get(key)
    if (beforeGroup === undefined) continue
    const [b, a] = [beforeGroup[0], afterGroup[0]]
    if (beforeGroup.length === 1 && afterGroup.length === 1 && b !== undefined && a !== undefined) {
      if ((isStaticLocal(b) || isStaticLocal(a)) && !haveCommonUser(b, a)) doubtful.push(a)
      else pair(b, a, b.name === a.name ? 'name' : 'stem')
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
    // Names from the source are what they say; only the compiler's own numbers are not to be trusted.
    const plain = new Map(
      beforeGroup.filter((piece) => !isNumbered(piece.name)).map((piece) => [piece.name, piece]),
    )
    for (const piece of afterGroup) {
      const same = plain.get(piece.name)
      if (same !== undefined && !taken.has(same)) pair(same, piece, 'name')
    }
    open.push({ key, before: beforeGroup, after: afterGroup })
  }

  // What is left has numbers: ask the functions that are known already who refers to what.
  const contradicted = new Set<Piece>()
  const claims = new Map<Piece, Piece>()
  if (open.some(({ before: group }) => group.some((piece) => !taken.has(piece)))) {
    for (const known of [...pairs]) {
      if (known.before.kind !== 'function') continue
      const inBefore = references(before, known.before)
      for (const [key, list] of references(after, known.after)) {
        const counterparts = inBefore.get(key)
        if (counterparts === undefined || counterparts.length !== list.length) continue
        list.forEach((piece, index) => {
          const counterpart = counterparts[index]
          if (counterpart === undefined || partner.has(piece) || taken.has(counterpart)) return
          const claimed = claims.get(piece)
          if (claimed !== undefined && claimed !== counterpart) contradicted.add(piece)
          claims.set(piece, counterpart)
        })
      }
    }
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
  }

  const ambiguous: Piece[] = [...doubtful]
  for (const group of open) {
    if (!group.before.some((piece) => !taken.has(piece))) continue
    for (const piece of group.after)
      if (piece.kind === 'data' && !partner.has(piece) && !isIncidental(piece)) ambiguous.push(piece)
  }
  return {
    pairs,
    counterpartOf: (piece) => partner.get(piece),
    same: (b, a) => partner.get(a) === b,
    ambiguous,
  }
}
