// SPDX-License-Identifier: GPL-3.0-or-later
// A way out of a function that is gone. What it gave back, the function took itself, and the ways out that are left
// give it back where they did: only the decision to leave is another one.

import type { Statement } from '../../../c/tokens/statements.ts'
import type { Effect } from './effects.ts'

/**
 * Whether an effect of the old function is a release that only went with its way out.
 * @param gone the statements that only the old function has, @param come those that only the new one has
 * @param taken by both functions, what each takes itself; and given back by the new one, as `ownerOf` names it
 */
export function goneWithExit(
  gone: readonly Statement[],
  come: readonly Statement[],
  ownerOf: (one: Effect) => string,
  { taken, given }: { readonly taken: ReadonlySet<string>; readonly given: ReadonlySet<string> },
): (one: Effect) => boolean {
  // A way out that has another condition now may be the same one, which gives back no longer.
  if (come.some(({ kind }) => kind === 'exit')) return () => false
  const left = new Set(gone.flatMap(({ kind, under }) => (kind === 'exit' ? (under.at(-1) ?? []) : [])))
  return (one) => {
    if ((one.kind !== 'lock' && one.kind !== 'count') || /^(?:taken|entered)$/.test(one.how)) return false
    const condition = one.statement.under.at(-1)
    if (condition === undefined || !left.has(condition)) return false
    return taken.has(ownerOf(one)) && given.has(ownerOf(one))
  }
}
