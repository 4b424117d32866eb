// SPDX-License-Identifier: GPL-3.0-or-later
// Where the functions and data of one unit are in the running kernel. What is found by its code tells where the things
// are that it refers to, and these tell more; a table with pointers does the same. What is left over may be told by its
// neighbours: a linker keeps together what comes from one section of one object.
import type { Atom, SplitObject } from '../diff/object/split-object.ts'
import { relocationType } from '../elf/format.ts'
import { compareParts, type Match } from './compare.ts'
import { expectationOf } from './expect.ts'
import { type Placement, Placements, placementBy } from './placements.ts'
import { type PreparedParts, prepare } from './prepared.ts'
import type { Running } from './running.ts'

/** Two functions of the unit that do not agree about a private symbol: not both are what runs. */
export interface Dispute {
  readonly functions: readonly [string, string]
  /** The symbol that one of them has where the other has this one; absent when they have this one in two places. */
  readonly rival?: string
}

export interface UnitMap {
  /** Where an atom of the unit is; atoms that nothing tells, or that are told contradictory things, are absent. */
  readonly places: ReadonlyMap<Atom, bigint>
  /** By the private symbol's name. */
  readonly disputes: ReadonlyMap<string, Dispute>
}

/**
 * @param unit the unit before the patch
 * @param partsOf what each of its functions must look like
 */
export function mapUnit(
  running: Running,
  unit: SplitObject,
  partsOf: (atom: Atom) => PreparedParts = (atom) => prepare(expectationOf(unit, atom)),
): UnitMap {
  const named = uniquelyNamed(unit)
  const candidates = new Map<Atom, readonly bigint[]>()
  const matches = new Map<Atom, ReadonlyMap<bigint, Match>>()
  for (const atom of named.values()) {
    const all = running.addressesOf(atom.name)
    if (atom.kind === 'function' && all.length > 0) {
      const parts = partsOf(atom)
      const fitting = new Map(
        all.flatMap((address) => {
          const result = compareParts(parts, running, address)
          return result.matches ? [[address, result] as const] : []
        }),
      )
      matches.set(atom, fitting)
      candidates.set(atom, [...fitting.keys()])
    } else candidates.set(atom, all)
  }
  const seenFrom: SeenFrom = (atom, address) =>
    atom.kind === 'function'
      ? seenFromCode(matches.get(atom)?.get(address), named)
      : seenFromData(running, unit, atom, address, named)
  let { placed, contradicted } = place(candidates, seenFrom)
  // What was found by way of such an atom goes with it.
  while (contradicted.size > 0) {
    for (const atom of contradicted) candidates.delete(atom)
    ;({ placed, contradicted } = place(candidates, seenFrom))
  }
  const disputes = disputesAmong(
    [...placed].flatMap(([atom, address]) => {
      const match = matches.get(atom)?.get(address)
      if (match === undefined) return []
      const itself = atom.symbol?.binding === 'local' ? [{ name: atom.name, address, empty: false }] : []
      const said = match.fixed.flatMap((one) => placementBy(one) ?? [])
      return [{ name: atom.name, placements: [...itself, ...said] }]
    }),
  )
  for (const atom of placed.keys()) if (atom.symbol?.binding === 'local' && disputes.has(atom.name)) placed.delete(atom)
  return { places: placed, disputes }
}

/** What an atom at an address says about where others are. */
type SeenFrom = (atom: Atom, address: bigint) => Iterable<[Atom, bigint]>

/** Places atoms, from the only candidates on; those about which others say two things stand in `contradicted`. */
function place(candidates: ReadonlyMap<Atom, readonly bigint[]>, seenFrom: SeenFrom) {
  const placed = new Map<Atom, bigint>()
  const contradicted = new Set<Atom>()
  const fresh: Atom[] = []
  const take = (atom: Atom, address: bigint) => {
    const before = placed.get(atom)
    if (before !== undefined && before !== address) contradicted.add(atom)
    if (before !== undefined || candidates.get(atom)?.includes(address) !== true) return
    placed.set(atom, address)
    fresh.push(atom)
  }
  for (const [atom, [only, ...others]] of candidates) if (only !== undefined && others.length === 0) take(atom, only)
  for (;;) {
    for (let atom = fresh.pop(); atom !== undefined; atom = fresh.pop())
      for (const [other, address] of seenFrom(atom, placed.get(atom)!)) take(other, address)
    for (const [atom, address] of betweenNeighbours(candidates, placed)) take(atom, address)
    if (fresh.length === 0) return { placed, contradicted }
  }
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

/** The atoms whose name means one thing in the unit. */
function uniquelyNamed(unit: SplitObject): Map<string, Atom> {
  const named = new Map<string, Atom>()
  const several = new Set<string>()
  for (const atom of unit.atoms) {
    if (atom.symbol === undefined) continue
    if (named.has(atom.name)) several.add(atom.name)
    named.set(atom.name, atom)
  }
  for (const name of several) named.delete(name)
  return named
}

/** What a function whose address is known says about others. */
function* seenFromCode(match: Match | undefined, named: ReadonlyMap<string, Atom>): Generator<[Atom, bigint]> {
  for (const { to, address } of match?.fixed ?? []) {
    const other = 'symbol' in to && to.within === undefined ? named.get(to.symbol) : undefined
    if (other !== undefined && 'symbol' in to) yield [other, BigInt.asUintN(64, address - BigInt(to.plus ?? 0))]
  }
}

/** The same of a datum with pointers. */
function* seenFromData(
  running: Running,
  unit: SplitObject,
  atom: Atom,
  address: bigint,
  named: ReadonlyMap<string, Atom>,
): Generator<[Atom, bigint]> {
  if (atom.kind !== 'data') return
  const begin = atom.symbol?.value ?? atom.start
  for (const relocation of unit.relocations(atom)) {
    if (relocation.type !== relocationType.abs64) continue
    const target = unit.target(atom.section, relocation)
    if (target.kind !== 'atom' || target.atom.symbol === undefined) continue
    const bytes = running.read(address + BigInt(relocation.offset - begin), 8)
    if (bytes === undefined || named.get(target.atom.name) !== target.atom) continue
    const plus = target.atom.start + target.offset - target.atom.symbol.value
    yield [target.atom, BigInt.asUintN(64, bytes.readBigUInt64LE() - BigInt(plus))]
  }
}

/** Atoms of which only one candidate lies between two that are placed and come from the same section of the unit. */
function* betweenNeighbours(
  candidates: ReadonlyMap<Atom, readonly bigint[]>,
  placed: ReadonlyMap<Atom, bigint>,
): Generator<[Atom, bigint]> {
  const ranges = new Map<string, { low: bigint; high: bigint }>()
  for (const [atom, address] of placed) {
    const group = groupOf(atom)
    const range = ranges.get(group)
    if (range === undefined) ranges.set(group, { low: address, high: address })
    else if (address < range.low) range.low = address
    else if (address > range.high) range.high = address
  }
  for (const [atom, places] of candidates) {
    const range = ranges.get(groupOf(atom))
    if (range === undefined || placed.has(atom)) continue
    const [only, ...others] = places.filter((address) => address > range.low && address < range.high)
    if (only !== undefined && others.length === 0) yield [atom, only]
  }
}

/** The section in which the kernel's own build puts the atom, where each function has not one of its own. */
function groupOf({ section, name }: Atom): string {
  return section.name.endsWith(`.${name}`) ? section.name.slice(0, -name.length - 1) : section.name
}
