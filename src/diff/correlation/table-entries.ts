// SPDX-License-Identifier: GPL-3.0-or-later
// Which entry of a table that the linker collects is which after the patch. Macros name them by a counter, which moves with
// everything in front of it; no code refers to them. So those are one that have the same content; of the others, which are changed, new or
// gone, the order of the source is as good as any.

import { isTableEntry } from '../object/by-content.ts'
import { isCompilersName, stem } from '../object/compiler-names.ts'
import type { Anatomy, Piece } from '../object/split-object.ts'

/** Entries of a table that have the same name but for the compiler's part of it. */
interface Entries {
  readonly before: readonly Piece[]
  readonly after: readonly Piece[]
}

/** True when all of a group are entries that nothing refers to, so that nothing but their content says which is which. */
export function areNamedByCounter(before: Anatomy, after: Anatomy, group: Entries): boolean {
  const isOne = (piece: Piece) =>
    piece.symbol?.binding === 'local' && isCompilersName(piece.name) && isTableEntry(piece)
  return (
    group.before.every(isOne) &&
    group.after.every(isOne) &&
    !isReferredTo(before, group.before) &&
    !isReferredTo(after, group.after)
  )
}

function isReferredTo(unit: Anatomy, entries: readonly Piece[]): boolean {
  const marks = unit.marksOf(entries.map(({ section }) => section))
  const wanted = new Set(entries)
  return unit.pieces.some(
    (piece) =>
      unit.refersInto(piece, marks) &&
      unit.relocations(piece).some((relocation) => {
        if (marks[relocation.symbol.index] === 0) return false
        const target = unit.target(piece.section, relocation)
        return target.kind === 'piece' && wanted.has(target.piece)
      }),
  )
}

/** Pairs those with the same content, then what is left in its order. */
export function pairEntries(
  before: Anatomy,
  after: Anatomy,
  group: Entries,
  pair: (b: Piece, a: Piece) => void,
): void {
  const alike = new Map<string, Piece[]>()
  for (const piece of group.before) {
    const content = contentOf(before, piece)
    const list = alike.get(content)
    if (list === undefined) alike.set(content, [piece])
    else list.push(piece)
  }
  const paired = new Set<Piece>()
  const join = (b: Piece, a: Piece) => {
    paired.add(b).add(a)
    pair(b, a)
  }
  // Those found last are taken first from the end of a list.
  for (const list of alike.values()) list.reverse()
  for (const piece of group.after) {
    const counterpart = alike.get(contentOf(after, piece))?.pop()
    if (counterpart !== undefined) join(counterpart, piece)
  }
  const [left, rest] = [group.before, group.after].map((side) => side.filter((piece) => !paired.has(piece)))
  rest!.forEach((piece, nth) => {
    const counterpart = left![nth]
    if (counterpart !== undefined && counterpart.section.name === piece.section.name) join(counterpart, piece)
  })
}

/** A text that is the same for entries of the same content. */
function contentOf(unit: Anatomy, piece: Piece): string {
  const { section, start, end } = piece
  const references = unit.relocations(piece).map((relocation) => {
    const target = unit.target(section, relocation)
    const to =
      target.kind === 'string'
        ? target.text.toString('latin1')
        : target.kind === 'piece'
          ? `${stem(target.piece.name)} ${target.offset}`
          : target.kind === 'external'
            ? `${target.name} ${target.offset}`
            : ''
    return `${relocation.offset - start} ${relocation.type} ${to}`
  })
  return [section.name, section.data.toString('latin1', start, end), ...references].join('\n')
}
