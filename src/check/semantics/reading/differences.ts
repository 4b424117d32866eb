// SPDX-License-Identifier: GPL-3.0-or-later
// What a function has on one side of the patch only, or does more often there, whatever it is that is looked for.

import type { Definition } from '../../../c/written/functions.ts'
import type { ChangedFunctions, RewrittenFunction, Side } from '../../subject/changed-functions.ts'

type Same<Use> = (one: Use, other: Use) => boolean

/** What one list has and the other one has not got at all. */
export function onlyIn<Use>(list: readonly Use[], others: readonly Use[], isSame: Same<Use>): Use[] {
  return list.filter((one) => !others.some((other) => isSame(one, other)))
}

/** What one list has more often than the other one: of a kind of which it has three, and the other one two, all. */
export function moreOftenIn<Use>(list: readonly Use[], others: readonly Use[], isSame: Same<Use>): Use[] {
  return list.filter((one) => {
    const same = (other: Use) => isSame(one, other)
    return list.filter(same).length > others.filter(same).length
  })
}

/** How often each word stands in a list. */
export function countsOf(words: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

export interface DoneMoreOften<Use> {
  readonly of: RewrittenFunction
  readonly gone: readonly Use[]
  readonly come: readonly Use[]
}

/**
 * @param usesOf the uses in a function of one side, given the other side
 * @param isSame true for two uses that count as one kind
 */
export function doneMoreOften<Use>(
  functions: ChangedFunctions,
  usesOf: (side: Side, own: Definition, other: Side) => readonly Use[],
  isSame: Same<Use>,
): DoneMoreOften<Use>[] {
  return functions.rewritten.map((of) => {
    const old = usesOf(functions.before, of.before, functions.after)
    const young = usesOf(functions.after, of.after, functions.before)
    return { of, gone: moreOftenIn(old, young, isSame), come: moreOftenIn(young, old, isSame) }
  })
}
