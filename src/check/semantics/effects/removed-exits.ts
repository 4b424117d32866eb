// SPDX-License-Identifier: GPL-3.0-or-later
// A way out of a function that is gone. What it gave back, the function took itself, and the ways out that are left
// give it back where they did: only the decision to leave is another one.

import type { Statement } from '../../../c/tokens/statements.ts'
import type { Effect } from './effects.ts'

/**
 * Whether an effect of the old function is a release that went with its way out.
 * @param gone the statements that only the old function has, @param come those that only the new one has
 */
export function goneWithExit(gone: readonly Statement[], come: readonly Statement[]): (one: Effect) => boolean {
  // A way out that has another condition now may be the same one, which gives back no longer.
  if (come.some(({ kind }) => kind === 'exit')) return () => false
  const left = new Set(gone.flatMap(({ kind, under }) => (kind === 'exit' ? (under.at(-1) ?? []) : [])))
  return ({ kind, how, statement }) => {
    if ((kind !== 'lock' && kind !== 'count') || /^(?:taken|entered)$/.test(how)) return false
    const condition = statement.under.at(-1)
    return condition !== undefined && left.has(condition)
  }
}
