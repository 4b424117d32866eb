// SPDX-License-Identifier: GPL-3.0-or-later
// The compiler's tables about code (where it may fault, what the kernel rewrites), entry by entry. objtool's own tables
// are made from the code anew and are not compared.
import type { Relocation, Section } from '../elf/read.ts'
import type { ObjectView } from './object-view.ts'

export interface CodeEntry {
  readonly table: Section
  readonly start: number
  readonly end: number
  readonly relocations: readonly Relocation[]
  /** The place that it is about. */
  readonly about: { readonly section: Section; readonly offset: number }
}

/** Relocations of an entry, by its size in bytes; 0 for any (arch/x86/include/asm, include/asm-generic/bug.h). */
const layouts: ReadonlyMap<string, readonly (readonly [bytes: number, relocations: number])[]> = new Map([
  [
    '__bug_table',
    [
      [12, 2],
      [8, 1],
      [16, 3],
    ],
  ],
  [
    '.altinstructions',
    [
      [12, 2],
      [13, 2],
      [14, 2],
    ],
  ],
  [
    '__ex_table',
    [
      [12, 2],
      [12, 3],
      [8, 2],
    ],
  ],
  [
    '__jump_table',
    [
      [16, 3],
      [24, 3],
    ],
  ],
  ['.smp_locks', [[4, 1]]],
  ['.parainstructions', [[0, 1]]],
] as const)

export function isCodeTable(name: string): boolean {
  return layouts.has(name)
}

const known = new WeakMap<ObjectView, ReadonlyMap<Section, readonly CodeEntry[]>>()

/** The entries about the code from `start` to `end`, by the place that they are about. */
export function entriesAbout(view: ObjectView, section: Section, start: number, end: number): CodeEntry[] {
  let all = known.get(view)
  if (all === undefined) {
    all = readAll(view)
    known.set(view, all)
  }
  return (all.get(section) ?? []).filter(({ about }) => about.offset >= start && about.offset < end)
}

function readAll(view: ObjectView): Map<Section, CodeEntry[]> {
  const found = new Map<Section, CodeEntry[]>()
  for (const table of view.object.sections) {
    const relocations = view.relocations({ section: table, start: 0, end: table.size })
    const layout = layouts
      .get(table.name)
      ?.find(([bytes, count]) => bytes === 0 || relocations.length * bytes === table.size * count)
    if (layout === undefined) continue
    const [bytes, count] = layout
    for (let index = 0; index < relocations.length; index += count) {
      const own = relocations.slice(index, index + count)
      const start = own[0]!.offset
      const end = bytes > 0 ? start + bytes : (relocations[index + count]?.offset ?? table.size)
      const target = view.target(table, own[0]!)
      if (target.kind !== 'place') continue
      const about = target.place
      const list = found.get(about.section) ?? []
      found.set(about.section, list)
      list.push({ table, start, end, relocations: own, about })
    }
  }
  for (const list of found.values())
    list.sort(
      (a, b) =>
        a.about.offset - b.about.offset ||
        (a.table.name < b.table.name ? -1 : a.table.name > b.table.name ? 1 : a.start - b.start),
    )
  return found
}
