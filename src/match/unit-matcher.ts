// SPDX-License-Identifier: GPL-3.0-or-later
// One unit held against the kernel that runs: where a function or datum of it is when its name alone does not say it,
// and whether it is where its name says. What was found out is kept as long as the value.
import type { Atom, SplitObject } from '../diff/object/split-object.ts'
import { getOrInsertComputed, lazy, remembered } from '../ground/values/remembered.ts'
import { type Comparison, compareParts } from './compare.ts'
import { expectationOf } from './expect.ts'
import type { Expectation } from './expectation.ts'
import { type PreparedParts, prepare } from './prepared.ts'
import type { Running } from './running.ts'
import { mapUnit, type UnitMap } from './unit-map.ts'

export class UnitMatcher {
  readonly #expected = new Map<Atom, { readonly expectation: Expectation; readonly parts: PreparedParts }>()
  readonly #map = lazy(() => mapUnit(this.running, this.unit, (atom) => this.#expect(atom).parts))

  /** @param unit the unit before the patch */
  constructor(
    private readonly running: Running,
    private readonly unit: SplitObject,
  ) {}

  /** What a function must look like when it runs. */
  expected(atom: Atom): Expectation {
    return this.#expect(atom).expectation
  }

  compareAt(atom: Atom, address: bigint): Comparison {
    return compareParts(this.#expect(atom).parts, this.running, address)
  }

  /** Where the functions and data of the unit are. */
  get map(): UnitMap {
    return this.#map()
  }

  #expect(atom: Atom) {
    return getOrInsertComputed(this.#expected, atom, () => {
      const expectation = expectationOf(this.unit, atom)
      return { expectation, parts: prepare(expectation) }
    })
  }

  /** @returns the address of the atom's symbol, or undefined when not exactly one candidate fits */
  locate(atom: Atom): bigint | undefined {
    if (atom.kind === 'function') {
      const [only, ...others] = this.running
        .addressesOf(atom.name)
        .filter((address) => this.compareAt(atom, address).matches)
      if (others.length === 0) return only
    }
    return this.map.places.get(atom)
  }

  /**
   * Whether the code of the unit, as it runs, has the atom at `address`. `contradicted`: it has it elsewhere, or the
   * code there is another; `unknown`: nothing tells.
   */
  confirm(atom: Atom, address: bigint): 'confirmed' | 'contradicted' | 'unknown' {
    if (atom.kind === 'function') {
      const result = this.compareAt(atom, address)
      return result.matches ? 'confirmed' : result.why === 'nothing-there' ? 'unknown' : 'contradicted'
    }
    for (const code of this.unit.referrers(atom)) {
      if (code.kind !== 'function') continue
      // A field that names the datum matches only where it leads to it.
      const found = this.locate(code)
      if (found === undefined) continue
      const comparison = this.compareAt(code, found)
      if (!comparison.matches) continue
      for (const { to, address: place } of comparison.fixed)
        if ('symbol' in to && to.symbol === atom.name && to.own === true)
          if (BigInt.asUintN(64, place - BigInt(to.plus ?? 0)) === address) return 'confirmed'
          else return 'contradicted'
    }
    return 'unknown'
  }
}

/** @returns the matcher of each unit of an object: always the same one for the same unit */
export function unitMatchers(running: (object: string) => Running): (object: string, unit: SplitObject) => UnitMatcher {
  const ofObject = remembered((object: string) =>
    remembered((unit: SplitObject) => new UnitMatcher(running(object), unit)),
  )
  return (object, unit) => ofObject(object)(unit)
}
