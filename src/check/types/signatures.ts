// SPDX-License-Identifier: GPL-3.0-or-later
// The functions of a unit that are called in another way after the patch, as the compiler's types have it.

import type { StudiedUnit } from '../subject/subject.ts'
import { likeness } from './btf/alike.ts'
import { type Btf, Kind } from './btf/read.ts'
import { spell } from './btf/spell.ts'
import type { UnitTypes } from './unit-types.ts'

export interface ChangedSignature {
  readonly name: string
  /** As C has it: `int (struct inode *)`. */
  readonly before: string
  readonly after: string
  /** `returns`: it gives back something where it gave nothing, which no caller notices. */
  readonly difference: 'returns' | 'differs'
  /** True when other files can't call it by its name. */
  readonly isPrivate: boolean
}

function functionsOf(btf: Btf): Map<string, number> {
  // gcc leaves the names of some that are only declared out.
  return new Map(
    btf.ofKind(Kind.function).flatMap((one) => {
      const name = btf.name(one)
      return name === '' ? [] : [[name, btf.target(one)] as const]
    }),
  )
}

export function changedSignatures({ change }: StudiedUnit, { before, after }: UnitTypes): ChangedSignature[] {
  const { prototypes } = likeness(before, after)
  const [old, young] = [functionsOf(before), functionsOf(after)]
  const own = new Map(change.before.functions.map((piece) => [piece.name, piece]))
  return [...old].flatMap(([name, prototype]): ChangedSignature[] => {
    const other = young.get(name)
    const piece = own.get(name)
    if (other === undefined || piece === undefined) return []
    const difference = prototypes(prototype, other)
    if (difference === 'same') return []
    return [
      {
        name,
        before: spell(before, prototype),
        after: spell(after, other),
        difference,
        isPrivate: piece.symbol?.binding === 'local',
      },
    ]
  })
}
