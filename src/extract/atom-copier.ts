// SPDX-License-Identifier: GPL-3.0-or-later
// What is carried of one patched unit: functions with their table entries, data, constants. Each thing is carried
// once; what its references lead to follows when the pending work is done.

import { replacementLength } from '../diff/compare.ts'
import { sourceName } from '../diff/object/compiler-names.ts'
import { type Atom, type Extent, isCode, type Target } from '../diff/object/split-object.ts'
import type { TableEntry } from '../diff/object/tables.ts'
import { relocationSize, relocationType } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import type { RelocationDraft, SymbolDraft } from '../elf/write.ts'
import { loadInstead, opcodeLength } from '../x86/boot-constant.ts'
import { direct, isThroughTable } from '../x86/global-offset-table.ts'
import { decodeInstruction } from '../x86/instruction.ts'
import { bootConstant } from './boot-constant.ts'
import { neighbourhood } from './border.ts'
import type { CarriedPlace, SectionBuilder } from './object-builder.ts'
import { type IndexedMessage, indexedMessages } from './printk-index.ts'
import type { UnitExtraction } from './unit-extraction.ts'

export interface CarriedItem {
  readonly name: string
  readonly kind: 'function' | 'data'
  readonly unit: string
  readonly reason: string
}

/**
 * Makes a relocation of carried bytes lead to the right thing; `offset` is that of the new one, `whose` for messages.
 */
export type Convert = (
  from: Section,
  relocation: Relocation,
  offset: number,
  whose: Atom | undefined,
) => RelocationDraft

export interface AtomCopier {
  /** @param name what to call it; its own name by default */
  carryFunction(atom: Atom, name?: string): SymbolDraft
  /** @param reason why, for the report; undefined for what serves other carried things only */
  carryData(atom: Atom, reason: string | undefined): CarriedPlace
  carryConstant(atom: Atom, extent: Extent): CarriedPlace
  /** Something of the running kernel, as the unit means it. */
  refer(name: string, definition: Atom | undefined, needed?: boolean): SymbolDraft
  /** The symbol and the place of an atom that is carried. */
  symbolOf(atom: Atom): SymbolDraft | undefined
  placeOf(atom: Atom): CarriedPlace | undefined
  /** The carried replacement of an alternative that holds a byte of a section. */
  snippetAt(
    section: Section,
    offset: number,
  ): { readonly extent: Extent; readonly place: CarriedPlace } | undefined
  /** Says that a function is carried, and why. */
  tell(atom: Atom, reason: string): void
  /** Does the pending work. @returns true when there was some */
  drain(): boolean
}

export const report = 'Report this with the patch, the kernel version and the compiler'

export function copierOf(cutting: UnitExtraction, carried: CarriedItem[], convert: Convert): AtomCopier {
  const { workshop, change, object, error } = cutting
  const { after, correlation, unit } = change
  /** Replacement code of alternatives, by section. */
  const snippets = new Map<Section, { readonly extent: Extent; readonly place: CarriedPlace }[]>()
  const places = new Map<string, CarriedPlace>()
  const symbols = new Map<Atom, SymbolDraft>()
  const pending: (() => void)[] = []

  const refer = (name: string, definition: Atom | undefined, needed = true): SymbolDraft =>
    workshop.refer({ name, from: object, unit, definition, change, needed })

  /** A field that reaches over the end of what is carried can't be relocated there: something divides it. */
  const isInside = ({ offset, type }: Relocation, { section, end }: Extent, whose: Atom | undefined) => {
    if (offset + relocationSize(type) <= end) return true
    const name = whose?.name ?? section.name
    error(
      'unknown-relocation',
      name,
      `A reference of ${name} lies across the end of what is carried of ${section.name}`,
      report,
    )
    return false
  }

  /** Carries a range of bytes with its relocations; what they lead to follows later. */
  const carryExtent = (extent: Extent, growing: SectionBuilder, whose: Atom | undefined): CarriedPlace => {
    const place = { growing, at: workshop.append(growing, extent) }
    follow(extent, place, whose)
    return place
  }

  /** What the references of carried bytes lead to comes later. */
  const follow = (extent: Extent, { growing, at }: CarriedPlace, whose: Atom | undefined) =>
    pending.push(() => {
      for (const relocation of after.relocations(extent)) {
        if (!isInside(relocation, extent, whose)) continue
        const converted = convert(extent.section, relocation, relocation.offset - extent.start + at, whose)
        growing.draft.relocations.push(
          isThroughTable(relocation.type) ? makeDirect(relocation, extent, growing, converted) : converted,
        )
      }
    })

  const makeDirect = (
    { offset }: Relocation,
    { section }: Extent,
    growing: SectionBuilder,
    converted: RelocationDraft,
  ): RelocationDraft => {
    const made =
      converted.addend === -4 || converted.symbol.type === 'section'
        ? direct(section.data, offset)
        : undefined
    if (made === undefined) {
      error(
        'unknown-relocation',
        section.name,
        `${section.name} refers to something through a global offset table, which a module does not have`,
        'Compile the unit as kbuild does, without -fPIC',
      )
      return converted
    }
    workshop.rewrite(growing, converted.offset - made.back, made.bytes)
    return { ...converted, offset: converted.offset + made.shift, type: relocationType.pc32 }
  }

  const refuseToCut = (atom: Atom, why: string) =>
    error(
      'shared-section',
      atom.name,
      `${atom.name} shares the section ${atom.section.name} with other functions, and can't be cut out of it: ${why}`,
      'Compile with -ffunction-sections, or move the fix to a function of an ordinary section',
    )

  /**
   * Of what leads from one function of a section to another the assembler says nothing: it must all be seen, and reach
   * further.
   */
  const refuseInseparable = (atom: Atom) => {
    const { section } = atom
    if (after.relocations(atom).some(({ type }) => type === relocationType.pc8))
      refuseToCut(atom, 'it has a short jump to one of them')
    for (let at = atom.symbol?.value ?? atom.start; at < atom.end; ) {
      const instruction = decodeInstruction(section.data, at)
      if (instruction === undefined || instruction.end > atom.end) {
        refuseToCut(atom, `the instruction at ${atom.name}+${at - atom.start} is unknown`)
        return
      }
      at = instruction.end
    }
  }

  const carryFunction = (atom: Atom, name = atom.name): SymbolDraft => {
    const known = symbols.get(atom)
    if (known !== undefined) return known
    const { section } = atom
    const alone = after.atomsOf(section).length === 1
    if (!alone) refuseInseparable(atom)
    const growing = alone ? workshop.open(section, section.name) : workshop.openShared(section)
    const place = carryExtent(atom, growing, atom)
    const symbol = workshop.define({
      name: workshop.functionName(unit, name),
      value: place.at + (atom.symbol?.value ?? atom.start) - atom.start,
      size: Math.min(
        atom.symbol?.size ?? Number.POSITIVE_INFINITY,
        atom.end - (atom.symbol?.value ?? atom.start),
      ),
      binding: 'local',
      type: 'function',
      visibility: 0,
      place: growing.draft,
    })
    symbols.set(atom, symbol)
    // objtool finds the parent of a cold part by any of its names.
    for (const { name } of atom.aliases)
      workshop.define({ ...symbol, name: workshop.functionName(unit, name) })
    places.set(placeKey(atom), place)
    for (const entry of after.tableEntries(atom))
      if (bootConstant(entry.table.name)) loadBootConstant(entry, atom, place)
      else pending.push(() => carryEntry(entry, atom))
    pending.push(() => carryMessages(atom))
    return symbol
  }

  /** What the kernel wrote into its own code when it started is loaded from where it has it from. */
  const loadBootConstant = (
    { table, relocations }: TableEntry,
    atom: Atom,
    { growing, at }: CarriedPlace,
  ) => {
    const constant = bootConstant(table.name)
    const [where] = relocations
    if (constant === undefined || where === undefined) return
    const start = where.symbol.value + where.addend - opcodeLength
    const inside = start >= atom.start && start < atom.end
    const load = inside ? loadInstead(atom.section.data.subarray(start, atom.end)) : undefined
    if (constant.kind !== 'ptr' || load === undefined) {
      error(
        'boot-constant',
        atom.name,
        `${atom.name} has ${constant.name} as a number in its code, which the kernel puts there only when it starts`,
        'Fix the bug in its callers instead',
      )
      return
    }
    const offset = at + start - atom.start
    workshop.rewrite(growing, offset, load.bytes)
    const own = after.data.find(({ name }) => name === constant.name)
    const variable = refer(constant.name, own && correlation.counterpartOf(own))
    growing.draft.relocations.push({
      offset: offset + load.displacement,
      type: relocationType.pc32,
      symbol: variable,
      addend: -4,
    })
  }

  /** Appends a table's entry to the one table of that name. */
  const carryEntry = (entry: TableEntry, whose: Atom) => {
    const { table } = entry
    const growing = workshop.openShared(table)
    const at = workshop.append(growing, { section: table, start: entry.start, end: entry.end })
    entry.relocations.forEach((relocation, nth) => {
      if (!isInside(relocation, { ...entry, section: table }, whose)) return
      const offset = relocation.offset - entry.start + at
      const target =
        table.name === '.altinstructions' && nth === 1 ? after.target(table, relocation) : undefined
      // objtool puts thunks there (until 5.14).
      if (target !== undefined && target.kind !== 'external') {
        const outside = (one: Target & { kind: 'atom' }) =>
          one.atom.start + one.offset + replacementLength(entry) > one.atom.section.size
        if (target.kind !== 'atom' || outside(target)) {
          error('unreadable-table', whose.name, `An alternative of ${whose.name} can't be understood`, report)
          return
        }
        const start = target.atom.start + target.offset
        const { section } = target.atom
        const extent = { section, start, end: start + replacementLength(entry) }
        const key = `${section.index}:${extent.start}:${extent.end}`
        let place = places.get(key)
        if (place === undefined) {
          place = carryExtent(extent, workshop.openShared(section), whose)
          places.set(key, place)
          const known = snippets.get(section)
          if (known === undefined) snippets.set(section, [{ extent, place }])
          else known.push({ extent, place })
          carryEntriesAbout(extent, whose)
        }
        growing.draft.relocations.push({
          offset,
          type: relocation.type,
          symbol: place.growing.symbol,
          addend: place.at,
        })
      } else growing.draft.relocations.push(convert(table, relocation, offset, whose))
    })
  }

  /** Table entries about code outside functions, such as a fault in the replacement of an alternative. */
  const carryEntriesAbout = (extent: Extent, whose: Atom) => {
    for (const entry of after.entriesAbout(extent)) pending.push(() => carryEntry(entry, whose))
  }

  let messages: ReadonlyMap<string, readonly IndexedMessage[]> | undefined
  const listed = new Set<string>()
  const carryMessages = (atom: Atom) => {
    messages ??= indexedMessages(after)
    const name = sourceName(atom.name)
    if (listed.has(name)) return
    listed.add(name)
    for (const { section, relocation } of messages.get(name) ?? []) {
      const growing = workshop.openShared(section)
      const { offset } = relocation
      const at = workshop.append(growing, { section, start: offset, end: offset + 8 })
      growing.draft.relocations.push(convert(section, relocation, at, atom))
    }
  }

  const carryData = (atom: Atom, reason: string | undefined): CarriedPlace => {
    const known = places.get(placeKey(atom))
    if (known !== undefined) return known
    const together = neighbourhood(cutting, atom)
    const [first, last] = [together[0]!, together.at(-1)!]
    const growing = workshop.openShared(atom.section)
    const at = workshop.append(growing, { section: atom.section, start: first.start, end: last.end })
    for (const one of together) {
      const place = { growing, at: at + one.start - first.start }
      follow(one, place, one)
      places.set(placeKey(one), place)
      nameData(one, place)
      const why = one === atom ? reason : change.addedData.includes(one) ? 'it is new' : undefined
      if (why !== undefined && one.symbol !== undefined)
        carried.push({ name: one.name, kind: 'data', unit, reason: why })
    }
    return places.get(placeKey(atom))!
  }

  const nameData = (atom: Atom, { growing, at }: CarriedPlace) => {
    const { symbol } = atom
    if (symbol === undefined) return
    const { name, value, size, type } = symbol
    symbols.set(
      atom,
      workshop.define({
        name,
        value: at + value - atom.start,
        size: Math.min(size, atom.end - value),
        binding: 'local',
        type,
        visibility: 0,
        place: growing.draft,
      }),
    )
  }

  const carryConstant = (atom: Atom, extent: Extent): CarriedPlace => {
    const key = `${extent.section.index}:${extent.start}:${extent.end}`
    let place = places.get(key)
    if (place === undefined) {
      place = carryExtent(extent, workshop.openShared(atom.section), atom)
      places.set(key, place)
      if (isCode(atom.section)) carryEntriesAbout(extent, atom)
    }
    return place
  }

  return {
    carryFunction,
    carryData,
    carryConstant,
    refer,
    symbolOf: (atom) => symbols.get(atom),
    placeOf: (atom) => places.get(placeKey(atom)),
    snippetAt: (section, offset) =>
      snippets.get(section)?.find(({ extent }) => offset >= extent.start && offset < extent.end),
    tell(atom, reason) {
      carried.push({ name: atom.name, kind: 'function', unit, reason })
    },
    drain() {
      const some = pending.length > 0
      // The list grows while it is worked on.
      for (let next = 0; next < pending.length; next++) pending[next]?.()
      pending.length = 0
      return some
    },
  }
}

function placeKey(atom: Atom): string {
  return `${atom.section.index}:${atom.start}:${atom.end}`
}
