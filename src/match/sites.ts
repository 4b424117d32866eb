// SPDX-License-Identifier: GPL-3.0-or-later
// The places of a function that the kernel rewrites itself, by the tables that the compiler's object has about them.
// Layouts: the kernel's arch/x86/include/asm/{alternative,jump_label,paravirt_types,runtime-const}.h.
import type { Atom, Extent, SplitObject, Target } from '../diff/object/split-object.ts'
import { isBootConstant, type TableEntry } from '../diff/object/tables.ts'
import type { Section } from '../elf/read.ts'
import type { Field, Site, Snippet } from './expectation.ts'

/** What a function's code becomes: how to name places in its parts. */
export interface Parts {
  /** The place that a reference leads to; undefined when it leads out of the function. */
  inside(target: Target): { part: number; plus?: number } | undefined
  /** The same by a place of a section. */
  placeOf(section: Section, offset: number): { part: number; plus?: number } | undefined
  fieldsOf(extent: Extent): Field[]
}

/** The bytes as base64. */
export function codeOf({ section, start, end }: Extent): string {
  return section.data.subarray(start, end).toString('base64')
}

/** ALT_FLAG_DIRECT_CALL (since 6.8). */
const directCall = 2

/** @param begin where in its section the function begins */
export function sitesOf(unit: SplitObject, atom: Atom, begin: number, parts: Parts): Site[] {
  const alternatives = new Map<number, Site & { kind: 'alternative'; choices: Snippet[] }>()
  const sites: Site[] = []
  for (const entry of unit.tableEntries(atom)) {
    const { table, start, relocations } = entry
    const [first, second] = relocations
    if (first === undefined) continue
    const at = first.symbol.value + first.addend - begin
    if (table.name === '__jump_table') {
      const section = second?.symbol.section
      const to =
        second === undefined || section === undefined
          ? undefined
          : parts.placeOf(section, second.symbol.value + second.addend)
      sites.push({ kind: 'label', at, to: to ?? 'unknown' })
    } else if (table.name === '.altinstructions') {
      const choice = choiceOf(entry, parts)
      if (choice === undefined) continue
      const { length, snippet, direct } = choice
      const before = alternatives.get(at)
      alternatives.set(at, {
        kind: 'alternative',
        at,
        length: Math.max(length, before?.length ?? 0),
        choices: [...(before?.choices ?? []), snippet],
        ...(direct || before?.direct ? { direct: true } : {}),
      })
    } else if (table.name === '.smp_locks') sites.push({ kind: 'lock', at })
    else if (table.name === '.parainstructions')
      sites.push({ kind: 'paravirt', at, length: table.data[start + 9] ?? 0 })
    else if (isBootConstant(table.name))
      sites.push({ kind: 'constant', at, length: table.name.startsWith('runtime_ptr') ? 8 : 1 })
  }
  return [...sites, ...alternatives.values()].sort((one, other) => one.at - other.at)
}

/** One entry of `.altinstructions`: what replaces how many bytes. */
function choiceOf(
  { table, start, end, relocations: [, second] }: TableEntry,
  parts: Parts,
): { length: number; snippet: Snippet; direct: boolean } | undefined {
  const section = second?.symbol.section
  if (second === undefined || section === undefined) return undefined
  // The newest entries have 16 bits of flags more (since 6.3), older ones may end with the length of the padding.
  const at = start + (end - start === 14 ? 12 : 10)
  const [length = 0, size = 0] = [table.data[at], table.data[at + 1]]
  const begin = second.symbol.value + second.addend
  const extent = { section, start: begin, end: begin + size }
  return {
    length,
    snippet: { code: codeOf(extent), fields: parts.fieldsOf(extent) },
    direct: end - start === 14 && (table.data.readUInt16LE(start + 10) & directCall) !== 0,
  }
}
