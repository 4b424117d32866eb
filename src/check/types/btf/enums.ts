// SPDX-License-Identifier: GPL-3.0-or-later
// Enumerators whose values differ. In C they have no scope of their own, so they are compared by name, whatever enum
// they stand in; data that are there hold the old values.
import type { Difference, TypeChange } from './difference.ts'
import { type Btf, Kind } from './read.ts'

interface Place {
  readonly value: bigint
  readonly type: number
  /** True for the highest value of its enum. */
  readonly isLast: boolean
}

function enumerators(btf: Btf): Map<string, Place> {
  const found = new Map<string, Place>()
  for (const kind of [Kind.enum, Kind.enum64])
    for (const type of btf.ofKind(kind)) {
      const list = btf.enumerators(type)
      const highest = list.reduce((most, { value }) => (value > most ? value : most), list[0]?.value ?? 0n)
      for (const { name, value } of list)
        if (!found.has(name)) found.set(name, { value, type, isLast: value === highest })
    }
  return found
}

/** Names of what says how many the others are: `NR_STATES`, `__FOO_MAX`, `FOO_LAST`. */
const countsOthers =
  /(?:^|_)(?:MAX|MAXTYPE|NUM|NR|N|CNT|COUNT|LAST|END|SIZE|LIMIT|TOTAL|LEN|SENTINEL|TABLESIZE)(?:_|\d*$)|^__\w+_(?:MAX|LAST)/i

/** gcc's BTF has the values of older enums without their sign. */
function shown(value: bigint): bigint {
  return value >= 0x8000_0000n && value <= 0xffff_ffffn ? value - 0x1_0000_0000n : value
}

/** `enum foo`; of one without a name, the typedef's or the first of its names. */
function nameOf(btf: Btf, type: number): string {
  if (btf.name(type) !== '') return `enum ${btf.name(type)}`
  const alias = btf.ofKind(Kind.typedef).find((one) => btf.target(one) === type)
  return alias === undefined ? `enum { ${btf.enumerators(type)[0]?.name ?? ''}, … }` : btf.name(alias)
}

/** The enums of both sides in which a value that was there differs. */
export function changedEnums(b: Btf, a: Btf): TypeChange[] {
  const [before, after] = [enumerators(b), enumerators(a)]
  const byType = new Map<number, { after: number; differences: Difference[] }>()
  for (const [name, old] of before) {
    const young = after.get(name)
    if (young === undefined || BigInt.asIntN(32, young.value) === BigInt.asIntN(32, old.value)) {
      if (young === undefined || young.value === old.value) continue
      if (shown(young.value) === shown(old.value)) continue
    }
    // It counts the others, of which there are more now; nobody stores it.
    const counts = countsOthers.test(name) && young.value > old.value && (old.isLast || young.isLast)
    const known = byType.get(old.type) ?? { after: young.type, differences: [] }
    known.differences.push({
      effect: counts ? 'harmless' : 'broken',
      member: name,
      text: `${name} is ${shown(young.value)} instead of ${shown(old.value)}`,
    })
    byType.set(old.type, known)
  }
  return [...byType].map(([type, { after: young, differences }]) => ({
    name: nameOf(b, type),
    tag: 'enum',
    before: type,
    after: young,
    differences,
    embedding: [],
  }))
}
