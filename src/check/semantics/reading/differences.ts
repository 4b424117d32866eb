// SPDX-License-Identifier: GPL-3.0-or-later
// What a function does more often on one side of the patch than on the other one, whatever it is that is counted.

import type { Definition } from '../../../c/written/functions.ts'
import type { ChangedFunctions, RewrittenFunction, Side } from '../../subject/changed-functions.ts'

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
  { rewritten, before, after }: ChangedFunctions,
  usesOf: (side: Side, own: Definition, other: Side) => readonly Use[],
  isSame: (one: Use, other: Use) => boolean,
): DoneMoreOften<Use>[] {
  const more = (list: readonly Use[], others: readonly Use[]) =>
    list.filter((one) => {
      const same = (other: Use) => isSame(one, other)
      return list.filter(same).length > others.filter(same).length
    })
  return rewritten.map((of) => {
    const [old, young] = [usesOf(before, of.before, after), usesOf(after, of.after, before)]
    return { of, gone: more(old, young), come: more(young, old) }
  })
}
