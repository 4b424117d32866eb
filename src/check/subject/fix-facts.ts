// SPDX-License-Identifier: GPL-3.0-or-later
// What is found out about one fix while it is judged. Several rules need the same fact; the first one that asks has it
// made, and the facts are gone with the fix.
import { getOrInsertComputed } from '../../ground/values/remembered.ts'

/** Makes a fact about a thing, with what it needs besides, which is the same for the whole fix. */
type Find<Of, Context extends readonly unknown[], Fact> = (of: Of, ...context: Context) => Fact

export class FixFacts {
  readonly #facts = new Map<unknown, Map<unknown, unknown>>()

  /** What `find` says of `of`; it is called once for each thing. */
  once<Of, Context extends readonly unknown[], Fact>(find: Find<Of, Context, Fact>, of: Of, ...context: Context): Fact {
    const known = getOrInsertComputed(this.#facts, find, () => new Map<unknown, unknown>())
    if (!known.has(of)) known.set(of, find(of, ...context))
    return known.get(of) as Fact
  }
}
