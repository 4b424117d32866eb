// SPDX-License-Identifier: GPL-3.0-or-later
// Finds where in the running kernel a function or datum of one unit is, when its name alone does not say it, and
// confirms where it is when the name does.
import type { Atom, SplitObject } from '../diff/object/split-object.ts'
import { compare } from './compare.ts'
import { expectationOf } from './expect.ts'
import type { Running } from './running.ts'
import { mapUnit } from './unit-map.ts'

/**
 * @param unit the unit before the patch
 * @returns the address of `atom`'s symbol, or undefined when not exactly one candidate fits
 */
export function locate(running: Running, unit: SplitObject, atom: Atom): bigint | undefined {
  if (atom.kind === 'function') {
    const expectation = expectationOf(unit, atom)
    const [only, ...others] = running
      .addressesOf(atom.name)
      .filter((address) => compare(expectation, running, address).matches)
    if (others.length === 0) return only
  }
  return mapUnit(running, unit).places.get(atom)
}

/**
 * Whether the code of the unit, as it runs, has `atom` at `address`. `contradicted`: it has it elsewhere, or the code
 * there is another; `unknown`: nothing tells.
 */
export function confirm(
  running: Running,
  unit: SplitObject,
  atom: Atom,
  address: bigint,
): 'confirmed' | 'contradicted' | 'unknown' {
  if (atom.kind === 'function') {
    const result = compare(expectationOf(unit, atom), running, address)
    return result.matches ? 'confirmed' : result.why === 'nothing-there' ? 'unknown' : 'contradicted'
  }
  for (const code of unit.referrers(atom)) {
    if (code.kind !== 'function') continue
    // A field that names the datum matches only where it leads to it.
    const found = locate(running, unit, code)
    if (found === undefined) continue
    const comparison = compare(expectationOf(unit, code), running, found)
    if (!comparison.matches) continue
    for (const { to, address: place } of comparison.fixed)
      if ('symbol' in to && to.symbol === atom.name && to.own === true)
        if (BigInt.asUintN(64, place - BigInt(to.plus ?? 0)) === address) return 'confirmed'
        else return 'contradicted'
  }
  return 'unknown'
}
