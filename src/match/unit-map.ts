// SPDX-License-Identifier: GPL-3.0-or-later
// Where the functions and data of one unit are in the running kernel. What is found by its code tells where the things are
// that it refers to, and these tell more; a table with pointers does the same. What is left over may be told by its
// neighbours: a linker keeps together what comes from one section of one object.
import type { Anatomy, Piece } from '../diff/anatomy.ts'
import { relocationType } from '../elf/format.ts'
import { compare } from './compare.ts'
import { expectationOf } from './expect.ts'
import type { Running } from './running.ts'

/** Where a piece of the unit is; pieces that nothing tells, or that are told contradictory things, are absent. */
export type UnitMap = ReadonlyMap<Piece, bigint>

const known = new WeakMap<Anatomy, { readonly running: Running; readonly map: UnitMap }>()

/** @param unit the unit before the patch */
export function mapUnit(running: Running, unit: Anatomy): UnitMap {
  const before = known.get(unit)
  if (before?.running === running) return before.map
  const map = settle(running, unit)
  known.set(unit, { running, map })
  return map
}

function settle(running: Running, unit: Anatomy): UnitMap {
  const named = uniquelyNamed(unit)
  const candidates = new Map<Piece, readonly bigint[]>()
  for (const piece of named.values()) {
    const all = running.addressesOf(piece.name)
    candidates.set(
      piece,
      piece.kind === 'function'
        ? all.filter((address) => compare(expectationOf(unit, piece), running, address).matches)
        : all,
    )
  }
  const settled = new Map<Piece, bigint>()
  const contradicted = new Set<Piece>()
  const fresh: Piece[] = []
  const take = (piece: Piece, address: bigint) => {
    const before = settled.get(piece)
    if (before !== undefined && before !== address) contradicted.add(piece)
    if (before !== undefined || candidates.get(piece)?.includes(address) !== true) return
    settled.set(piece, address)
    fresh.push(piece)
  }
  for (const [piece, [only, ...others]] of candidates)
    if (only !== undefined && others.length === 0) take(piece, only)
  for (;;) {
    for (let piece = fresh.pop(); piece !== undefined; piece = fresh.pop()) {
      const address = settled.get(piece)!
      for (const [other, place] of seenFrom(running, unit, piece, address, named)) take(other, place)
    }
    for (const [piece, address] of betweenNeighbours(candidates, settled)) take(piece, address)
    if (fresh.length === 0) break
  }
  for (const piece of contradicted) settled.delete(piece)
  return settled
}

/** The pieces whose name means one thing in the unit. */
function uniquelyNamed(unit: Anatomy): Map<string, Piece> {
  const named = new Map<string, Piece>()
  const several = new Set<string>()
  for (const piece of unit.pieces) {
    if (piece.symbol === undefined) continue
    if (named.has(piece.name)) several.add(piece.name)
    named.set(piece.name, piece)
  }
  for (const name of several) named.delete(name)
  return named
}

/** What a piece of which the address is known says about others. */
function* seenFrom(
  running: Running,
  unit: Anatomy,
  piece: Piece,
  address: bigint,
  named: ReadonlyMap<string, Piece>,
): Generator<[Piece, bigint]> {
  if (piece.kind === 'function') {
    const comparison = compare(expectationOf(unit, piece), running, address)
    if (!comparison.matches) return
    for (const { to, address: place } of comparison.fixed) {
      const other = 'symbol' in to && to.within === undefined ? named.get(to.symbol) : undefined
      if (other !== undefined && 'symbol' in to)
        yield [other, BigInt.asUintN(64, place - BigInt(to.plus ?? 0))]
    }
    return
  }
  if (piece.kind !== 'data') return
  const begin = piece.symbol?.value ?? piece.start
  for (const relocation of unit.relocations(piece)) {
    if (relocation.type !== relocationType.abs64) continue
    const target = unit.target(piece.section, relocation)
    if (target.kind !== 'piece' || target.piece.symbol === undefined) continue
    const bytes = running.read(address + BigInt(relocation.offset - begin), 8)
    if (bytes === undefined || named.get(target.piece.name) !== target.piece) continue
    const plus = target.piece.start + target.offset - target.piece.symbol.value
    yield [target.piece, BigInt.asUintN(64, bytes.readBigUInt64LE() - BigInt(plus))]
  }
}

/** Pieces of which only one candidate lies between two that are settled and come from the same section of the unit. */
function* betweenNeighbours(
  candidates: ReadonlyMap<Piece, readonly bigint[]>,
  settled: ReadonlyMap<Piece, bigint>,
): Generator<[Piece, bigint]> {
  const ranges = new Map<string, { low: bigint; high: bigint }>()
  for (const [piece, address] of settled) {
    const group = groupOf(piece)
    const range = ranges.get(group)
    if (range === undefined) ranges.set(group, { low: address, high: address })
    else if (address < range.low) range.low = address
    else if (address > range.high) range.high = address
  }
  for (const [piece, places] of candidates) {
    const range = ranges.get(groupOf(piece))
    if (range === undefined || settled.has(piece)) continue
    const [only, ...others] = places.filter((address) => address > range.low && address < range.high)
    if (only !== undefined && others.length === 0) yield [piece, only]
  }
}

/** The section in which the kernel's own build puts the piece, where each function has not one of its own. */
function groupOf({ section, name }: Piece): string {
  return section.name.endsWith(`.${name}`) ? section.name.slice(0, -name.length - 1) : section.name
}
