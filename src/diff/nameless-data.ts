// SPDX-License-Identifier: GPL-3.0-or-later
// What nobody names must not change unseen. Constants count through the code that refers to them, but in a section that several
// things share a reference may seem to mean a neighbour; and some sections the kernel reads without a reference.
import { sectionFlag } from '../elf/format.ts'
import { type Comparison, sectionClass } from './compare.ts'
import type { Correlation } from './correlation/correlate.ts'
import { isByContent } from './object/by-content.ts'
import { isColdPart } from './object/compiler-names.ts'
import { isIncidental } from './object/diagnostic-data.ts'
import { type Anatomy, isCode, isIgnored, isOutOfLine, type Piece } from './object/split-object.ts'

type Difference = Comparison['extentDifference']

/** Sections of which every byte is there for somebody who refers to it. */
function isForReferrers({ section }: Piece): boolean {
  const kind = sectionClass(section)
  if (isCode(section)) return section.size === 0
  return (
    kind === '.rodata' ||
    kind === '.data' ||
    kind === '.bss' ||
    /^(\.init\.rodata|__ksymtab_strings$)/.test(section.name)
  )
}

/** Nameless content that does not only matter to what refers to it, by its section's name and in order. */
function ownContent({ pieces }: Anatomy): Map<string, Piece[]> {
  const found = new Map<string, Piece[]>()
  for (const piece of pieces) {
    const { section } = piece
    if (piece.kind !== 'constant' || section.name === '.altinstr_replacement') continue
    if (isOutOfLine(section) || isForReferrers(piece)) continue
    const list = found.get(section.name)
    if (list === undefined) found.set(section.name, [piece])
    else list.push(piece)
  }
  return found
}

/** The sections whose nameless content is another one, and that the kernel may read or run by itself. */
export function changedNameless(
  before: Anatomy,
  after: Anatomy,
  difference: Difference,
): { readonly name: string; readonly difference: string }[] {
  const found: { name: string; difference: string }[] = []
  const old = ownContent(before)
  const fresh = ownContent(after)
  for (const name of new Set([...old.keys(), ...fresh.keys()])) {
    const [b, a] = [old.get(name) ?? [], fresh.get(name) ?? []]
    for (let nth = 0; nth < Math.max(b.length, a.length); nth++) {
      const [was, is] = [b[nth], a[nth]]
      const told =
        was !== undefined && is !== undefined
          ? difference(was, is)
          : (was ?? is)?.section.size === 0
            ? undefined
            : was === undefined
              ? 'it is new'
              : 'it is gone'
      if (told !== undefined) found.push({ name, difference: told })
    }
  }
  return found
}

/**
 * Constants of shared sections after the patch that no constant before it equals, and that nothing which changes is seen to use.
 * @param changes what is known to differ, or to be new, after the patch
 */
export function unclaimed(
  before: Anatomy,
  after: Anatomy,
  correlation: Correlation,
  difference: Difference,
  changes: readonly Piece[],
): Piece[] {
  const isWanted = (piece: Piece) => isByContent(piece) && isForReferrers(piece) && !isIncidental(piece)
  const fresh = after.pieces.filter(
    (piece) =>
      isWanted(piece) &&
      // What has a section to itself is meant by every reference into it; what the linker merges is referred to one by one.
      after.piecesOf(piece.section).length > 1 &&
      (piece.section.flags & sectionFlag.merge) === 0,
  )
  if (fresh.length === 0) return []
  const old = before.pieces.filter(isWanted)
  const alike = new Map<string, Piece[]>()
  for (const piece of old) {
    const list = alike.get(beginOf(piece))
    if (list === undefined) alike.set(beginOf(piece), [piece])
    else list.push(piece)
  }
  const isOld = (piece: Piece) => {
    const counterpart = correlation.counterpartOf(piece)
    if (counterpart !== undefined && difference(counterpart, piece) === undefined) return true
    return (alike.get(beginOf(piece)) ?? []).some((other) => difference(other, piece) === undefined)
  }
  const open = new Set(fresh.filter((piece) => !isOld(piece)))
  if (open.size === 0) return []
  const seen = new Set([...changes, ...after.data.filter(isIncidental)])
  for (const section of after.object.sections)
    if ((section.flags & sectionFlag.alloc) !== 0 && isIgnored(section))
      for (const relocation of after.object.relocations(section)) {
        const target = after.target(section, relocation)
        if (target.kind === 'piece' && isByContent(target.piece)) seen.add(target.piece)
      }
  for (const piece of seen) {
    const entries = piece.kind === 'function' ? after.tableEntries(piece) : []
    const references = [
      ...after.relocations(piece).map((relocation) => ({ from: piece.section, relocation })),
      ...entries.flatMap(({ table, relocations }) =>
        relocations.map((relocation) => ({ from: table, relocation })),
      ),
    ]
    for (const { from, relocation } of references) {
      const target = after.target(from, relocation)
      if (target.kind !== 'piece') continue
      if (isByContent(target.piece) || isColdPart(target.piece.name)) seen.add(target.piece)
    }
  }
  return [...open].filter((piece) => !seen.has(piece))
}

/** Size and first bytes: what else is equal has these, too. */
function beginOf({ section, start, end }: Piece): string {
  return `${end - start} ${section.data.toString('latin1', start, Math.min(end, start + 256))}`
}
