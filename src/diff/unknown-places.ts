// SPDX-License-Identifier: GPL-3.0-or-later
// References of which nobody can tell where they lead: behind the last string, into the middle of an instruction that
// is unknown, out of their section. Two of them are the same when they go the same way into the same bytes, wherever
// that is.
import type { Relocation } from '../elf/read.ts'
import type { Extent, Target } from './object/split-object.ts'

/**
 * @param sameContent true when two sections hold the same
 * @returns true when two references at the same place of the same bytes, which lead nowhere that is known, are the same
 */
export function isSameUnknownPlace(
  b: { readonly relocation: Relocation; readonly target: Target },
  a: { readonly relocation: Relocation; readonly target: Target },
  sameContent: (b: Extent, a: Extent) => boolean,
): boolean {
  if (b.target.kind !== 'nowhere' || a.target.kind !== 'nowhere') return false
  const [symbolB, symbolA] = [b.relocation.symbol, a.relocation.symbol]
  if (b.relocation.addend !== a.relocation.addend || symbolB.place !== symbolA.place) return false
  const [inB, inA] = [symbolB.section, symbolA.section]
  // A common symbol: the linker makes room for it under its name.
  if (inB === undefined || inA === undefined) return symbolB.name === symbolA.name
  return (
    symbolB.value === symbolA.value &&
    inB.name === inA.name &&
    inB.flags === inA.flags &&
    inB.entrySize === inA.entrySize &&
    sameContent({ section: inB, start: 0, end: inB.size }, { section: inA, start: 0, end: inA.size })
  )
}
