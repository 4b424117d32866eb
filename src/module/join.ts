// SPDX-License-Identifier: GPL-3.0-or-later
// Puts relocatable objects into one, as `ld -r` would: the carried code, the frame that every live patch
// has, and the kernel's livepatch structures.
import { isTable } from '../diff/tables.ts'
import { sectionFlag } from '../elf/format.ts'
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
  return unite(drafts, isTable)
}

/** Puts objects into one in which no two sections have the same name, as those of a module must not. */
export function gather(drafts: readonly ObjectDraft[]): ObjectDraft {
  return unite(drafts, () => true)
}

/** @param united which sections become one with those of the same name */
function unite(drafts: readonly ObjectDraft[], united: (section: SectionDraft) => boolean): ObjectDraft {
  const sections: SectionDraft[] = []
  const symbols = drafts.flatMap((draft) => [...draft.symbols])
  const first = new Map<string, SectionDraft>()
  for (const section of drafts.flatMap((draft) => draft.sections)) {
    const known = first.get(section.name)
    const both = known !== undefined && united(section)
    if (!both || (typeof known.data === 'number') !== (typeof section.data === 'number')) {
      if (united(section) && known === undefined) first.set(section.name, section)
      sections.push(section)
      continue
    }
    const length = typeof known.data === 'number' ? known.data : known.data.length
    known.align = Math.max(known.align, section.align)
    const align = Math.max(known.align, 1)
    const base = length + ((align - (length % align)) % align)
    if (typeof known.data === 'number') known.data = base + Number(section.data)
    else if (typeof section.data !== 'number')
      known.data = Buffer.concat([known.data, Buffer.alloc(base - length, paddingOf(known)), section.data])
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

/** Between functions there are nops, as objtool reads all code. */
function paddingOf({ flags }: SectionDraft): number {
  return (flags & sectionFlag.exec) === 0 ? 0 : 0x90
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
