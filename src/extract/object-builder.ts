// SPDX-License-Identifier: GPL-3.0-or-later
// Where the object that carries a change is put together: sections that grow, symbols, and what is still to be
// found in the running kernel.

import type { Change } from '../diff/change.ts'
import { lastingSection } from '../diff/object/init-sections.ts'
import type { Atom, Extent } from '../diff/object/split-object.ts'
import { sectionFlag, sectionType } from '../elf/format.ts'
import type { Section } from '../elf/read.ts'
import {
  type ObjectDraft,
  padding,
  type SectionDraft,
  type SymbolDraft,
  sectionSymbol,
  undefinedSymbol,
} from '../elf/write.ts'
import { getOrInsertComputed } from '../ground/values/remembered.ts'
import { Namesakes } from './namesakes.ts'

/** Something of the running kernel that carried code refers to. */
export interface Reference {
  /** Its name in the running kernel. */
  readonly name: string
  /** The kernel object whose code refers to it. */
  readonly from: string
  readonly unit: string
  /** The definition, when it is in the same unit: then exactly that one is meant. */
  readonly definition: Atom | undefined
  /** The change whose before-object holds `definition`. */
  readonly change: Pick<Change, 'unit' | 'before'>
  /** False when the carried code can do without it: it is dropped if the kernel does not have it. */
  readonly needed: boolean
}

/** A section while it grows. */
export interface SectionBuilder {
  readonly draft: SectionDraft
  readonly parts: Buffer[]
  size: number
  readonly symbol: SymbolDraft
}

/** Where carried bytes went. */
export interface CarriedPlace {
  readonly section: SectionBuilder
  /** Offset in the new section of the extent's first byte. */
  readonly at: number
}

/** Collects sections and symbols of the object to be written. */
export class ObjectBuilder {
  private readonly sections: SectionBuilder[] = []
  private readonly shared = new Map<string, SectionBuilder>()
  private readonly symbols: SymbolDraft[] = []
  private readonly byName = new Map<string, SymbolDraft>()
  /** What functions are called, so that no two of them have one name. */
  readonly namesakes = new Namesakes()
  readonly references = new Map<SymbolDraft, Reference>()

  /** A new section like `model`. */
  open(model: Section, name: string): SectionBuilder {
    const draft: SectionDraft = {
      name: lastingSection(name),
      type: model.type,
      flags: model.flags & (sectionFlag.write | sectionFlag.alloc | sectionFlag.exec),
      align: model.align,
      entrySize: 0,
      data: 0,
      relocations: [],
    }
    const symbol = sectionSymbol(draft)
    const section = { draft, parts: [], size: 0, symbol }
    this.sections.push(section)
    this.symbols.push(symbol)
    return section
  }

  /** The one section for everything that is like `model`; made when it is first asked for. */
  openShared(model: Section): SectionBuilder {
    // A module's per-CPU variables are in one section, of which the kernel makes a copy for each CPU.
    const name = model.name.startsWith('.data..percpu') ? '.data..percpu' : model.name
    const key = `${name} ${model.type} ${model.flags & (sectionFlag.write | sectionFlag.exec)}`
    return getOrInsertComputed(this.shared, key, () => this.open(model, name))
  }

  /** Appends bytes of `extent`, aligned as they were. */
  append(into: SectionBuilder, extent: Extent): CarriedPlace {
    const { section } = extent
    // Inside its section a part may rely on less than the whole section's alignment.
    let align = Math.max(section.align, 1)
    while (align > 1 && extent.start % align !== 0) align /= 2
    into.draft.align = Math.max(into.draft.align, align)
    const gap = (align - (into.size % align)) % align
    const length = extent.end - extent.start
    if (section.type !== sectionType.nobits)
      into.parts.push(padding(gap, section.flags), section.data.subarray(extent.start, extent.end))
    const at = into.size + gap
    into.size = at + length
    return { section: into, at }
  }

  /** Puts other bytes in the place of some of one part that was appended. */
  rewrite({ parts }: SectionBuilder, at: number, bytes: Buffer): void {
    let start = 0
    for (const [index, part] of parts.entries()) {
      if (at >= start && at + bytes.length <= start + part.length) {
        const copy = Buffer.from(part)
        bytes.copy(copy, at - start)
        parts[index] = copy
        return
      }
      start += part.length
    }
  }

  /** Makes a symbol for an atom that was copied to a place. */
  define({ symbol, start, end }: Atom, { section, at }: CarriedPlace, name: string, type: SymbolDraft['type']) {
    const begin = symbol?.value ?? start
    const defined: SymbolDraft = {
      name,
      value: at + begin - start,
      size: Math.min(symbol?.size ?? Number.POSITIVE_INFINITY, end - begin),
      binding: 'local',
      type,
      visibility: 0,
      place: section.draft,
    }
    this.symbols.push(defined)
    return defined
  }

  refer(reference: Reference): SymbolDraft {
    const { definition, name, from } = reference
    const key =
      definition === undefined
        ? `${from} ${name}`
        : `${from} ${name} ${reference.unit} ${definition.section.index}:${definition.start}`
    return getOrInsertComputed(this.byName, key, () => {
      const symbol = undefinedSymbol(name)
      this.symbols.push(symbol)
      this.references.set(symbol, reference)
      return symbol
    })
  }

  draft(): ObjectDraft {
    for (const { draft, parts, size } of this.sections)
      draft.data = draft.type === sectionType.nobits ? size : Buffer.concat(parts)
    return { sections: this.sections.map(({ draft }) => draft), symbols: this.symbols }
  }
}
