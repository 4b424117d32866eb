// SPDX-License-Identifier: GPL-3.0-or-later
// References into the middle of a function. The kernel redirects a function at its entry, so what gets into it elsewhere still
// runs the old code: another function that jumps there, a cold part that it shares, a table of labels (`&&label`).

import { isColdPart } from './object/compiler-names.ts'
import { type Anatomy, isCode, type Piece, type Target } from './object/split-object.ts'

/** The function into whose middle a reference leads. */
export function middleOf(target: Target): Piece | undefined {
  if (target.kind !== 'piece') return undefined
  const { piece, offset } = target
  if (piece.kind !== 'function' || isColdPart(piece.name)) return undefined
  return piece.start + offset === piece.symbol?.value ? undefined : piece
}

/** The functions of whose labels a datum is a table. */
export function labelsIn(anatomy: Anatomy, datum: Piece): Piece[] {
  return anatomy
    .relocations(datum)
    .filter(({ symbol: { section } }) => section !== undefined && isCode(section))
    .flatMap((relocation) => middleOf(anatomy.target(datum.section, relocation)) ?? [])
}

/** Functions that get into the middle of changed ones, by themselves or by a cold part, and so run what changes; with those. */
export function enteringMiddle(anatomy: Anatomy, changed: readonly Piece[]): ReadonlyMap<Piece, Piece> {
  const through = new Map(changed.map((piece) => [piece, piece]))
  const leadsTo = (piece: Piece, target: Target): Piece | undefined => {
    if (target.kind !== 'piece' || target.piece === piece) return undefined
    const way = through.get(target.piece)
    return way !== undefined && (isColdPart(target.piece.name) || middleOf(target) !== undefined)
      ? way
      : undefined
  }
  for (let fresh = [...changed]; fresh.length > 0; ) {
    const marks = anatomy.marksOf(fresh.map(({ section }) => section))
    const next: Piece[] = []
    for (const piece of anatomy.functions) {
      if (through.has(piece)) continue
      const entries = anatomy
        .tellingEntries(piece)
        .flatMap(({ table, relocations: [, ...others] }) => others.map((one) => anatomy.target(table, one)))
      const targets = anatomy.refersInto(piece, marks)
        ? anatomy.relocations(piece).map((one) => anatomy.target(piece.section, one))
        : []
      const ways = [...targets, ...entries].map((target) => leadsTo(piece, target))
      const way = ways.find((one) => one !== undefined)
      if (way === undefined) continue
      through.set(piece, way)
      next.push(piece)
    }
    fresh = next
  }
  return through
}
