// SPDX-License-Identifier: GPL-3.0-or-later
// Whether the module's tables say about a function what the compiler's say, entry by entry, and which reference of the one is
// which of the other.
import { relocationSize } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import { type CodeEntry, entriesAbout } from './code-tables.ts'
import type { Extent, ObjectView, Place, Target } from './object-view.ts'
import type { UnitView } from './unit.ts'

export interface SameTables {
  /** A reference of the module's table, and where the compiler's leads. */
  readonly entries: readonly { readonly table: Section; readonly own: Relocation; readonly target: Target }[]
  /** A reference to other instructions for a place, and the compiler's instructions. */
  readonly alternatives: readonly {
    readonly table: Section
    readonly own: Relocation
    readonly extent: Extent
  }[]
  /** A sentence without a full stop. */
  readonly difference?: string
}

/** @param excuse makes equal what may differ in an entry, in the module's bytes and in the compiler's */
export function compareTables(
  module: ObjectView,
  mine: Place,
  unit: UnitView,
  theirs: Extent,
  excuse: (entry: CodeEntry, ours: Buffer, made: Buffer) => void,
): SameTables {
  const { section, start, end, symbol } = theirs
  const { view } = unit.after
  const name = symbol?.name ?? section.name
  const entries: { table: Section; own: Relocation; target: Target }[] = []
  const alternatives: { table: Section; own: Relocation; extent: Extent }[] = []
  const ours = entriesAbout(module, mine.section, mine.offset, mine.offset + end - start)
  const key = ({ table, about }: CodeEntry, from: number) => `${table.name} ${about.offset - from}`
  const differs = (difference: string): SameTables => ({ entries, alternatives, difference })
  let next = 0
  for (const entry of entriesAbout(view, section, start, end)) {
    const own = ours[next]
    const { table } = entry
    if (own === undefined || key(own, mine.offset) !== key(entry, start)) {
      if (isLostTracepoint(view, entry, unit)) continue
      return differs(
        `The module lacks what ${table.name} says about ${name}, offset ${entry.about.offset - start}`,
      )
    }
    next++
    const length = entry.end - entry.start
    const [said, made] = [blank(own, length), blank(entry, length)]
    excuse(entry, said, made)
    // Entries of .parainstructions are padded by alignment only.
    const told = table.name === '.parainstructions' ? 10 : length
    const isSame = said.subarray(0, told).equals(made.subarray(0, told))
    if (!isSame || own.relocations.length !== entry.relocations.length)
      return differs(`${table.name} of the module says something else about ${name} than the compiler`)
    for (const [index, relocation] of entry.relocations.entries()) {
      const reference = { table: own.table, own: own.relocations[index]! }
      const target = view.target(table, relocation)
      if (table.name === '.altinstructions' && index === 1 && target.kind === 'place') {
        const { section: code, offset } = target.place
        const size = made[length === 14 ? 13 : 11] ?? 0
        alternatives.push({ ...reference, extent: { section: code, start: offset, end: offset + size } })
      } else entries.push({ ...reference, target })
    }
  }
  const more = ours[next]
  if (more === undefined) return { entries, alternatives }
  return differs(`The module has an entry of ${more.table.name} about ${name} that the compiler did not make`)
}

/** An entry's bytes without its references. */
function blank({ table, start, relocations }: CodeEntry, length: number): Buffer {
  const bytes = Buffer.from(table.data.subarray(start, start + length))
  for (const { offset, type } of relocations)
    bytes.fill(0, offset - start, offset - start + relocationSize(type))
  return bytes
}

/** A tracepoint of a module that may come later can't be known when the live patch is loaded: its entry is left out. */
function isLostTracepoint(
  view: ObjectView,
  { table, relocations }: CodeEntry,
  { object }: UnitView,
): boolean {
  const third = relocations[2]
  if (table.name !== '__jump_table' || object === 'vmlinux' || third === undefined) return false
  const target = view.target(table, third)
  return target.kind !== 'number' && target.symbol.name.startsWith('__tracepoint_')
}
