// SPDX-License-Identifier: GPL-3.0-or-later
// Tables that say something about places in the code: where it may fault, what the kernel rewrites when it
// starts, where objtool found a call. Each entry belongs to the function that holds the place.

import { sectionFlag, sectionType } from '../../elf/format.ts'
import type { ObjectFile, Relocation, Section } from '../../elf/read.ts'
import { addTo } from '../../ground/values/grouped.ts'

/** An entry of a table. */
export interface TableEntry {
  readonly table: Section
  /** Bytes in the table: first, and behind the last. */
  readonly start: number
  readonly end: number
  /** The first leads to the place that the entry is about. */
  readonly relocations: readonly Relocation[]
}

/** How one kernel lays a table out: relocations and bytes of an entry; 0 bytes when they vary. */
type EntryLayout = readonly [relocations: number, bytes: number]

/**
 * The layouts that kernels since 4.4 have had. From include/asm-generic/bug.h (with and without file names),
 * arch/x86/include/asm/{alternative,extable,jump_label,paravirt_types}.h and
 * include/linux/{objtool,static_call_types}.h.
 */
const tables: ReadonlyMap<string, readonly EntryLayout[]> = new Map<string, readonly EntryLayout[]>([
  [
    '__bug_table',
    [
      [2, 12],
      [1, 8],
      [3, 16],
    ],
  ],
  [
    '.altinstructions',
    [
      [2, 12],
      [2, 13],
      [2, 14],
    ],
  ],
  [
    '__ex_table',
    [
      [2, 12],
      [3, 12],
      [2, 8],
    ],
  ],
  [
    '__jump_table',
    [
      [3, 16],
      [3, 24],
    ],
  ],
  ['.static_call_sites', [[2, 8]]],
  ['.parainstructions', [[1, 0]]],
  ['.smp_locks', [[1, 4]]],
  ['.retpoline_sites', [[1, 4]]],
  ['.return_sites', [[1, 4]]],
  ['.call_sites', [[1, 4]]],
  ['.ibt_endbr_seal', [[1, 4]]],
  [
    '.cfi_sites',
    [
      [1, 4],
      [1, 8],
    ],
  ],
  ['__mcount_loc', [[1, 8]]],
  ['__patchable_function_entries', [[1, 8]]],
])

const hint: readonly EntryLayout[] = [[1, 0]]
const bootConstant: readonly EntryLayout[] = [[1, 4]]

/** Places in code that get a constant when the kernel starts (arch/x86/include/asm/runtime-const.h). */
export function isBootConstant(name: string): boolean {
  return /^runtime_(ptr|shift)_/.test(name)
}

/** Hints for objtool that are dropped when the kernel is linked (include/linux/objtool.h). */
export function isObjtoolHint(name: string): boolean {
  return name.startsWith('.discard.') && !/^\.discard\.(addressable$|sym$|.*ksym|klp_callback)/.test(name)
}

/** True for a section that holds a table about code. */
export function isTable({ name }: { readonly name: string }): boolean {
  return tables.has(name) || isBootConstant(name) || isObjtoolHint(name)
}

/** Relocations of an entry in today's kernels; undefined when the section is no table about code. */
export function relocationsPerEntry({ name }: { readonly name: string }): number | undefined {
  return tables.get(name)?.[0]?.[0] ?? (isObjtoolHint(name) ? 1 : undefined)
}

/**
 * True for a table to whose entries code may refer, since the kernel leaves them where they are. From 7.2 on `WARN()`
 * with a text hands over its own (arch/x86/include/asm/bug.h).
 */
export function isReferredTo({ name }: { readonly name: string }): boolean {
  return name === '__bug_table'
}

/**
 * Where struct bug_entry has the line's two bytes (asm-generic/bug.h): behind the place, a format (from 7.2 on), and
 * the name of a file. @returns -1 for an entry without one
 */
export function lineWithin(table: string, size: number): number {
  return isReferredTo({ name: table }) && size >= 12 ? size - 4 : -1
}

/** The line in the source that an entry tells. */
export function lineOf({ table, start, end }: TableEntry): number | undefined {
  const line = lineWithin(table.name, end - start)
  return line < 0 ? undefined : table.data.readUInt16LE(start + line)
}

/**
 * True when the bytes of two entries of a table mean the same; their relocations are left to the caller. A line in the
 * source may differ, and so may what only fills up.
 * @param inB,inA where the entries begin in the buffers
 */
export function hasSameEntryBytes(
  table: string,
  size: number,
  b: Buffer,
  inB: number,
  a: Buffer,
  inA: number,
): boolean {
  // The last entry has no padding behind it.
  const meant = table === '.parainstructions' ? Math.min(size, 10) : size
  const line = lineWithin(table, size)
  for (let index = 0; index < meant; index++)
    if (line < 0 || (index !== line && index !== line + 1)) if (b[inB + index] !== a[inA + index]) return false
  return true
}

/** True when the bytes of two entries of the same table and size mean the same. */
export function isSameEntry(b: TableEntry, a: TableEntry): boolean {
  return hasSameEntryBytes(a.table.name, a.end - a.start, b.table.data, b.start, a.table.data, a.start)
}

/** Bytes of replacement code that an entry of `.altinstructions` names: struct alt_instr's last fields. */
export function replacementLength(entry: TableEntry): number {
  const size = entry.end - entry.start
  return entry.table.data[entry.start + (size === 13 ? 11 : size - 1)] ?? 0
}

/** Where the entries of a table begin, and how many relocations each has. */
export interface TableLayout {
  /** The most of any entry. */
  readonly relocations: number
  /** Bytes; 0 when an entry ends where the next one's first relocation is. */
  readonly bytes: number
  /** Where each entry's first relocation is in the list; undefined when all have as many. */
  readonly firsts?: readonly number[]
}

/** @returns undefined when the table has none of the layouts that are known */
export function layoutOf(
  table: { readonly name: string; readonly size: number },
  /** Of the relocations, ascending. */
  offsets: ArrayLike<number>,
): TableLayout | undefined {
  const other = isBootConstant(table.name) ? bootConstant : isObjtoolHint(table.name) ? hint : []
  const known = tables.get(table.name) ?? other
  for (const [count, bytes] of known)
    if (isLaidOut(table.size, offsets, count, bytes)) return { relocations: count, bytes }
  if (table.name !== '.altinstructions') return undefined
  for (const [count, bytes] of known) {
    const firsts = firstsOf(table.size, offsets, bytes)
    if (firsts !== undefined) return { relocations: count, bytes, firsts }
  }
  return undefined
}

/** An alternative may have no replacement (`static_cpu_has` until 5.12): then its second field is just 0. */
function firstsOf(size: number, offsets: ArrayLike<number>, bytes: number): number[] | undefined {
  const firsts: number[] = []
  for (let index = 0; index < offsets.length; index++) {
    const row = firsts.length
    if (offsets[index] === row * bytes) firsts.push(index)
    else if (row === 0 || offsets[index] !== (row - 1) * bytes + 4) return undefined
  }
  return firsts.length * bytes === size ? firsts : undefined
}

function isLaidOut(size: number, offsets: ArrayLike<number>, count: number, bytes: number): boolean {
  if (offsets.length === 0 || offsets[0] !== 0) return false
  if (bytes === 0) return offsets.length % count === 0
  if (size % bytes !== 0 || offsets.length !== (size / bytes) * count) return false
  for (let index = count; index < offsets.length; index++)
    if (offsets[index] !== (offsets[index - count] ?? 0) + bytes) return false
  return (offsets[count - 1] ?? 0) < bytes
}

/**
 * True for a table that says nothing which the code does not, or something that depends on who refers to the
 * function: where it calls ftrace, and that no indirect call leads to it.
 */
export function isDerived({ name }: { readonly name: string }): boolean {
  return name === '__mcount_loc' || name === '.ibt_endbr_seal'
}

/**
 * Reads tables of an object.
 * @param wanted which of them
 * @param ownerOf what holds the place that a relocation leads to
 */
export function readTables<Owner>(
  object: ObjectFile,
  ownerOf: (relocation: Relocation) => Owner | undefined,
  wanted: (table: Section) => boolean,
): {
  readonly entries: ReadonlyMap<Owner, readonly TableEntry[]>
  /** Tables whose layout could not be understood, with the reason. */
  readonly unreadable: readonly { readonly section: Section; readonly why: string }[]
} {
  const entries = new Map<Owner, TableEntry[]>()
  const unreadable: { section: Section; why: string }[] = []
  for (const table of object.sections) {
    if (table.size === 0 || table.type !== sectionType.progbits || !isTable(table) || !wanted(table)) continue
    const relocations = object.relocations(table)
    const layout = layoutOf(
      table,
      relocations.map(({ offset }) => offset),
    )
    if (layout === undefined) {
      unreadable.push({
        section: table,
        why: `its ${table.size} bytes with ${relocations.length} relocations have no known layout`,
      })
      continue
    }
    for (let index = 0, row = 0; index < relocations.length; row++) {
      const next =
        layout.firsts === undefined ? index + layout.relocations : (layout.firsts[row + 1] ?? relocations.length)
      const own = relocations.slice(index, next)
      index = next
      const [first] = own
      if (first === undefined) break
      const start = first.offset
      const end = layout.bytes === 0 ? (relocations[next]?.offset ?? table.size) : start + layout.bytes
      const owner = ownerOf(first)
      if (owner === undefined) {
        // Hints may be about data, and a linked object has functions that nothing names any more.
        if (isObjtoolHint(table.name) || (first.symbol.section?.flags ?? 0) & sectionFlag.exec) continue
        unreadable.push({ section: table, why: `its entry at ${start} is about no function` })
        break
      }
      addTo(entries, owner, { table, start, end, relocations: own })
    }
  }
  return { entries, unreadable }
}
