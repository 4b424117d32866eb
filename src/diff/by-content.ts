// SPDX-License-Identifier: GPL-3.0-or-later
// What has no identity of its own: nobody can tell one copy from another, so it is compared, and carried, by
// content.
import { sectionFlag } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import { type Anatomy, isCode, type Piece, type Target } from './anatomy.ts'
import { useOf } from './instruction.ts'
import { isCompilersName } from './names.ts'

/**
 * Lists that the kernel goes through when it starts or loads a module. Their entries have made-up names, and each of
 * them matters: an initcall, a quirk of a PCI device.
 */
const startList = /^\.(?:\w+_)?initcall|^\.pci_fixup|^\.init\.setup|^__param$/

/** True for data whose identity nobody can see: it is compared, and carried, by content. */
export function isByContent(piece: Piece): boolean {
  if (piece.kind === 'constant') return true
  return (
    piece.kind === 'data' &&
    piece.symbol?.binding === 'local' &&
    (piece.section.flags & sectionFlag.write) === 0 &&
    !startList.test(piece.section.name) &&
    isCompilersName(piece.name)
  )
}

/**
 * The constant of which a reference by section may mean the end, as another piece begins there.
 * @returns undefined when its beginning is meant
 */
export function endMeant(
  unit: Anatomy,
  from: Section,
  relocation: Relocation,
  target: Target,
): Piece | undefined {
  if (target.kind !== 'piece' || target.offset !== 0 || relocation.symbol.type !== 'section') return undefined
  const { piece } = target
  const all = piece.start === 0 || piece.kind === 'function' ? [] : unit.piecesOf(piece.section)
  const previous = all[all.indexOf(piece) - 1]
  if (previous === undefined || previous.end !== piece.start || previous.kind !== 'data') return undefined
  if (!isByContent(previous)) return undefined
  const instruction = isCode(from) ? unit.instructionAt(from, relocation.offset) : undefined
  const use = instruction && useOf(from.data, instruction, relocation.offset)
  return use === 'address' ? previous : undefined
}
