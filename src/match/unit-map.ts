// SPDX-License-Identifier: GPL-3.0-or-later
// Where the functions and data of one unit are in the running kernel. What is found by its code tells where the things are
// that it refers to, and these tell more; a table with pointers does the same. What is left over may be told by its
// neighbours: a linker keeps together what comes from one section of one object.
import type { Anatomy, Piece } from '../diff/object/split-object.ts'
import { relocationType } from '../elf/format.ts'
import { compare, type Match } from './compare.ts'
import { expectationOf } from './expect.ts'
import { type Placement, Placements, placementBy } from './placements.ts'
import type { Running } from './running.ts'

/** Two functions of the unit that do not agree about a private symbol: not both are what runs. */
export interface Dispute {
  readonly functions: readonly [string, string]
  /** The symbol that one of them has where the other has this one; absent when they have this one in two places. */
  readonly rival?: string
}

export interface UnitMap {
  /** Where a piece of the unit is; pieces that nothing tells, or that are told contradictory things, are absent. */
  readonly places: ReadonlyMap<Piece, bigint>
  /** By the private symbol's name. */
  readonly disputes: ReadonlyMap<string, Dispute>
}

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
  const matches = new Map<Piece, ReadonlyMap<bigint, Match>>()
  for (const piece of named.values()) {
    const all = running.addressesOf(piece.name)
    if (piece.kind === 'function') {
      const fitting = new Map(
        all.flatMap((address) => {
          const result = compare(expectationOf(unit, piece), running, address)
          return result.matches ? [[address, result] as const] : []
        }),
      )
      matches.set(piece, fitting)
      candidates.set(piece, [...fitting.keys()])
    } else candidates.set(piece, all)
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
      const seen =
        piece.kind === 'function'
          ? seenFromCode(matches.get(piece)?.get(address), named)
          : seenFromData(running, unit, piece, address, named)
      for (const [other, place] of seen) take(other, place)
    }
    for (const [piece, address] of betweenNeighbours(candidates, settled)) take(piece, address)
    if (fresh.length === 0) break
  }
  const disputes = disputesAmong(
    [...settled].flatMap(([piece, address]) => {
      const match = matches.get(piece)?.get(address)
      if (match === undefined) return []
      const itself = piece.symbol?.binding === 'local' ? [{ name: piece.name, address, empty: false }] : []
      const said = match.fixed.flatMap((one) => placementBy(one) ?? [])
      return [{ name: piece.name, placements: [...itself, ...said] }]
    }),
  )
  for (const piece of settled.keys())
    if (contradicted.has(piece) || (piece.symbol?.binding === 'local' && disputes.has(piece.name)))
      settled.delete(piece)
  return { places: settled, disputes }
}

/** Each private symbol is in one place for all functions of the unit, and no two are in the same. */
function disputesAmong(
  functions: readonly { readonly name: string; readonly placements: readonly Placement[] }[],
): Map<string, Dispute> {
  const disputes = new Map<string, Dispute>()
  const known = new Placements()
  const saidBy = new Map<Placement, string>()
  for (const { name, placements } of functions)
    for (const placement of placements) {
      const against = known.against(placement)
      if (against === undefined) {
        known.add(placement)
        saidBy.set(placement, name)
        continue
      }
      const between = [saidBy.get(against) ?? name, name] as const
      if (against.name === placement.name) disputes.set(placement.name, { functions: between })
      else {
        disputes.set(placement.name, { functions: between, rival: against.name })
        disputes.set(against.name, { functions: between, rival: placement.name })
      }
    }
  return disputes
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

/** What a function whose address is known says about others. */
function* seenFromCode(
  match: Match | undefined,
  named: ReadonlyMap<string, Piece>,
): Generator<[Piece, bigint]> {
  for (const { to, address } of match?.fixed ?? []) {
    const other = 'symbol' in to && to.within === undefined ? named.get(to.symbol) : undefined
    if (other !== undefined && 'symbol' in to)
      yield [other, BigInt.asUintN(64, address - BigInt(to.plus ?? 0))]
  }
}

/** The same of a datum with pointers. */
function* seenFromData(
  running: Running,
  unit: Anatomy,
  piece: Piece,
  address: bigint,
  named: ReadonlyMap<string, Piece>,
): Generator<[Piece, bigint]> {
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
