// SPDX-License-Identifier: GPL-3.0-or-later
// Where the private symbols of a unit are, as running code tells. Each is in one place, and none is where another is:
// code that says otherwise is other code, though every name in it exists somewhere.
import type { ResolvedField } from './destination.ts'

/** A private symbol, and where it begins. */
export interface Placement {
  readonly name: string
  readonly address: bigint
  /** It has no bytes, such as a lock's key without lockdep; so it may lie where another does. */
  readonly empty: boolean
}

/** What a field says about a private symbol of the unit. */
export function placementBy({ to, address }: ResolvedField): Placement | undefined {
  if (!('symbol' in to) || to.own !== true || to.within !== undefined) return undefined
  return {
    name: to.symbol,
    address: BigInt.asUintN(64, address - BigInt(to.plus ?? 0)),
    empty: to.empty === true,
  }
}

/** True when not both can be. */
export function contradict(one: Placement, other: Placement): boolean {
  if (one.name === other.name) return one.address !== other.address
  return one.address === other.address && !one.empty && !other.empty
}

export class Placements {
  private readonly byName = new Map<string, Placement>()
  private readonly byAddress = new Map<bigint, Placement>()

  constructor(known: Iterable<Placement> = []) {
    for (const one of known) this.add(one)
  }

  /** What says that a symbol can't be there; undefined when nothing does. */
  against(placement: Placement): Placement | undefined {
    const rivals = [this.byName.get(placement.name), this.byAddress.get(placement.address)]
    return rivals.find((one) => one !== undefined && contradict(one, placement))
  }

  add(placement: Placement): void {
    this.byName.set(placement.name, placement)
    if (!placement.empty) this.byAddress.set(placement.address, placement)
  }

  [Symbol.iterator] = () => this.byName.values()
}
