// SPDX-License-Identifier: GPL-3.0-or-later
// What the changed functions take and give, before and after the patch: the ground on which the rules about locks,
// references and waiting judge.
import type { ChangedFunction, ChangedFunctions } from '../subject/changed-functions.ts'
import { lastName, lockingOf, type Operation, operationsOf } from './operations.ts'
import type { Kind } from './primitives.ts'

/** How often a function takes and gives one thing. */
export interface Tally {
  readonly take: number
  readonly give: number
}

/** One thing of one function, on both sides. */
export interface Balance {
  readonly of: ChangedFunction
  readonly kind: Kind
  readonly family: string
  /** As the function calls it; empty when the family is the thing. */
  readonly on: string
  /** The same in other functions. */
  readonly key: string
  /** The words that are used, such as `mutex_lock`. */
  readonly words: readonly string[]
  readonly before: Tally
  readonly after: Tally
}

/** A changed function that both sides have, with all that it does. */
export interface PrimitiveUse {
  readonly of: ChangedFunction
  readonly before: readonly Operation[]
  readonly after: readonly Operation[]
  /** The same, with the locks of the functions that it calls. */
  readonly lockingBefore: readonly Operation[]
  readonly lockingAfter: readonly Operation[]
  /** Things by what the function calls them. */
  readonly balances: readonly Balance[]
}

const nothing: Tally = { take: 0, give: 0 }

function tallied(
  operations: readonly Operation[],
): Map<string, { first: Operation; tally: Tally; words: Set<string> }> {
  const found = new Map<string, { first: Operation; tally: Tally; words: Set<string> }>()
  for (const one of operations) {
    const thing = `${one.kind === 'lock' ? 'lock' : one.family} ${one.on || one.family}`
    const known = found.get(thing) ?? { first: one, tally: nothing, words: new Set<string>() }
    found.set(thing, {
      first: known.first,
      tally: { ...known.tally, [one.role]: known.tally[one.role] + 1 },
      words: known.words.add(one.word),
    })
  }
  return found
}

/** The variable that a thing hangs on: `q` of `q->lock`. */
function baseOf(on: string): string {
  return /[A-Za-z_]\w*/.exec(on)?.[0] ?? on
}

/** A lock that belongs to an object and is named by it. */
const isOwnLock = /^(?:folio|sock|bh_sock|mmap_lock)$/

/** `struct mutex *lock = &q->lock;`, on either side. */
function isAlias(one: string, other: string): boolean {
  return one === lastName(other) || other === lastName(one)
}

function wordsOf(definition: ChangedFunction['before']): Set<string> {
  return new Set([...(definition?.head ?? []), ...(definition?.body ?? [])].map(({ text }) => text))
}

/** Joins what is only called otherwise: one name went, one came, and their variable is known to one side only. */
function joinRenamed(of: ChangedFunction, balances: readonly Balance[]): Balance[] {
  const isGone = ({ before, after }: Balance) => before.take + before.give > 0 && after.take + after.give === 0
  const isNew = ({ before, after }: Balance) => before.take + before.give === 0 && after.take + after.give > 0
  const [old, young] = [wordsOf(of.before), wordsOf(of.after)]
  const result = [...balances]
  for (const gone of balances.filter(isGone)) {
    const index = result.findIndex(
      (one) =>
        isNew(one) &&
        (one.key === gone.key
          ? !young.has(baseOf(gone.on)) ||
            !old.has(baseOf(one.on)) ||
            baseOf(one.on) === baseOf(gone.on) ||
            isAlias(gone.on, one.on)
          : one.family === gone.family && isOwnLock.test(one.family) && !young.has(baseOf(gone.on))),
    )
    if (index < 0) continue
    const joined = { ...result[index]!, before: gone.before }
    result.splice(index, 1, joined)
    result.splice(result.indexOf(gone), 1)
  }
  return result
}

/** A changed function that both sides have, and what it does. */
type Sides = Omit<PrimitiveUse, 'balances'>

/**
 * Gives one thing one key: a wrapper's count is that of what it wraps, and where the struct of each lock of one name is
 * known, locks of different structs are different ones.
 */
function withOneKey(all: readonly Sides[]): Sides[] {
  const every = all.flatMap(({ before, after, lockingBefore, lockingAfter }) => [
    ...before,
    ...after,
    ...lockingBefore,
    ...lockingAfter,
  ])
  const wrapped = new Map(every.flatMap(({ key, within }) => (within === undefined ? [] : [[key, within] as const])))
  const unknown = new Set(
    every.flatMap(({ kind, key, owner }) => (kind === 'lock' && owner === undefined ? [key] : [])),
  )
  const keyed = (list: readonly Operation[]) =>
    list.map((one): Operation => {
      const key = wrapped.get(one.key) ?? one.key
      const isOwned = one.owner !== undefined && !unknown.has(one.key)
      return { ...one, key: isOwned ? `${one.owner} ${key}` : key }
    })
  return all.map(({ of, before, after, lockingBefore, lockingAfter }) => ({
    of,
    before: keyed(before),
    after: keyed(after),
    lockingBefore: keyed(lockingBefore),
    lockingAfter: keyed(lockingAfter),
  }))
}

/** What each function that both sides have takes and gives. */
export function primitiveUsesOf(functions: ChangedFunctions): readonly PrimitiveUse[] {
  return functions.facts.once(findPrimitiveUses, functions)
}

function findPrimitiveUses(functions: ChangedFunctions): PrimitiveUse[] {
  const { library } = functions
  const sides = functions.rewritten.map((of): Sides => {
    const before = operationsOf(functions.before, of.before, functions.after, library)
    const after = operationsOf(functions.after, of.after, functions.before, library)
    const lockingBefore = lockingOf(functions.before, of.before, functions.after)
    const lockingAfter = lockingOf(functions.after, of.after, functions.before)
    return { of, before, after, lockingBefore, lockingAfter }
  })
  return withOneKey(sides).flatMap((side): PrimitiveUse[] => {
    const { of, before, after } = side
    const [old, young] = [tallied(before), tallied(after)]
    const balances = [...new Set([...old.keys(), ...young.keys()])].map((thing): Balance => {
      const { first } = (young.get(thing) ?? old.get(thing))!
      return {
        of,
        kind: first.kind,
        family: first.family,
        on: first.on,
        key: first.key,
        words: [...new Set([...(old.get(thing)?.words ?? []), ...(young.get(thing)?.words ?? [])])],
        before: old.get(thing)?.tally ?? nothing,
        after: young.get(thing)?.tally ?? nothing,
      }
    })
    return [{ ...side, balances: joinRenamed(of, balances) }]
  })
}

/** What people call a thing. */
export function titleOf({ family, on, words }: Pick<Balance, 'family' | 'on' | 'words'>): string {
  if (on === '') return words.some((word) => word.startsWith(family)) ? `${family}` : `the ${family}`
  return on
}
