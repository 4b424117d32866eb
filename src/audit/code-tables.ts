// SPDX-License-Identifier: GPL-3.0-or-later
// The tables about code (where it may fault, what the kernel rewrites), entry by entry. objtool's own tables are made
// from the code anew, and have nothing to be compared with: only what they are about is looked at.
import { type Section, within } from '../elf/read.ts'
import { grouped } from '../ground/values/grouped.ts'
import { getOrInsertComputed } from '../ground/values/remembered.ts'
import { isAboutForm, mayListPlace } from '../x86/patched-sites.ts'
import { hasToldEntries, type ObjectView, type Place, type Range, type Reference } from './object-view.ts'

/** Bytes of a table. */
export interface CodeEntry extends Range {
  readonly references: readonly Reference[]
  /** The place that it is about. */
  readonly about: Place
}

/** How an entry may look (arch/x86/include/asm, include/asm-generic/bug.h). */
const layouts: readonly (readonly [table: string, bytes: number, references: number])[] = [
  ['__bug_table', 12, 2],
  ['__bug_table', 8, 1],
  ['__bug_table', 16, 3],
  ['.altinstructions', 12, 2],
  ['.altinstructions', 13, 2],
  ['.altinstructions', 14, 2],
  ['__ex_table', 12, 2],
  ['__ex_table', 12, 3],
  ['__ex_table', 8, 2],
  ['__jump_table', 16, 3],
  ['__jump_table', 24, 3],
  ['.smp_locks', 4, 1],
  // Padded by the next one's alignment.
  ['.parainstructions', 10, 1],
  ['.static_call_sites', 8, 2],
  ['.return_sites', 4, 1],
  ['.retpoline_sites', 4, 1],
  ['.call_sites', 4, 1],
  ['.ibt_endbr_seal', 4, 1],
  ['__mcount_loc', 8, 1],
]

const byObjtool = /^(\.(static_call|return|retpoline|call)_sites|\.ibt_endbr_seal|__mcount_loc)$/

/** True for a table that the compiler makes. */
export function isCodeTable(name: string): boolean {
  return layouts.some(([table]) => table === name) && !byObjtool.test(name)
}

/** Tables that have no entries of a size that the kernel knows. */
export function unreadableTables(view: ObjectView): Section[] {
  return view.object.sections.filter(
    (table) => table.size > 0 && layouts.some(([name]) => name === table.name) && entriesOf(view, table) === undefined,
  )
}

/** All entries of the tables with such a name. */
export function entriesIn(view: ObjectView, isMeant: (name: string) => boolean): CodeEntry[] {
  return view.object.sections.flatMap((table) => (isMeant(table.name) ? (entriesOf(view, table) ?? []) : []))
}

/** Entries whose place has another instruction than such an entry is about. */
export function strayEntries(view: ObjectView): CodeEntry[] {
  return entriesIn(view, isAboutForm).filter((entry) => {
    const { section, offset } = entry.about
    return !mayListPlace(entry.section.name, section.data, offset) && !isHandedOver(view, entry)
  })
}

/** True for an entry whose address is taken by the instruction in front of its place: `WARN()` with a text. */
function isHandedOver(view: ObjectView, { section: table, start, about: { section, offset } }: CodeEntry): boolean {
  if (!hasToldEntries(table)) return false
  return view
    .references({ section, start: offset - 4, end: offset })
    .some(({ target }) => target.kind === 'place' && target.place.section === table && target.place.offset === start)
}

const known = new WeakMap<ObjectView, ReadonlyMap<Section, readonly CodeEntry[]>>()

/** The compiler's entries about code, by the place that they are about. */
export function entriesAbout(view: ObjectView, { section, start, end }: Range): readonly CodeEntry[] {
  const all = getOrInsertComputed(known, view, () => {
    const entries = entriesIn(view, isCodeTable).sort(
      (a, b) => a.about.offset - b.about.offset || a.section.name.localeCompare(b.section.name) || a.start - b.start,
    )
    return grouped(entries, ({ about }) => about.section)
  })
  return (all.get(section) ?? []).filter(({ about }) => about.offset >= start && about.offset < end)
}

/** @returns undefined when the table is none of these, or can't be understood */
function entriesOf(view: ObjectView, section: Section): CodeEntry[] | undefined {
  const all = view.references(section)
  for (const [name, bytes, count] of layouts) {
    if (name !== section.name) continue
    const starts =
      name === '.parainstructions'
        ? all.map(({ offset }) => offset)
        : Array.from({ length: Math.ceil(section.size / bytes) }, (_, nth) => nth * bytes)
    const rows = starts.map((start) => {
      return { section, start, end: start + bytes, references: within(all, start, start + bytes) }
    })
    // An alternative may have no replacement (`static_cpu_has` until 5.12), and then has no reference to it.
    const isWhole = ({ start, end, references }: Omit<CodeEntry, 'about'>) =>
      end <= section.size &&
      references[0]?.offset === start &&
      (name === '.altinstructions'
        ? references.length <= count && references.slice(1).every(({ offset }) => offset === start + 4)
        : references.length === count)
    if (rows.every(isWhole))
      return rows.flatMap((row) => {
        const { target } = row.references[0]!
        return target.kind === 'place' ? [{ ...row, about: target.place }] : []
      })
  }
  return undefined
}
