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

/** objtool's, which the compiler does not have: what they are about is looked at, and nothing is there to compare them with. */
const objtools: typeof layouts = new Map([
  ['.static_call_sites', [[8, 2]]],
  ['.return_sites', [[4, 1]]],
  ['.retpoline_sites', [[4, 1]]],
  ['.call_sites', [[4, 1]]],
  ['.ibt_endbr_seal', [[4, 1]]],
  ['__mcount_loc', [[8, 1]]],
])

/** The entries of one of objtool's tables. */
export function objtoolEntries(view: ObjectView, name: string): CodeEntry[] {
  return view.object.sections.flatMap((table) =>
    table.name === name ? (entriesOf(view, table, objtools) ?? []) : [],
  )
}

export function isCodeTable(name: string): boolean {
  return layouts.has(name)
}

/** What the kernel finds, or puts, at a place that an entry is about; it stops where it is something else. */
const instructions: ReadonlyMap<string, RegExp> = new Map([
  ['__jump_table', /^(6690|0f1f440000|eb|e9)/],
  ['__bug_table', /^0f0b/],
  ['.static_call_sites', /^(e8|e9|0f8)/],
  ['.return_sites', /^(c3|e9|0f8)/],
  // With a prefix (cs) where the register's number is above 7.
  ['.retpoline_sites', /^(2e)?(e8|e9|0f8|(41)?ff)/],
  ['.ibt_endbr_seal', /^f30f1efa/],
  ['__mcount_loc', /^(e8|0f1f440000)/],
])

/** Entries whose place has another instruction than such an entry is about. */
export function strayEntries(view: ObjectView): CodeEntry[] {
  const later = view.object.sections.flatMap((table) => entriesOf(view, table, objtools) ?? [])
  return [...[...allEntries(view).values()].flat(), ...later].filter(
    ({ table, about: { section, offset } }) => {
      const fits = instructions.get(table.name)
      return fits !== undefined && !fits.test(section.data.toString('hex', offset, offset + 5))
    },
  )
}

/** Tables that have no entries of a size that the kernel knows. */
export function unreadableTables(view: ObjectView): Section[] {
  return view.object.sections.filter(
    (table) =>
      table.size > 0 &&
      [layouts, objtools].some(
        (known) => known.has(table.name) && entriesOf(view, table, known) === undefined,
      ),
  )
}

const known = new WeakMap<ObjectView, ReadonlyMap<Section, readonly CodeEntry[]>>()

/** The entries about the code from `start` to `end`, by the place that they are about. */
export function entriesAbout(view: ObjectView, section: Section, start: number, end: number): CodeEntry[] {
  const all = allEntries(view).get(section) ?? []
  return all.filter(({ about }) => about.offset >= start && about.offset < end)
}

function allEntries(view: ObjectView): ReadonlyMap<Section, readonly CodeEntry[]> {
  const all = known.get(view) ?? readAll(view)
  known.set(view, all)
  return all
}

/**
 * The relocations of each entry, if all entries have so many bytes; 0 for any.
 * An alternative may have no replacement (`static_cpu_has` until 5.12), and then has no relocation to it.
 */
function rowsOf(
  table: Section,
  relocations: readonly Relocation[],
  bytes: number,
  count: number,
): Relocation[][] | undefined {
  if (bytes > 0 && table.size % bytes !== 0) return undefined
  const rows: Relocation[][] = []
  for (const relocation of relocations) {
    const last = rows.at(-1)
    const isFirst = bytes > 0 ? relocation.offset === rows.length * bytes : (last?.length ?? count) === count
    if (isFirst) rows.push([relocation])
    else if (last === undefined || last.length === count) return undefined
    else last.push(relocation)
  }
  const mayLack = table.name === '.altinstructions'
  const isWhole = ([first, second, ...rest]: Relocation[]) =>
    mayLack
      ? second === undefined || second.offset === first!.offset + 4
      : rest.length + Number(second !== undefined) + 1 === count
  if (!rows.every(isWhole)) return undefined
  return bytes === 0 || rows.length * bytes === table.size ? rows : undefined
}

/** @returns undefined when the table is none of these, or can't be understood */
function entriesOf(view: ObjectView, table: Section, known: typeof layouts): CodeEntry[] | undefined {
  const relocations = view.relocations({ section: table, start: 0, end: table.size })
  const rows = known
    .get(table.name)
    ?.map(([bytes, count]) => rowsOf(table, relocations, bytes, count))
    .find((one) => one !== undefined)
  return rows?.flatMap((own, nth) => {
    const target = view.target(table, own[0]!)
    if (target.kind !== 'place') return []
    const end = rows[nth + 1]?.[0]?.offset ?? table.size
    return [{ table, start: own[0]!.offset, end, relocations: own, about: target.place }]
  })
}

function readAll(view: ObjectView): Map<Section, CodeEntry[]> {
  const found = new Map<Section, CodeEntry[]>()
  for (const entry of view.object.sections.flatMap((table) => entriesOf(view, table, layouts) ?? [])) {
    const list = found.get(entry.about.section) ?? []
    found.set(entry.about.section, list)
    list.push(entry)
  }
  for (const list of found.values())
    list.sort(
      (a, b) =>
        a.about.offset - b.about.offset ||
        (a.table.name < b.table.name ? -1 : a.table.name > b.table.name ? 1 : a.start - b.start),
    )
  return found
}
