// SPDX-License-Identifier: GPL-3.0-or-later
// Finds where in the running kernel a function or datum of one unit is, when its name alone does not say
// it: a function by its code, a datum by the code that refers to it.
import type { Anatomy, Piece } from '../diff/anatomy.ts'
import type { Running } from './running.ts'
import { compareWithRunning, offsetFromSymbol } from './same.ts'

/**
 * @param unit the unit before the patch
 * @returns the address of `piece`'s symbol, or undefined when not exactly one candidate fits
 */
export function locate(running: Running, unit: Anatomy, piece: Piece): bigint | undefined {
  const candidates = running.addressesOf(piece.name)
  const fitting =
    piece.kind === 'function'
      ? candidates.filter((address) => compareWithRunning(running, unit, piece, address) !== undefined)
      : candidates
  if (piece.kind === 'function' && fitting.length === 1) return fitting[0]
  // Copies of one inline function are alike; then the code that refers to it tells them apart.
  const seen = addressesSeenByCode(running, unit, piece)
  const agreed = fitting.filter((address) => seen.has(address))
  return agreed.length === 1 ? agreed[0] : undefined
}

/** Where the code of the unit that is found in the running kernel has `wanted`. */
function addressesSeenByCode(running: Running, unit: Anatomy, wanted: Piece): Set<bigint> {
  const seen = new Set<bigint>()
  for (const code of unit.functions) {
    if (code === wanted) continue
    const uses = unit.relocations(code).some((relocation) => {
      const target = unit.target(code.section, relocation)
      return target.kind === 'piece' && target.piece === wanted
    })
    if (!uses) continue
    const found = running
      .addressesOf(code.name)
      .flatMap((address) =>
        [compareWithRunning(running, unit, code, address) ?? []].filter((f) => f.length > 0),
      )
    const [only] = found
    if (found.length !== 1 || only === undefined) continue
    for (const { target, destination } of only)
      if (target.kind === 'piece' && target.piece === wanted)
        seen.add(BigInt.asUintN(64, destination - BigInt(offsetFromSymbol(target))))
  }
  return seen
}
