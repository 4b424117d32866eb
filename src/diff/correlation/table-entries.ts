// SPDX-License-Identifier: GPL-3.0-or-later
// Which entry of a table that the linker collects is which after the patch. Macros name them by a counter, which moves
// with everything in front of it; no code refers to them. So those are one that have the same content; of the others,
// which are changed, new or gone, the order of the source is as good as any.

import { grouped } from '../../ground/values/grouped.ts'
import { isTableEntry } from '../object/by-content.ts'
import { isCompilersName, stem } from '../object/compiler-names.ts'
import type { Atom, SplitObject } from '../object/split-object.ts'

/** Entries of a table that have the same name but for the compiler's part of it. */
interface Entries {
  readonly before: readonly Atom[]
  readonly after: readonly Atom[]
}

/**
 * True when all of a group are entries that nothing refers to, so that nothing but their content says which is which.
 */
export function areNamedByCounter(before: SplitObject, after: SplitObject, group: Entries): boolean {
  const isOne = (atom: Atom) => atom.symbol?.binding === 'local' && isCompilersName(atom.name) && isTableEntry(atom)
  return (
    group.before.every(isOne) &&
    group.after.every(isOne) &&
    !isReferredTo(before, group.before) &&
    !isReferredTo(after, group.after)
  )
}

function isReferredTo(unit: SplitObject, entries: readonly Atom[]): boolean {
  return entries.some((entry) => unit.referrers(entry).length > 0)
}

/** Pairs those with the same content, then what is left in its order. */
export function pairEntries(
  before: SplitObject,
  after: SplitObject,
  group: Entries,
  pair: (b: Atom, a: Atom) => void,
): void {
  const alike = grouped(group.before, (atom) => contentOf(before, atom))
  const paired = new Set<Atom>()
  const join = (b: Atom, a: Atom) => {
    paired.add(b).add(a)
    pair(b, a)
  }
  // Those found last are taken first from the end of a list.
  for (const list of alike.values()) list.reverse()
  for (const atom of group.after) {
    const counterpart = alike.get(contentOf(after, atom))?.pop()
    if (counterpart !== undefined) join(counterpart, atom)
  }
  const [left, rest] = [group.before, group.after].map((side) => side.filter((atom) => !paired.has(atom)))
  rest!.forEach((atom, nth) => {
    const counterpart = left![nth]
    if (counterpart !== undefined && counterpart.section.name === atom.section.name) join(counterpart, atom)
  })
}

/** A text that is the same for entries of the same content. */
function contentOf(unit: SplitObject, atom: Atom): string {
  const { section, start, end } = atom
  const references = unit.relocations(atom).map((relocation) => {
    const target = unit.target(section, relocation)
    const to =
      target.kind === 'string'
        ? target.text.toString('latin1')
        : target.kind === 'atom'
          ? `${stem(target.atom.name)} ${target.offset}`
          : target.kind === 'external'
            ? `${target.name} ${target.offset}`
            : ''
    return `${relocation.offset - start} ${relocation.type} ${to}`
  })
  return [section.name, section.data.toString('latin1', start, end), ...references].join('\n')
}
