// SPDX-License-Identifier: GPL-3.0-or-later
// Puts relocatable objects into one, as `ld -r` would: the carried code, the skeleton that every live
// patch has, and the kernel's livepatch structures.

import { isTable } from '../../diff/object/tables.ts'
import { type ObjectDraft, padding, type SectionDraft, type SymbolDraft, sectionSymbol } from '../../elf/write.ts'
import { grouped } from '../../ground/values/grouped.ts'

/** Replaces symbols in the relocations of an object. */
export function substitute(sections: readonly SectionDraft[], by: ReadonlyMap<SymbolDraft, SymbolDraft>): void {
  for (const section of sections)
    section.relocations = section.relocations.map((relocation) => {
      const symbol = by.get(relocation.symbol)
      if (symbol === undefined)
        throw new Error(`a relocation of ${section.name} leads to ${relocation.symbol.name}, which is not bound`)
      return { ...relocation, symbol }
    })
}

/** A section to which others of its name are appended. */
interface JoinedSection {
  readonly section: SectionDraft
  /** Its bytes, in their order; none for a section without (SHT_NOBITS). */
  readonly parts: Buffer[]
  size: number
}

/**
 * Puts objects into one. Sections of one name become one, as the kernel names a file after each of a module's sections;
 * where they are of different kinds, the later one gets a name of its own.
 */
export function join(drafts: readonly ObjectDraft[]): ObjectDraft {
  const symbols = drafts.flatMap((draft) => [...draft.symbols])
  const symbolsOf = grouped(symbols, ({ place }) => place)
  const byName = new Map<string, JoinedSection>()
  for (const section of drafts.flatMap((draft) => draft.sections)) {
    const { name } = section
    let known = byName.get(name)
    for (let next = 2; known !== undefined && !areAlike(known.section, section); next++) {
      section.name = `${name}..${next}`
      known = byName.get(section.name)
    }
    if (known === undefined) {
      const { data } = section
      byName.set(
        section.name,
        typeof data === 'number' ? { section, parts: [], size: data } : { section, parts: [data], size: data.length },
      )
      continue
    }
    const base = append(known, section)
    for (const relocation of section.relocations)
      known.section.relocations.push({ ...relocation, offset: relocation.offset + base })
    for (const symbol of symbolsOf.get(section) ?? []) {
      symbol.place = known.section
      symbol.value += base
    }
  }
  const joined = [...byName.values()]
  for (const { section, parts } of joined) if (parts.length > 1) section.data = Buffer.concat(parts)
  return withOneSymbolEach({ sections: joined.map(({ section }) => section), symbols })
}

/** Leaves each section one symbol that stands for it, at its beginning: objtool takes any for that. */
function withOneSymbolEach({ sections, symbols }: ObjectDraft): ObjectDraft {
  const own = new Map<SymbolDraft['place'], SymbolDraft>()
  const others = new Set<SymbolDraft>()
  for (const symbol of symbols)
    if (symbol.type === 'section') {
      if (symbol.value === 0 && !own.has(symbol.place)) own.set(symbol.place, symbol)
      else others.add(symbol)
    }
  if (others.size === 0) return { sections, symbols }
  const made: SymbolDraft[] = []
  const ownOf = (place: SectionDraft): SymbolDraft => {
    const known = own.get(place) ?? sectionSymbol(place)
    if (!own.has(place)) made.push(known)
    own.set(place, known)
    return known
  }
  for (const section of sections)
    section.relocations = section.relocations.map((relocation) => {
      const { symbol, addend } = relocation
      if (!others.has(symbol) || typeof symbol.place === 'string') return relocation
      return { ...relocation, symbol: ownOf(symbol.place), addend: addend + symbol.value }
    })
  return { sections, symbols: [...symbols.filter((symbol) => !others.has(symbol)), ...made] }
}

/** True when two sections of one name may become one. What kbuild's linker script lists by name alone is a table. */
function areAlike(known: SectionDraft, section: SectionDraft): boolean {
  return isTable(section) || (known.type === section.type && known.flags === section.flags)
}

/** @returns where in the joined section the other section's first byte is now */
function append(known: JoinedSection, { data, align: wanted }: SectionDraft): number {
  const { section, size } = known
  section.align = Math.max(section.align, wanted)
  const align = Math.max(section.align, 1)
  const base = size + ((align - (size % align)) % align)
  if (typeof section.data === 'number') section.data = known.size = base + Number(data)
  else if (typeof data !== 'number') {
    known.parts.push(padding(base - size, section.flags), data)
    known.size = base + data.length
  }
  return base
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
