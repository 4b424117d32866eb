// SPDX-License-Identifier: GPL-3.0-or-later
// Puts relocatable objects into one, as `ld -r` would: the carried code, the frame that every live patch
// has, and the kernel's livepatch structures.
import { isTable } from '../diff/tables.ts'
import type { ObjectDraft, SectionDraft, SymbolDraft } from '../elf/write.ts'

/** Replaces symbols in the relocations of an object. */
export function substitute(
  sections: readonly SectionDraft[],
  by: ReadonlyMap<SymbolDraft, SymbolDraft>,
): void {
  for (const section of sections)
    section.relocations = section.relocations.map((relocation) => {
      const symbol = by.get(relocation.symbol)
      if (symbol === undefined)
        throw new Error(
          `a relocation of ${section.name} leads to ${relocation.symbol.name}, which is not bound`,
        )
      return { ...relocation, symbol }
    })
}

/** Puts objects into one. Tables that the kernel looks up by name become one table. */
export function join(drafts: readonly ObjectDraft[]): ObjectDraft {
  const sections: SectionDraft[] = []
  const symbols = drafts.flatMap((draft) => [...draft.symbols])
  const tables = new Map<string, SectionDraft>()
  for (const section of drafts.flatMap((draft) => draft.sections)) {
    const known = tables.get(section.name)
    if (known === undefined || !isTable(section)) {
      if (isTable(section)) tables.set(section.name, section)
      sections.push(section)
      continue
    }
    if (typeof known.data === 'number' || typeof section.data === 'number') continue
    const align = Math.max(known.align, 1)
    const base = known.data.length + ((align - (known.data.length % align)) % align)
    known.data = Buffer.concat([known.data, Buffer.alloc(base - known.data.length), section.data])
    for (const relocation of section.relocations)
      known.relocations.push({ ...relocation, offset: relocation.offset + base })
    for (const symbol of symbols)
      if (symbol.place === section) {
        symbol.place = known
        symbol.value += base
      }
  }
  return { sections, symbols }
}

/** Makes every undefined global that another part defines the same symbol. */
export function link(draft: ObjectDraft): ObjectDraft {
  const defined = new Map<string, SymbolDraft>()
  const undefinedOnes = new Map<string, SymbolDraft>()
  for (const symbol of draft.symbols)
    if (symbol.binding !== 'local' && symbol.place !== 'undefined') defined.set(symbol.name, symbol)
  const by = new Map<SymbolDraft, SymbolDraft>()
  for (const symbol of draft.symbols) {
    if (symbol.place !== 'undefined') {
      by.set(symbol, symbol)
      continue
    }
    const first = defined.get(symbol.name) ?? undefinedOnes.get(symbol.name) ?? symbol
    if (first === symbol) undefinedOnes.set(symbol.name, symbol)
    by.set(symbol, first)
  }
  substitute(draft.sections, by)
  return { sections: draft.sections, symbols: [...new Set(by.values())] }
}
