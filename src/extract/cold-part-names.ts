// SPDX-License-Identifier: GPL-3.0-or-later
// Cold parts that are carried without their function. objtool wants to find the function that a cold part belongs to by
// its name, so such a part is named after the function that uses it.
import { coldParent } from '../diff/object/compiler-names.ts'
import type { Atom } from '../diff/object/split-object.ts'
import type { UnitLookup } from './kernel-lookup.ts'
import type { CarriedSoFar } from './reference-decision.ts'

export class ColdPartNames {
  /** Names of functions that use the cold part of one which stays behind. */
  private readonly adopters = new Map<Atom, string>()
  private taken: Set<string> | undefined

  constructor(
    private readonly lookup: UnitLookup,
    private readonly carried: Pick<CarriedSoFar, 'has'>,
  ) {}

  /** @param whose what uses it @returns its own name when its function is carried */
  nameFor(cold: Atom, whose: Atom): string {
    const { changed, added, change } = this.lookup
    const parent = coldParent(cold.name)
    const adopter = this.adopters.get(whose) ?? coldParent(whose.name)
    const own = this.lookup.family(cold).find(({ name }) => name === parent)
    const isThere = own !== undefined && (changed.has(own) || added.has(own) || this.carried.has(own))
    if (adopter === parent || isThere) return cold.name
    this.adopters.set(cold, adopter)
    this.taken ??= new Set(change.after.functions.map(({ name }) => name))
    let number = 1
    while (this.taken.has(`${adopter}.cold.${number}`)) number++
    const name = `${adopter}.cold.${number}`
    this.taken.add(name)
    return name
  }
}
