// SPDX-License-Identifier: GPL-3.0-or-later
// References into the middle of a function. The kernel redirects a function at its entry, so what gets into it
// elsewhere still runs the old code: another function that jumps there, a cold part that it shares, a table of labels
// (`&&label`).

import { isColdPart } from './object/compiler-names.ts'
import { type Atom, isCode, type SplitObject, type Target } from './object/split-object.ts'

/** The function into whose middle a reference leads. */
export function middleOf(target: Target): Atom | undefined {
  if (target.kind !== 'atom') return undefined
  const { atom, offset } = target
  if (atom.kind !== 'function' || isColdPart(atom.name)) return undefined
  return atom.start + offset === atom.symbol?.value ? undefined : atom
}

/** The functions of whose labels a datum is a table. */
export function labelsIn(split: SplitObject, datum: Atom): Atom[] {
  return split
    .relocations(datum)
    .filter(({ symbol: { section } }) => section !== undefined && isCode(section))
    .flatMap((relocation) => middleOf(split.target(datum.section, relocation)) ?? [])
}

/**
 * Functions that get into the middle of changed ones, by themselves or by a cold part, and so run what changes; with
 * those.
 */
export function functionsEntering(split: SplitObject, changed: readonly Atom[]): ReadonlyMap<Atom, Atom> {
  const through = new Map(changed.map((atom) => [atom, atom]))
  const leadsTo = (atom: Atom, target: Target): Atom | undefined => {
    if (target.kind !== 'atom' || target.atom === atom) return undefined
    const way = through.get(target.atom)
    return way !== undefined && (isColdPart(target.atom.name) || middleOf(target) !== undefined) ? way : undefined
  }
  for (let fresh = [...changed]; fresh.length > 0; ) {
    const marks = split.marksOf(fresh.map(({ section }) => section))
    const next: Atom[] = []
    for (const atom of split.functions) {
      if (through.has(atom)) continue
      const entries = split
        .tellingEntries(atom)
        .flatMap(({ table, relocations: [, ...others] }) => others.map((one) => split.target(table, one)))
      const targets = split.refersInto(atom, marks)
        ? split.relocations(atom).map((one) => split.target(atom.section, one))
        : []
      const ways = [...targets, ...entries].map((target) => leadsTo(atom, target))
      const way = ways.find((one) => one !== undefined)
      if (way === undefined) continue
      through.set(atom, way)
      next.push(atom)
    }
    fresh = next
  }
  return through
}
