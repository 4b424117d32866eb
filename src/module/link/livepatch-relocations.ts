// SPDX-License-Identifier: GPL-3.0-or-later
// Moves the relocations that the kernel's livepatch code resolves, at once or when a module comes, into
// sections of their own (Documentation/livepatch/module-elf-format.rst), and knows what may not wait.

import { isTable, layoutOf } from '../../diff/object/tables.ts'
import { sectionFlag } from '../../elf/format.ts'
import type { ObjectDraft, RelocationDraft, SectionDraft, SymbolDraft } from '../../elf/write.ts'
import type { Finding } from '../../ground/finding.ts'
import { addTo } from '../../ground/values/grouped.ts'
import { rewrittenSize } from '../../x86/patched-sites.ts'
import type { Binding } from '../bind/bind.ts'

/**
 * A tracepoint of a module that may come later can't be switched on in replaced code: its jump label
 * would have to be known when the patch is loaded. Without its entry it stays off, as it is by default.
 */
export function leaveOutTracepoints(
  table: SectionDraft,
  livepatchSymbols: ReadonlyMap<SymbolDraft, Binding & { kind: 'livepatch' }>,
  findings: Finding[],
): void {
  const { data, relocations } = table
  if (typeof data === 'number') return
  const kept: Buffer[] = []
  const keptRelocations: RelocationDraft[] = []
  const lost = new Set<string>()
  let size = 0
  for (let index = 0; index < relocations.length; index += 3) {
    const entry = relocations.slice(index, index + 3)
    const start = entry[0]?.offset ?? 0
    const end = relocations[index + 3]?.offset ?? data.length
    const key = entry[2] === undefined ? undefined : livepatchSymbols.get(entry[2].symbol)
    const tracepoint = key !== undefined && key.when !== 'vmlinux' && /^__tracepoint_(.*)$/.exec(key.name)
    if (tracepoint) {
      lost.add(tracepoint[1] ?? '')
      continue
    }
    for (const relocation of entry) keptRelocations.push({ ...relocation, offset: relocation.offset - start + size })
    kept.push(data.subarray(start, end))
    size += end - start
  }
  if (lost.size === 0) return
  table.data = Buffer.concat(kept)
  table.relocations = keptRelocations
  findings.push({
    severity: 'note',
    rule: 'tracepoint-lost',
    message: `These tracepoints of the module stay disabled in replaced functions: ${[...lost].sort().join(', ')}`,
    hint: 'Trace the function by its entry instead, for instance with ftrace',
  })
}

/** A symbol as it is reached by distance from the anchor. */
export interface PlaceFromAnchor {
  readonly anchor: SymbolDraft
  readonly bytes: number
}

/**
 * Moves the relocations that livepatch resolves into sections of their own, except those that can be ordinary ones.
 * @param fromAnchor livepatch symbols that can be reached by distance
 * @returns those that are
 */
export function moveLivepatchRelocations(
  section: SectionDraft,
  livepatchSymbols: ReadonlyMap<SymbolDraft, Binding & { kind: 'livepatch' }>,
  draft: ObjectDraft,
  findings: Finding[],
  fromAnchor: ReadonlyMap<SymbolDraft, PlaceFromAnchor> = new Map(),
): SymbolDraft[] {
  const byDistance: SymbolDraft[] = []
  const groups = new Map<string, RelocationDraft[]>()
  const ordinary: RelocationDraft[] = []
  for (const relocation of section.relocations) {
    const binding = livepatchSymbols.get(relocation.symbol)
    if (binding === undefined) {
      ordinary.push(relocation)
      continue
    }
    const place = fromAnchor.get(relocation.symbol)
    if (place !== undefined && !isReadWhileLoading(section, relocation, draft)) {
      ordinary.push({ ...relocation, symbol: place.anchor, addend: place.bytes + relocation.addend })
      byDistance.push(relocation.symbol)
      continue
    }
    if (binding.when !== 'vmlinux' && !isUntouchedWhileLoading(section, relocation, draft, rewriting)) {
      const message =
        `${section.name} refers to ${binding.name} of the module ${binding.object}, which the kernel needs when it ` +
        'loads the live patch; the module may be loaded later'
      if (!findings.some((finding) => finding.message === message))
        findings.push({
          severity: 'error',
          rule: 'late-special-section',
          symbol: binding.name,
          message,
          hint: 'Avoid static keys, static calls and alternatives of the module in the patched code',
        })
    }
    addTo(groups, `.klp.rela.${binding.when}.${section.name}`, relocation)
  }
  section.relocations = ordinary
  section.livepatchRelocations = [...groups].map(([name, relocations]) => ({ name, relocations }))
  return byDistance
}

/** Tables by which the kernel rewrites code while it loads a module. */
const rewriting: ReadonlySet<string> = new Set([
  '.altinstructions',
  '.parainstructions',
  '.static_call_sites',
  '__jump_table',
])

/** Those for which it reads what the code to be rewritten refers to. */
const following: ReadonlySet<string> = new Set(['.altinstructions', '.parainstructions'])

/**
 * True when the kernel may follow the reference while it loads the patch, before the patch can find out in which image
 * it is: tables in sections that the kernel knows by their names, and code that is rewritten.
 */
function isReadWhileLoading(section: SectionDraft, relocation: RelocationDraft, draft: ObjectDraft): boolean {
  return !section.name.startsWith('.') || !isUntouchedWhileLoading(section, relocation, draft, following)
}

/**
 * True when the kernel does not look at, or rewrite, the place while it loads the patch.
 * @param tables by which it rewrites code
 */
function isUntouchedWhileLoading(
  section: SectionDraft,
  relocation: RelocationDraft,
  draft: ObjectDraft,
  tables: ReadonlySet<string>,
): boolean {
  if (isTable(section)) return false
  if (section.name === '.altinstr_replacement' || section.name.startsWith('.orc')) return false
  if ((section.flags & sectionFlag.exec) === 0) return true
  const { offset } = relocation
  for (const table of draft.sections) {
    if (!tables.has(table.name) || typeof table.data === 'number') continue
    const { data } = table
    const entries = entriesOf(table, data.length)
    if (entries === undefined) return false
    for (const { first, end } of entries) {
      if (first.symbol.place !== section) continue
      const start = first.symbol.value + first.addend
      // Until 5.12 the entry ends with the length of the padding.
      const behind = end - first.offset === 13 ? 3 : 2
      const length =
        table.name === '.altinstructions'
          ? (data[end - behind] ?? 16)
          : table.name === '.parainstructions'
            ? (data[first.offset + 9] ?? 16)
            : rewrittenSize(typeof section.data === 'number' ? undefined : section.data, start)
      if (offset + 4 > start && offset < start + length) return false
    }
  }
  return true
}

/** The place that each entry of a table is about; undefined when they can't be told apart. */
function entriesOf(
  { name, relocations, livepatchRelocations = [] }: SectionDraft,
  size: number,
): { readonly first: RelocationDraft; readonly end: number }[] | undefined {
  const all = [...relocations, ...livepatchRelocations.flatMap((group) => group.relocations)]
  all.sort((a, b) => a.offset - b.offset)
  const offsets = all.map(({ offset }) => offset)
  const layout = all.length === 0 ? undefined : layoutOf({ name, size }, offsets)
  if (layout === undefined) return all.length === 0 ? [] : undefined
  const firsts = layout.firsts ?? all.flatMap((_, index) => (index % layout.relocations === 0 ? [index] : []))
  return firsts.map((index, nth) => ({ first: all[index]!, end: offsets[firsts[nth + 1] ?? -1] ?? size }))
}
