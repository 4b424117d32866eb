// SPDX-License-Identifier: GPL-3.0-or-later
// Finds where in the running kernel a function or datum of one unit is, when its name alone does not say it, and
// confirms where it is when the name does.
import type { Anatomy, Piece } from '../diff/object/split-object.ts'
import { compare } from './compare.ts'
import { expectationOf } from './expect.ts'
import type { Running } from './running.ts'
import { mapUnit } from './unit-map.ts'

/**
 * @param unit the unit before the patch
 * @returns the address of `piece`'s symbol, or undefined when not exactly one candidate fits
 */
export function locate(running: Running, unit: Anatomy, piece: Piece): bigint | undefined {
  if (piece.kind === 'function') {
    const expectation = expectationOf(unit, piece)
    const [only, ...others] = running
      .addressesOf(piece.name)
      .filter((address) => compare(expectation, running, address).matches)
    if (others.length === 0) return only
  }
  return mapUnit(running, unit).places.get(piece)
}

/**
 * Whether the code of the unit, as it runs, has `piece` at `address`. `contradicted`: it has it elsewhere, or the code there
 * is another; `unknown`: nothing tells.
 */
export function confirm(
  running: Running,
  unit: Anatomy,
  piece: Piece,
  address: bigint,
): 'confirmed' | 'contradicted' | 'unknown' {
  if (piece.kind === 'function') {
    const result = compare(expectationOf(unit, piece), running, address)
    return result.matches ? 'confirmed' : result.why === 'nothing-there' ? 'unknown' : 'contradicted'
  }
  for (const code of unit.functions) {
    const uses = unit.relocations(code).some((relocation) => {
      const target = unit.target(code.section, relocation)
      return target.kind === 'piece' && target.piece === piece
    })
    if (!uses) continue
    // A field that names the datum matches only where it leads to it.
    const found = locate(running, unit, code)
    if (found === undefined) continue
    const comparison = compare(expectationOf(unit, code), running, found)
    if (!comparison.matches) continue
    for (const { to, address: place } of comparison.fixed)
      if ('symbol' in to && to.symbol === piece.name && to.own === true)
        if (BigInt.asUintN(64, place - BigInt(to.plus ?? 0)) === address) return 'confirmed'
        else return 'contradicted'
  }
  return 'unknown'
}
