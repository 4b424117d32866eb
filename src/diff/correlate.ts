// SPDX-License-Identifier: GPL-3.0-or-later
// Pairs each function and datum of the object before the patch with its counterpart after it. The
// compiler renumbers private things freely (foo.isra.3, count.42): a pair is made by what a thing is
// and by who refers to it, not only by what it is called.
import { sectionFlag } from '../elf/format.ts'
import { type Anatomy, isCode, type Piece } from './anatomy.ts'
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
  readonly ambiguous: ReadonlySet<Piece>
}

/** What a piece may be paired by: its kind, its unit in a linked object, and its name without numbers. */
function keyOf(piece: Piece): string {
  return `${piece.kind} ${piece.file} ${stem(piece.name)}`
}

function grouped(pieces: readonly Piece[], key: (piece: Piece) => string): Map<string, Piece[]> {
  const groups = new Map<string, Piece[]>()
  for (const piece of pieces) {
    if (piece.symbol === undefined) continue
    const name = key(piece)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [piece])
    else group.push(piece)
  }
  return groups
}

/** The numbered data and clones that a function or datum refers to, in the order of first reference, by key. */
function references(anatomy: Anatomy, piece: Piece, wanted: Uint8Array): Map<string, Piece[]> {
  const found = new Map<string, Piece[]>()
  if (!anatomy.refersInto(piece, wanted)) return found
  for (const relocation of anatomy.relocations(piece)) {
    const { section } = relocation.symbol
    if (section === undefined || wanted[section.index] === 0) continue
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

/** Marks the sections of some pieces, by index. */
function sectionsOf(anatomy: Anatomy, pieces: Iterable<Piece>): Uint8Array {
  const marks = new Uint8Array(anatomy.object.sections.length)
  for (const { section } of pieces) marks[section.index] = 1
  return marks
}

/** The source's function that a clone or a part was made of. */
function origin(code: Piece): string {
  return `${code.file} ${coldParent(code.name).replace(/(?<=.)\..*/, '')}`
}

/** Who refers to each static local variable, and which functions refer to which. */
interface Users {
  of(variable: Piece): ReadonlySet<string> | undefined
  /** True when `caller` refers to `callee`. */
  refers(caller: string, callee: string): boolean
  has(name: string): boolean
}

function usersIn(anatomy: Anatomy): Users {
  const users = new Map<Piece, Set<string>>()
  const wanted = sectionsOf(anatomy, anatomy.data.filter(isStaticLocal))
  for (const code of anatomy.functions) {
    let user: string | undefined
    if (!anatomy.refersInto(code, wanted)) continue
    for (const relocation of anatomy.relocations(code)) {
      const { section } = relocation.symbol
      if (section === undefined || wanted[section.index] === 0) continue
      const target = anatomy.target(code.section, relocation)
      if (target.kind !== 'piece' || target.piece.kind !== 'data') continue
      user ??= origin(code)
      const known = users.get(target.piece)
      if (known === undefined) users.set(target.piece, new Set([user]))
      else known.add(user)
    }
  }
  let calls: Map<string, Set<string>> | undefined
  const readCalls = (): Map<string, Set<string>> => {
    const found = new Map<string, Set<string>>()
    for (const code of anatomy.functions) {
      const callees = found.get(origin(code)) ?? new Set()
      found.set(origin(code), callees)
      for (const relocation of anatomy.relocations(code)) {
        const { section } = relocation.symbol
        if (section === undefined || !isCode(section)) continue
        const target = anatomy.target(code.section, relocation)
        if (target.kind === 'piece' && target.piece.kind === 'function') callees.add(origin(target.piece))
      }
    }
    return found
  }
  const known = () => {
    calls ??= readCalls()
    return calls
  }
  return {
    of: (variable) => users.get(variable),
    refers: (caller, callee) => known().get(caller)?.has(callee) ?? false,
    has: (name) => known().has(name),
  }
}

function isStaticLocal(piece: Piece): boolean {
  return (
    piece.kind === 'data' &&
    (piece.section.flags & sectionFlag.write) !== 0 &&
    isNumbered(piece.name) &&
    !isIncidental(piece)
  )
}

/**
 * One stem does not make one variable: a function may lose its `count`, and another one get its own. It is
 * the same when a function uses it before and after, or when the code that uses it has moved: into a
 * function that its old user refers to, or out of one that its new user has taken in.
 */
function isOneVariable(b: Piece, a: Piece, before: Users, after: Users): boolean {
  const [usersBefore, usersAfter] = [before.of(b), after.of(a)]
  if (usersBefore === undefined || usersAfter === undefined) return true
  for (const now of usersAfter) {
    if (usersBefore.has(now)) return true
    for (const then of usersBefore) {
      if (!before.has(now) && after.refers(then, now)) return true
      if (!after.has(then) && before.refers(now, then)) return true
    }
  }
  return false
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

  let users: readonly [Users, Users] | undefined
  const isOne = (b: Piece, a: Piece): boolean => {
    users ??= [usersIn(before), usersIn(after)]
    return isOneVariable(b, a, ...users)
  }
  const doubtful: Piece[] = []

  const beforeGroups = grouped(before.pieces, keyOf)
  const open: {
    readonly before: readonly Piece[]
    readonly after: readonly Piece[]
  }[] = []
  for (const [key, afterGroup] of grouped(after.pieces, keyOf)) {
    const beforeGroup = beforeGroups.get(key)
    if (beforeGroup === undefined) continue
    const [b, a] = [beforeGroup[0], afterGroup[0]]
    if (beforeGroup.length === 1 && afterGroup.length === 1 && b !== undefined && a !== undefined) {
      if ((isStaticLocal(b) || isStaticLocal(a)) && !isOne(b, a)) doubtful.push(a)
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
    open.push({ before: beforeGroup, after: afterGroup })
  }
  pairAcrossBindings(before, after, partner, taken, pair)

  // What is left has numbers: ask what is known already who refers to what.
  const contradicted = new Set<Piece>()
  const claims = new Map<Piece, Piece>()
  const claimReferences = (known: Pair, wantedBefore: Uint8Array, wantedAfter: Uint8Array) => {
    const inBefore = references(before, known.before, wantedBefore)
    if (inBefore.size === 0) return
    for (const [key, list] of references(after, known.after, wantedAfter)) {
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
  const unpaired = open.flatMap(({ before: group }) => group.filter((piece) => !taken.has(piece)))
  if (unpaired.length > 0) {
    const wantedBefore = sectionsOf(before, unpaired)
    const wantedAfter = sectionsOf(
      after,
      open.flatMap(({ after: group }) => group.filter((piece) => !partner.has(piece))),
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

  const ambiguous = new Set(doubtful)
  for (const group of open) {
    if (!group.before.some((piece) => !taken.has(piece))) continue
    for (const piece of group.after)
      if (piece.kind === 'data' && !partner.has(piece) && !isIncidental(piece)) ambiguous.add(piece)
  }
  return {
    pairs,
    counterpartOf: (piece) => partner.get(piece),
    same: (b, a) => partner.get(a) === b,
    ambiguous,
  }
}

/** In a linked object a global's unit does not count: one that becomes static, or was, is found by its name. */
function pairAcrossBindings(
  before: Anatomy,
  after: Anatomy,
  partner: ReadonlyMap<Piece, Piece>,
  taken: ReadonlySet<Piece>,
  pair: (b: Piece, a: Piece, by: Pair['by']) => void,
): void {
  const byName = (piece: Piece) => `${piece.kind} ${piece.name}`
  const left = grouped(
    before.pieces.filter((piece) => piece.symbol !== undefined && !taken.has(piece)),
    byName,
  )
  for (const [key, [a, ...others]] of grouped(
    after.pieces.filter((piece) => piece.symbol !== undefined && !partner.has(piece)),
    byName,
  )) {
    const [b, ...more] = left.get(key) ?? []
    if (a === undefined || b === undefined || others.length > 0 || more.length > 0) continue
    if (a.file !== b.file && (a.file === '' || b.file === '')) pair(b, a, 'name')
  }
}
