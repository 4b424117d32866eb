// SPDX-License-Identifier: GPL-3.0-or-later
// What has no identity of its own: nobody can tell one copy from another, so it is compared, and carried, by
// content.
import { sectionFlag } from '../elf/format.ts'
import type { Piece } from './anatomy.ts'
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
