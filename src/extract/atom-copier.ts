// SPDX-License-Identifier: GPL-3.0-or-later
// Copies functions, data and constants of one patched unit into the object that is built, each once. What their
// references, their table entries and their messages need is left as pending work: unit-extractor.ts does it.

import { type Atom, type Extent, isCode } from '../diff/object/split-object.ts'
import type { TableEntry } from '../diff/object/tables.ts'
import { relocationType } from '../elf/format.ts'
import type { Section } from '../elf/read.ts'
import type { SymbolDraft } from '../elf/write.ts'
import { loadInstead, opcodeLength } from '../x86/boot-constant.ts'
import { decodeInstruction } from '../x86/instruction.ts'
import { bootConstant } from './boot-constant.ts'
import { neighbourhood } from './border.ts'
import type { Refusal, UnitLookup } from './kernel-lookup.ts'
import type { CarriedPlace, ObjectBuilder, SectionBuilder } from './object-builder.ts'
import type { CarriedSnippet, CarriedSoFar } from './reference-decision.ts'

export interface CarriedItem {
  readonly name: string
  readonly kind: 'function' | 'data'
  readonly unit: string
  readonly reason: string
}

/** What has to follow something that is carried. */
export type PendingWork =
  | {
      readonly kind: 'references'
      readonly extent: Extent
      readonly place: CarriedPlace
      readonly whose: Atom
    }
  | { readonly kind: 'entry'; readonly entry: TableEntry; readonly whose: Atom }
  | { readonly kind: 'messages'; readonly whose: Atom }

export class AtomCopier implements CarriedSoFar {
  /** Grows while it is worked on. */
  readonly pending: PendingWork[] = []
  private readonly builder: ObjectBuilder
  private readonly lookup: UnitLookup
  private readonly carried: CarriedItem[]
  private readonly refuse: (refusal: Refusal) => void
  private readonly places = new Map<string, CarriedPlace>()
  private readonly symbols = new Map<Atom, SymbolDraft>()
  /** Replacement code of alternatives, by section. */
  private readonly snippets = new Map<Section, CarriedSnippet[]>()

  /** @param carried gets what a reviewer is told */
  constructor(builder: ObjectBuilder, lookup: UnitLookup, carried: CarriedItem[], refuse: (refusal: Refusal) => void) {
    this.builder = builder
    this.lookup = lookup
    this.carried = carried
    this.refuse = refuse
  }

  has(atom: Atom): boolean {
    return this.symbols.has(atom)
  }

  symbolOf(atom: Atom): SymbolDraft | undefined {
    return this.symbols.get(atom)
  }

  /** Where an atom that is carried went. */
  placeOf(atom: Atom): CarriedPlace {
    return this.places.get(placeKey(atom))!
  }

  snippetAt(section: Section, offset: number): CarriedSnippet | undefined {
    return this.snippets.get(section)?.find(({ extent }) => offset >= extent.start && offset < extent.end)
  }

  /** Says that a function is carried, and why. */
  tell({ name }: Atom, reason: string): void {
    this.carried.push({ name, kind: 'function', unit: this.lookup.change.unit, reason })
  }

  /** @param name what to call it */
  copyFunction(atom: Atom, name = atom.name): SymbolDraft {
    const known = this.symbols.get(atom)
    if (known !== undefined) return known
    const { builder } = this
    const { after, unit } = this.lookup.change
    const { section } = atom
    const alone = after.atomsOf(section).length === 1
    if (!alone) this.refuseInseparable(atom)
    const place = this.copyExtent(atom, alone ? builder.open(section, section.name) : builder.openShared(section), atom)
    const begin = atom.symbol?.value ?? atom.start
    const symbol = builder.define({
      name: builder.functionName(unit, name),
      value: place.at + begin - atom.start,
      size: Math.min(atom.symbol?.size ?? Number.POSITIVE_INFINITY, atom.end - begin),
      binding: 'local',
      type: 'function',
      visibility: 0,
      place: place.section.draft,
    })
    this.symbols.set(atom, symbol)
    // objtool finds the parent of a cold part by any of its names.
    for (const alias of atom.aliases) builder.define({ ...symbol, name: builder.functionName(unit, alias.name) })
    this.places.set(placeKey(atom), place)
    for (const entry of after.tableEntries(atom))
      if (bootConstant(entry.table.name)) this.loadBootConstant(entry, atom, place)
      else this.pending.push({ kind: 'entry', entry, whose: atom })
    this.pending.push({ kind: 'messages', whose: atom })
    return symbol
  }

  /** @param reason why, for the report; undefined for what serves other carried things only */
  copyData(atom: Atom, reason: string | undefined): void {
    if (this.places.has(placeKey(atom))) return
    const { unit, addedData } = this.lookup.change
    const { section } = atom
    const together = neighbourhood(this.lookup, atom)
    const [first, last] = [together[0]!, together.at(-1)!]
    const into = this.builder.openShared(section)
    const at = this.builder.append(into, { section, start: first.start, end: last.end })
    for (const one of together) {
      const place = { section: into, at: at + one.start - first.start }
      this.pending.push({ kind: 'references', extent: one, place, whose: one })
      this.places.set(placeKey(one), place)
      this.nameData(one, place)
      const why = one === atom ? reason : addedData.includes(one) ? 'it is new' : undefined
      if (why !== undefined && one.symbol !== undefined)
        this.carried.push({ name: one.name, kind: 'data', unit, reason: why })
    }
  }

  /** Copies a part of a nameless atom. */
  copyConstant(atom: Atom, extent: Extent): CarriedPlace {
    const key = placeKey(extent)
    let place = this.places.get(key)
    if (place === undefined) {
      place = this.copyExtent(extent, this.builder.openShared(atom.section), atom)
      this.places.set(key, place)
      if (isCode(atom.section)) this.followEntriesAbout(extent, atom)
    }
    return place
  }

  /** Copies the code that an alternative puts in the place of other code. */
  copyReplacement(extent: Extent, whose: Atom): CarriedPlace {
    const key = placeKey(extent)
    let place = this.places.get(key)
    if (place === undefined) {
      const { section } = extent
      place = this.copyExtent(extent, this.builder.openShared(section), whose)
      this.places.set(key, place)
      const known = this.snippets.get(section)
      if (known === undefined) this.snippets.set(section, [{ extent, place }])
      else known.push({ extent, place })
      this.followEntriesAbout(extent, whose)
    }
    return place
  }

  private copyExtent(extent: Extent, section: SectionBuilder, whose: Atom): CarriedPlace {
    const place = { section, at: this.builder.append(section, extent) }
    this.pending.push({ kind: 'references', extent, place, whose })
    return place
  }

  /** Table entries about code outside functions, such as a fault in the replacement of an alternative. */
  private followEntriesAbout(extent: Extent, whose: Atom): void {
    for (const entry of this.lookup.change.after.entriesAbout(extent))
      this.pending.push({ kind: 'entry', entry, whose })
  }

  private nameData(atom: Atom, { section, at }: CarriedPlace): void {
    const { symbol } = atom
    if (symbol === undefined) return
    const { name, value, size, type } = symbol
    this.symbols.set(
      atom,
      this.builder.define({
        name,
        value: at + value - atom.start,
        size: Math.min(size, atom.end - value),
        binding: 'local',
        type,
        visibility: 0,
        place: section.draft,
      }),
    )
  }

  /** What the kernel wrote into its own code when it started is loaded from where it has it from. */
  private loadBootConstant({ table, relocations }: TableEntry, atom: Atom, { section, at }: CarriedPlace): void {
    const { after, correlation } = this.lookup.change
    const constant = bootConstant(table.name)
    const [where] = relocations
    if (constant === undefined || where === undefined) return
    const start = where.symbol.value + where.addend - opcodeLength
    const inside = start >= atom.start && start < atom.end
    const load = inside ? loadInstead(atom.section.data.subarray(start, atom.end)) : undefined
    if (constant.kind !== 'ptr' || load === undefined) {
      this.refuse({
        rule: 'boot-constant',
        symbol: atom.name,
        message:
          `${atom.name} has ${constant.name} as a number in its code, which the kernel puts there ` +
          'only when it starts',
        hint: 'Fix the bug in its callers instead',
      })
      return
    }
    const offset = at + start - atom.start
    this.builder.rewrite(section, offset, load.bytes)
    const own = after.data.find(({ name }) => name === constant.name)
    const variable = this.lookup.reference(constant.name, own && correlation.counterpartOf(own))
    section.draft.relocations.push({
      offset: offset + load.displacement,
      type: relocationType.pc32,
      symbol: this.builder.refer(variable),
      addend: -4,
    })
  }

  private refuseToCut({ name, section }: Atom, why: string): void {
    this.refuse({
      rule: 'shared-section',
      symbol: name,
      message: `${name} shares the section ${section.name} with other functions, and can't be cut out of it: ${why}`,
      hint: 'Compile with -ffunction-sections, or move the fix to a function of an ordinary section',
    })
  }

  /**
   * Of what leads from one function of a section to another the assembler says nothing: it must all be seen, and reach
   * further.
   */
  private refuseInseparable(atom: Atom): void {
    const { section } = atom
    if (this.lookup.change.after.relocations(atom).some(({ type }) => type === relocationType.pc8))
      this.refuseToCut(atom, 'it has a short jump to one of them')
    for (let at = atom.symbol?.value ?? atom.start; at < atom.end; ) {
      const instruction = decodeInstruction(section.data, at)
      if (instruction === undefined || instruction.end > atom.end) {
        this.refuseToCut(atom, `the instruction at ${atom.name}+${at - atom.start} is unknown`)
        return
      }
      at = instruction.end
    }
  }
}

function placeKey({ section, start, end }: Extent): string {
  return `${section.index}:${start}:${end}`
}
