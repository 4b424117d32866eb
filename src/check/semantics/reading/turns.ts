// SPDX-License-Identifier: GPL-3.0-or-later
// What a function does more often on one side of the patch than on the other one, whatever it is that is counted.

import type { Definition } from '../../../c/functions.ts'
import type { ChangedFunctions, RewrittenFunction, Side } from '../../subject/changed-functions.ts'

export interface Turn<Deed> {
  readonly of: RewrittenFunction
  readonly gone: readonly Deed[]
  readonly come: readonly Deed[]
}

/**
 * @param deedsOf what a function of one side does, given the other side
 * @param isSame true for two deeds that count as one kind
 */
export function turnsOf<Deed>(
  { rewritten, before, after }: ChangedFunctions,
  deedsOf: (side: Side, own: Definition, other: Side) => readonly Deed[],
  isSame: (one: Deed, other: Deed) => boolean,
): Turn<Deed>[] {
  const more = (list: readonly Deed[], others: readonly Deed[]) =>
    list.filter((one) => {
      const same = (other: Deed) => isSame(one, other)
      return list.filter(same).length > others.filter(same).length
    })
  return rewritten.map((of) => {
    const [old, young] = [deedsOf(before, of.before, after), deedsOf(after, of.after, before)]
    return { of, gone: more(old, young), come: more(young, old) }
  })
}
