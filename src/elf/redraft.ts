// SPDX-License-Identifier: GPL-3.0-or-later
// Turns an object that was read into a draft that can be changed and written again.
import { Fault } from '../ground/fault.ts'
import { sectionType } from './format.ts'
import type { ElfSymbol, ObjectFile, Section } from './read.ts'
import type { ObjectDraft, SectionDraft, SymbolDraft } from './write.ts'

/**
 * @param keep which sections stay; relocations of a kept section may not lead into a dropped one
 * @param rewrite changes a symbol on its way; it gets the symbol as read and its draft
 * @throws Fault `patch/bad-object` when a kept section refers to a dropped one
 */
export function redraft(
  object: ObjectFile,
  keep: (section: Section) => boolean,
  rewrite: (symbol: ElfSymbol, draft: SymbolDraft) => SymbolDraft = (_, draft) => draft,
): ObjectDraft {
  const drafts = new Map<Section, SectionDraft>()
  for (const section of object.sections) {
    const { type } = section
    if (type !== sectionType.progbits && type !== sectionType.nobits && type !== sectionType.note) continue
    if (!keep(section)) continue
    drafts.set(section, {
      name: section.name,
      type,
      // Groups and link order have done their work when the object is one module.
      flags: (section.flags & ~0x2c0) >>> 0,
      align: section.align,
      entrySize: section.entrySize,
      data: type === sectionType.nobits ? section.size : section.data,
      relocations: [],
    })
  }
  const symbols = new Map<ElfSymbol, SymbolDraft>()
  for (const symbol of object.symbols) {
    if (symbol.index === 0) continue
    const place = symbol.section === undefined ? undefined : drafts.get(symbol.section)
    if (symbol.section !== undefined && place === undefined) continue
    if (symbol.place === 'common') continue
    const draft: SymbolDraft = {
      name: symbol.type === 'section' ? '' : symbol.name,
      value: symbol.value,
      size: symbol.size,
      binding: symbol.binding,
      type: symbol.type,
      visibility: symbol.visibility,
      place: place ?? (symbol.place === 'absolute' ? 'absolute' : 'undefined'),
    }
    symbols.set(symbol, rewrite(symbol, draft))
  }
  for (const [section, draft] of drafts)
    for (const { offset, type, symbol, addend } of object.relocations(section)) {
      const target = symbols.get(symbol)
      if (target === undefined)
        throw new Fault(
          'patch',
          'bad-object',
          `${object.name} is not a usable object file: ${section.name} refers to something that is nowhere`,
        )
      draft.relocations.push({ offset, type, symbol: target, addend })
    }
  return { sections: [...drafts.values()], symbols: [...symbols.values()] }
}
