// SPDX-License-Identifier: GPL-3.0-or-later
// What is carried of one patched unit: functions with their table entries, data, constants. Each thing is carried
// once; what its references lead to follows when the pending work is done.

import { replacementLength } from '../diff/compare.ts'
import { sourceName } from '../diff/object/compiler-names.ts'
import { type Extent, isCode, type Piece, type Target } from '../diff/object/split-object.ts'
import type { TableEntry } from '../diff/object/tables.ts'
import { relocationSize, relocationType } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import type { RelocationDraft, SymbolDraft } from '../elf/write.ts'
import { decodeInstruction } from '../x86/instruction.ts'
import { bootConstant, loadInstead, opcodeLength } from './boot-constant.ts'
import { neighbourhood } from './border.ts'
import { direct, isThroughTable } from './got.ts'
import type { Growing, Place } from './object-builder.ts'
import { type IndexedMessage, indexedMessages } from './printk-index.ts'
import type { Cutting } from './unit-extraction.ts'

export interface CarriedItem {
  readonly name: string
  readonly kind: 'function' | 'data'
  readonly unit: string
  readonly reason: string
}

/** Makes a relocation of carried bytes lead to the right thing; `offset` is that of the new one, `whose` for messages. */
export type Convert = (
  from: Section,
  relocation: Relocation,
  offset: number,
  whose: Piece | undefined,
) => RelocationDraft

export interface Cargo {
  /** @param name what to call it; its own name by default */
  carryFunction(piece: Piece, name?: string): SymbolDraft
  /** @param reason why, for the report; undefined for what serves other carried things only */
  carryData(piece: Piece, reason: string | undefined): Place
  carryConstant(piece: Piece, extent: Extent): Place
  /** Something of the running kernel, as the unit means it. */
  refer(name: string, definition: Piece | undefined, needed?: boolean): SymbolDraft
  /** The symbol and the place of a piece that is carried. */
  symbolOf(piece: Piece): SymbolDraft | undefined
  placeOf(piece: Piece): Place | undefined
  /** The carried replacement of an alternative that holds a byte of a section. */
  snippetAt(section: Section, offset: number): { readonly extent: Extent; readonly place: Place } | undefined
  /** Says that a function is carried, and why. */
  tell(piece: Piece, reason: string): void
  /** Does the pending work. @returns true when there was some */
  drain(): boolean
}

export const report = 'Report this with the patch, the kernel version and the compiler'

export function openCargo(cutting: Cutting, carried: CarriedItem[], convert: Convert): Cargo {
  const { workshop, change, object, error } = cutting
  const { after, correlation, unit } = change
  /** Replacement code of alternatives, by section. */
  const snippets = new Map<Section, { readonly extent: Extent; readonly place: Place }[]>()
  const places = new Map<string, Place>()
  const symbols = new Map<Piece, SymbolDraft>()
  const pending: (() => void)[] = []

  const refer = (name: string, definition: Piece | undefined, needed = true): SymbolDraft =>
    workshop.refer({ name, from: object, unit, definition, change, needed })

  /** A field that reaches over the end of what is carried can't be relocated there: something divides it. */
  const isInside = ({ offset, type }: Relocation, { section, end }: Extent, whose: Piece | undefined) => {
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
  const carryExtent = (extent: Extent, growing: Growing, whose: Piece | undefined): Place => {
    const place = { growing, at: workshop.append(growing, extent) }
    follow(extent, place, whose)
    return place
  }

  /** What the references of carried bytes lead to comes later. */
  const follow = (extent: Extent, { growing, at }: Place, whose: Piece | undefined) =>
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
    growing: Growing,
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

  const refuseToCut = (piece: Piece, why: string) =>
    error(
      'shared-section',
      piece.name,
      `${piece.name} shares the section ${piece.section.name} with other functions, and can't be cut out of it: ${why}`,
      'Compile with -ffunction-sections, or move the fix to a function of an ordinary section',
    )

  /** Of what leads from one function of a section to another the assembler says nothing: it must all be seen, and reach further. */
  const refuseInseparable = (piece: Piece) => {
    const { section } = piece
    if (after.relocations(piece).some(({ type }) => type === relocationType.pc8))
      refuseToCut(piece, 'it has a short jump to one of them')
    for (let at = piece.symbol?.value ?? piece.start; at < piece.end; ) {
      const instruction = decodeInstruction(section.data, at)
      if (instruction === undefined || instruction.end > piece.end) {
        refuseToCut(piece, `the instruction at ${piece.name}+${at - piece.start} is unknown`)
        return
      }
      at = instruction.end
    }
  }

  const carryFunction = (piece: Piece, name = piece.name): SymbolDraft => {
    const known = symbols.get(piece)
    if (known !== undefined) return known
    const { section } = piece
    const alone = after.piecesOf(section).length === 1
    if (!alone) refuseInseparable(piece)
    const growing = alone ? workshop.open(section, section.name) : workshop.openShared(section)
    const place = carryExtent(piece, growing, piece)
    const symbol = workshop.define({
      name: workshop.functionName(unit, name),
      value: place.at + (piece.symbol?.value ?? piece.start) - piece.start,
      size: Math.min(
        piece.symbol?.size ?? Number.POSITIVE_INFINITY,
        piece.end - (piece.symbol?.value ?? piece.start),
      ),
      binding: 'local',
      type: 'function',
      visibility: 0,
      place: growing.draft,
    })
    symbols.set(piece, symbol)
    // objtool finds the parent of a cold part by any of its names.
    for (const { name } of piece.aliases)
      workshop.define({ ...symbol, name: workshop.functionName(unit, name) })
    places.set(placeKey(piece), place)
    for (const entry of after.tableEntries(piece))
      if (bootConstant(entry.table.name)) loadBootConstant(entry, piece, place)
      else pending.push(() => carryEntry(entry, piece))
    pending.push(() => carryMessages(piece))
    return symbol
  }

  /** What the kernel wrote into its own code when it started is loaded from where it has it from. */
  const loadBootConstant = ({ table, relocations }: TableEntry, piece: Piece, { growing, at }: Place) => {
    const constant = bootConstant(table.name)
    const [where] = relocations
    if (constant === undefined || where === undefined) return
    const start = where.symbol.value + where.addend - opcodeLength
    const inside = start >= piece.start && start < piece.end
    const load = inside ? loadInstead(piece.section.data.subarray(start, piece.end)) : undefined
    if (constant.kind !== 'ptr' || load === undefined) {
      error(
        'boot-constant',
        piece.name,
        `${piece.name} has ${constant.name} as a number in its code, which the kernel puts there only when it starts`,
        'Fix the bug in its callers instead',
      )
      return
    }
    const offset = at + start - piece.start
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
  const carryEntry = (entry: TableEntry, whose: Piece) => {
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
        const outside = (one: Target & { kind: 'piece' }) =>
          one.piece.start + one.offset + replacementLength(entry) > one.piece.section.size
        if (target.kind !== 'piece' || outside(target)) {
          error('unreadable-table', whose.name, `An alternative of ${whose.name} can't be understood`, report)
          return
        }
        const start = target.piece.start + target.offset
        const { section } = target.piece
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
  const carryEntriesAbout = (extent: Extent, whose: Piece) => {
    for (const entry of after.entriesAbout(extent)) pending.push(() => carryEntry(entry, whose))
  }

  let messages: ReadonlyMap<string, readonly IndexedMessage[]> | undefined
  const listed = new Set<string>()
  const carryMessages = (piece: Piece) => {
    messages ??= indexedMessages(after)
    const name = sourceName(piece.name)
    if (listed.has(name)) return
    listed.add(name)
    for (const { section, relocation } of messages.get(name) ?? []) {
      const growing = workshop.openShared(section)
      const { offset } = relocation
      const at = workshop.append(growing, { section, start: offset, end: offset + 8 })
      growing.draft.relocations.push(convert(section, relocation, at, piece))
    }
  }

  const carryData = (piece: Piece, reason: string | undefined): Place => {
    const known = places.get(placeKey(piece))
    if (known !== undefined) return known
    const together = neighbourhood(cutting, piece)
    const [first, last] = [together[0]!, together.at(-1)!]
    const growing = workshop.openShared(piece.section)
    const at = workshop.append(growing, { section: piece.section, start: first.start, end: last.end })
    for (const one of together) {
      const place = { growing, at: at + one.start - first.start }
      follow(one, place, one)
      places.set(placeKey(one), place)
      nameData(one, place)
      const why = one === piece ? reason : change.addedData.includes(one) ? 'it is new' : undefined
      if (why !== undefined && one.symbol !== undefined)
        carried.push({ name: one.name, kind: 'data', unit, reason: why })
    }
    return places.get(placeKey(piece))!
  }

  const nameData = (piece: Piece, { growing, at }: Place) => {
    const { symbol } = piece
    if (symbol === undefined) return
    const { name, value, size, type } = symbol
    symbols.set(
      piece,
      workshop.define({
        name,
        value: at + value - piece.start,
        size: Math.min(size, piece.end - value),
        binding: 'local',
        type,
        visibility: 0,
        place: growing.draft,
      }),
    )
  }

  const carryConstant = (piece: Piece, extent: Extent): Place => {
    const key = `${extent.section.index}:${extent.start}:${extent.end}`
    let place = places.get(key)
    if (place === undefined) {
      place = carryExtent(extent, workshop.openShared(piece.section), piece)
      places.set(key, place)
      if (isCode(piece.section)) carryEntriesAbout(extent, piece)
    }
    return place
  }

  return {
    carryFunction,
    carryData,
    carryConstant,
    refer,
    symbolOf: (piece) => symbols.get(piece),
    placeOf: (piece) => places.get(placeKey(piece)),
    snippetAt: (section, offset) =>
      snippets.get(section)?.find(({ extent }) => offset >= extent.start && offset < extent.end),
    tell(piece, reason) {
      carried.push({ name: piece.name, kind: 'function', unit, reason })
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

function placeKey(piece: Piece): string {
  return `${piece.section.index}:${piece.start}:${piece.end}`
}
