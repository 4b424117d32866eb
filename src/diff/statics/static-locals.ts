// SPDX-License-Identifier: GPL-3.0-or-later
// Which static variable of a function is which after the patch. The compiler numbers those of one name as it likes, and
// blocks of code change places, so neither number nor order says anything. A pair is made by what is known: where the
// source declares the variable, if somebody has looked; code that is as it was and uses it; uses that only one of them
// has. What is left to choose from is not chosen.
import { sectionFlag } from '../../elf/format.ts'
import { addToSet } from '../../ground/values/grouped.ts'
import { getOrInsertComputed, lazy } from '../../ground/values/remembered.ts'
import { isCompilersName, sourceName } from '../object/compiler-names.ts'
import { isIncidental } from '../object/diagnostic-data.ts'
import { type Atom, isCode, type Marks, type SplitObject } from '../object/split-object.ts'
import { type CodeLine, codeLines } from './code-lines.ts'
import { goingTogether, tornApart } from './static-groups.ts'
import { type Deeds, deedsOf, isSameUse, mayBeSameUse, type Reach } from './variable-uses.ts'

/** Two atoms that are one thing; `use`: nothing but how the code uses them says so. */
interface StaticPair {
  readonly before: Atom
  readonly after: Atom
  readonly by: 'declaration' | 'place' | 'use' | 'stem'
}

/** Static variables of one name, whatever its numbers. */
export interface Namesakes {
  readonly before: readonly Atom[]
  readonly after: readonly Atom[]
}

/**
 * Where the source declares the static variables of a unit, by their symbols' names: two that have the same text there
 * are one variable. Undefined for one of which it can't be told.
 */
export interface Declarations {
  readonly before: ReadonlyMap<string, string | undefined>
  readonly after: ReadonlyMap<string, string | undefined>
}

export interface Pairing {
  readonly found: readonly StaticPair[]
  /** Variables after the patch that may be one of several, or new; with those that they may have been. */
  readonly undecided: ReadonlyMap<Atom, readonly Atom[]>
}

/** True for a variable of a function that outlives its calls, and for what the compiler made of a literal. */
export function isStaticLocal(atom: Atom): boolean {
  return (
    atom.kind === 'data' &&
    (atom.section.flags & sectionFlag.write) !== 0 &&
    atom.symbol?.binding === 'local' &&
    isCompilersName(atom.name) &&
    !isIncidental(atom)
  )
}

/** Which functions refer to each static local variable, and which functions refer to which. */
export interface StaticUsers {
  /** Functions as the source has them. */
  of(variable: Atom): ReadonlySet<string> | undefined
  /** True when `caller` refers to `callee`. */
  refers(caller: string, callee: string): boolean
  has(name: string): boolean
  /** The atoms of code that refer to some of the variables. */
  code(variables: ReadonlySet<Atom>): readonly Atom[]
}

/** The source's function that a clone or a part was made of. */
function origin(code: Atom): string {
  return `${code.file} ${sourceName(code.name)}`
}

export function staticUsers(split: SplitObject): StaticUsers {
  const users = new Map<Atom, Set<string>>()
  const code = new Map<Atom, Set<Atom>>()
  const wanted = split.marksOf(split.data.filter(isStaticLocal).map(({ section }) => section))
  for (const user of split.functions)
    for (const variable of referredBy(split, user, wanted)) {
      addToSet(users, variable, origin(user))
      addToSet(code, variable, user)
    }
  const calls = lazy(() => {
    const found = new Map<string, Set<string>>()
    for (const caller of split.functions) {
      const callees = getOrInsertComputed(found, origin(caller), () => new Set())
      for (const relocation of split.relocations(caller)) {
        const { section } = relocation.symbol
        if (section === undefined || !isCode(section)) continue
        const target = split.target(caller.section, relocation)
        if (target.kind === 'atom' && target.atom.kind === 'function') callees.add(origin(target.atom))
      }
    }
    return found
  })
  return {
    of: (variable) => users.get(variable),
    refers: (caller, callee) => calls().get(caller)?.has(callee) ?? false,
    has: (name) => calls().has(name),
    code: (variables) => [...new Set([...variables].flatMap((variable) => [...(code.get(variable) ?? [])]))],
  }
}

/** Data in the marked sections that a function refers to, or a row of a table about it. */
function referredBy(split: SplitObject, code: Atom, wanted: Marks): Set<Atom> {
  const found = [...split.referredAtoms(code, wanted)]
  for (const { table, relocations } of split.tellingEntries(code))
    for (const relocation of relocations.slice(1)) {
      const target = wanted[relocation.symbol.index] === 0 ? undefined : split.target(table, relocation)
      if (target?.kind === 'atom') found.push(target.atom)
    }
  return new Set(found.filter(({ kind }) => kind === 'data'))
}

/**
 * One stem does not make one variable: a function may lose its `count`, and another one get its own. It may be
 * the same when a function uses it before and after, or when the code that uses it has moved: into a
 * function that its old user refers to, or out of one that its new user has taken in.
 */
function isOneFunctions(b: Atom, a: Atom, before: StaticUsers, after: StaticUsers): boolean {
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

/**
 * @param groups static variables, one group for each name; all those of the objects that have it
 * @param known functions whose counterparts are known, by the function before the patch
 */
export function pairStatics(
  before: SplitObject,
  after: SplitObject,
  users: () => readonly [StaticUsers, StaticUsers],
  groups: readonly Namesakes[],
  known: ReadonlyMap<Atom, Atom>,
  declarations?: Declarations,
): Pairing {
  const found: StaticPair[] = []
  const undecided = new Map<Atom, readonly Atom[]>()
  for (const group of groups) {
    if (group.after.length === 0) continue
    const said = declarations && byDeclaration(group, declarations)
    const told =
      group.before.length <= 1 && group.after.length <= 1 ? undefined : readUses(before, after, users(), group, known)
    if (said !== undefined && !contradicts(said, told)) {
      for (const pair of said) found.push(pair)
      continue
    }
    pairGroup(group, users, said === undefined ? told : undefined, { found, undecided })
  }
  const torn = tornGroups(before, after, users, groups, found)
  if (torn.size === 0) return { found, undecided }
  for (const { before: namesakes, after: those } of groups)
    for (const atom of those) if (torn.has(atom)) undecided.set(atom, namesakes)
  return { found: found.filter((pair) => !torn.has(pair.after)), undecided }
}

/** Variables after the patch whose pairs tear apart what goes to one call together. */
function tornGroups(
  before: SplitObject,
  after: SplitObject,
  users: () => readonly [StaticUsers, StaticUsers],
  groups: readonly Namesakes[],
  found: readonly StaticPair[],
): ReadonlySet<Atom> {
  const several = groups.filter((group) => group.before.length > 1 || group.after.length > 1)
  if (several.length === 0 || groups.length < 2) return new Set()
  const [usersBefore, usersAfter] = users()
  const together = (unit: SplitObject, { code }: StaticUsers, side: 'before' | 'after') => {
    const all = new Set(groups.flatMap((group) => group[side]))
    const users = code(new Set(several.flatMap((group) => group[side])))
    return goingTogether(withParts(unit, new Map(users.map((one) => [one, codeLines(unit, one, all)])), all))
  }
  const numbered = new Set(several.flatMap((group) => [...group.before, ...group.after]))
  return tornApart(
    new Map(found.map((pair) => [pair.before, pair.after])),
    together(before, usersBefore, 'before'),
    together(after, usersAfter, 'after'),
    (atom) => numbered.has(atom),
  )
}

/** Undefined unless the source says of each what it is. */
function byDeclaration({ before, after }: Namesakes, declarations: Declarations): StaticPair[] | undefined {
  const places = new Map<string, Atom>()
  for (const atom of before) {
    const place = declarations.before.get(atom.name)
    if (place === undefined || places.has(place)) return undefined
    places.set(place, atom)
  }
  const found: StaticPair[] = []
  const seen = new Set<string>()
  for (const atom of after) {
    const place = declarations.after.get(atom.name)
    if (place === undefined || seen.has(place)) return undefined
    seen.add(place)
    const counterpart = places.get(place)
    if (counterpart !== undefined) found.push({ before: counterpart, after: atom, by: 'declaration' })
  }
  return found
}

function contradicts(said: readonly StaticPair[], told: Evidence | undefined): boolean {
  if (told === undefined) return false
  const pairs = new Map(said.map(({ before, after }) => [after, before]))
  return told.placed.some(({ before, after }) => pairs.get(after) !== before)
}

function pairGroup(
  group: Namesakes,
  users: () => readonly [StaticUsers, StaticUsers],
  told: Evidence | undefined,
  { found, undecided }: { found: StaticPair[]; undecided: Map<Atom, readonly Atom[]> },
): void {
  const left = {
    before: new Set(group.before),
    after: new Set(group.after),
  }
  const take = (pair: StaticPair) => {
    found.push(pair)
    left.before.delete(pair.before)
    left.after.delete(pair.after)
  }
  for (const pair of told?.placed ?? []) take(pair)
  const mayBe = (b: Atom, a: Atom) => isOneFunctions(b, a, ...users())
  /** Those whose code says that they may be one another. */
  const rivals = (atom: Atom, side: 'before' | 'after', all: Iterable<Atom>) =>
    [...all].filter((other) => (side === 'before' ? mayBe(other, atom) : mayBe(atom, other)))
  const byUse: StaticPair[] = []
  // What is told by the first that is done with a variable is not asked for more, which may change.
  for (const uses of told?.uses ?? []) {
    const mayBeOne = (b: Atom, a: Atom) => hasSameContent(b, a) && mayBeSameUse(uses.before.get(b), uses.after.get(a))
    const now: StaticPair[] = []
    for (const a of left.after) {
      const [b, ...more] = rivals(a, 'before', left.before).filter((one) => mayBeOne(one, a))
      if (b === undefined || more.length > 0) continue
      if (!isSameUse(uses.before.get(b), uses.after.get(a))) continue
      const others = rivals(b, 'after', left.after).filter((one) => mayBeOne(b, one))
      if (others.length === 1) now.push({ before: b, after: a, by: 'use' })
    }
    for (const pair of now) take(pair)
    byUse.push(...now)
  }
  // A name and a function say enough where there is nothing to choose from: no other of them is or was in the function.
  const chosen = {
    before: new Set(byUse.map((one) => one.before)),
    after: new Set(byUse.map((one) => one.after)),
  }
  const alone: StaticPair[] = []
  for (const a of left.after) {
    const choice = rivals(a, 'before', left.before)
    const [b] = choice
    if (b === undefined) {
      // Whoever lost one of this name may have handed it on.
      if (left.before.size > 0) undecided.set(a, [...left.before])
      continue
    }
    const siblings =
      choice.length > 1 ||
      rivals(b, 'after', left.after).length > 1 ||
      rivals(a, 'before', chosen.before).length > 0 ||
      rivals(b, 'after', chosen.after).length > 0
    if (siblings) undecided.set(a, choice)
    else alone.push({ before: b, after: a, by: 'stem' })
  }
  for (const pair of alone) take(pair)
}

/** What the code says about the variables of a group. */
interface Evidence {
  /** Used by functions that are as they were. */
  readonly placed: readonly StaticPair[]
  /** What is done with each: little of it, and more. */
  readonly uses: readonly {
    readonly before: ReadonlyMap<Atom, Deeds | undefined>
    readonly after: ReadonlyMap<Atom, Deeds | undefined>
  }[]
}

const reaches: readonly Reach[] = [
  { lines: 16, branches: 3, calls: 1 },
  { lines: 48, branches: 3, calls: 4 },
]

function readUses(
  before: SplitObject,
  after: SplitObject,
  [usersBefore, usersAfter]: readonly [StaticUsers, StaticUsers],
  group: Namesakes,
  known: ReadonlyMap<Atom, Atom>,
): Evidence {
  const read = (unit: SplitObject, users: StaticUsers, variables: readonly Atom[]) => {
    const wanted = new Set(variables)
    return new Map(users.code(wanted).map((code) => [code, codeLines(unit, code, wanted)]))
  }
  const codeBefore = read(before, usersBefore, group.before)
  const codeAfter = read(after, usersAfter, group.after)
  const claims = new Map<Atom, Set<Atom>>()
  for (const [code, lines] of codeBefore) {
    const counterpart = known.get(code)
    const others = counterpart && codeAfter.get(counterpart)
    if (lines === undefined || others === undefined) continue
    for (const [b, a] of atSamePlaces(lines, others)) addToSet(claims, b, a)
  }
  const claimed = new Map<Atom, number>()
  for (const list of claims.values()) for (const a of list) claimed.set(a, (claimed.get(a) ?? 0) + 1)
  const placed = [...claims].flatMap(([b, list]): StaticPair[] => {
    const [a, ...more] = list
    return a === undefined || more.length > 0 || claimed.get(a) !== 1 ? [] : [{ before: b, after: a, by: 'place' }]
  })
  return {
    placed,
    uses: reaches.map((reach) => ({
      before: deedsOf(group.before, withParts(before, codeBefore), reach),
      after: deedsOf(group.after, withParts(after, codeAfter), reach),
    })),
  }
}

/** The lines of code, and of the parts of it that stand elsewhere. */
export function withParts(
  unit: SplitObject,
  code: ReadonlyMap<Atom, readonly CodeLine[] | undefined>,
  wanted: ReadonlySet<Atom> = new Set(),
) {
  const all = new Map(code)
  for (const lines of all.values())
    for (const { to } of lines ?? [])
      if (to !== undefined && !all.has(to.code)) all.set(to.code, codeLines(unit, to.code, wanted))
  return [...all.values()]
}

/** The variables that two functions use, if their code is the same. */
function atSamePlaces(before: readonly CodeLine[], after: readonly CodeLine[]): Map<Atom, Atom> {
  const pairs = new Map<Atom, Atom>()
  if (before.length !== after.length) return pairs
  const taken = new Map<Atom, Atom>()
  for (const [at, line] of before.entries()) {
    const other = after[at]
    if (line.exact !== other?.exact || line.uses.length !== other.uses.length) return new Map()
    for (const [nth, { variable: b, offset }] of line.uses.entries()) {
      const use = other.uses[nth]
      if (use === undefined || use.offset !== offset) return new Map()
      if ((pairs.get(b) ?? use.variable) !== use.variable || (taken.get(use.variable) ?? b) !== b) return new Map()
      pairs.set(b, use.variable)
      taken.set(use.variable, b)
    }
  }
  return pairs
}

/** True when two variables begin with the same value, and nothing else speaks against their being one. */
function hasSameContent(b: Atom, a: Atom): boolean {
  return (
    b.end - b.start === a.end - a.start &&
    b.section.type === a.section.type &&
    b.section.flags === a.section.flags &&
    b.section.data.subarray(b.start, b.end).equals(a.section.data.subarray(a.start, a.end))
  )
}
