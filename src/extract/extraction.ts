// SPDX-License-Identifier: GPL-3.0-or-later
// Cuts the smallest object that carries a change out of the patched objects. Starting from the changed
// functions, everything they refer to is either carried along (new code and data, constants, the
// compiler's own statics) or left where it is in the running kernel and referred to. Every carried
// item has the reason why it is there.
import type { Extent, Piece, TableEntry, Target } from '../diff/anatomy.ts'
import type { Change, FunctionChange } from '../diff/change.ts'
import { isByContent, replacementLength } from '../diff/compare.ts'
import { coldParent, isColdPart, isIncidental } from '../diff/names.ts'
import { sectionFlag, sectionType } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import type { ObjectDraft, RelocationDraft, SectionDraft, SymbolDraft } from '../elf/write.ts'
import type { Finding } from '../ground/finding.ts'
import { type Roots, rootsOf } from './roots.ts'

/** One changed unit and the kernel object (`vmlinux` or a module) that it is part of. */
export interface UnitChange {
  readonly change: Change
  readonly object: string
}

/** What the extraction must know about the kernel. */
export interface Surroundings {
  /** True when the kernel object has a symbol of this name, exported or not. */
  has(object: string, name: string): boolean
}

/** Something of the running kernel that carried code refers to. */
export interface Reference {
  /** Its name in the running kernel. */
  readonly name: string
  /** The kernel object whose code refers to it. */
  readonly from: string
  readonly unit: string
  /** The definition, when it is in the same unit: then exactly that one is meant. */
  readonly definition: Piece | undefined
  /** The change whose before-object holds `definition`. */
  readonly change: Change
  /** False when the carried code can do without it: it is dropped if the kernel does not have it. */
  readonly needed: boolean
}

export interface ReplacedFunction {
  readonly object: string
  readonly unit: string
  readonly change: Change
  /** The function that runs now. */
  readonly before: Piece
  readonly symbol: SymbolDraft
  readonly reasons: readonly string[]
}

export interface CarriedItem {
  readonly name: string
  readonly kind: 'function' | 'data'
  readonly unit: string
  readonly reason: string
}

export interface Extraction {
  /** Sections and symbols; symbols of `references` are undefined in it. */
  readonly draft: ObjectDraft
  readonly replaced: readonly ReplacedFunction[]
  readonly carried: readonly CarriedItem[]
  readonly references: ReadonlyMap<SymbolDraft, Reference>
  readonly findings: readonly Finding[]
}

/** A section while it grows. */
interface Growing {
  readonly draft: SectionDraft
  readonly parts: Buffer[]
  size: number
  readonly symbol: SymbolDraft
}

/** Where carried bytes went. */
interface Place {
  readonly growing: Growing
  /** Offset in the new section of the extent's first byte. */
  readonly at: number
}

/**
 * @param units the changed units
 * @param surroundings what the kernel has
 */
export function extract(units: readonly UnitChange[], surroundings: Surroundings): Extraction {
  const workshop = new Workshop()
  const findings: Finding[] = []
  const replaced: ReplacedFunction[] = []
  const carried: CarriedItem[] = []
  for (const { change, object } of units) {
    const roots = rootsOf(change)
    for (const { before } of roots.refused)
      findings.push({
        severity: 'error',
        rule: 'not-traceable',
        symbol: before.name,
        unit: change.unit,
        message: `${before.name} changes, but it has no ftrace entry (notrace, noinstr or the like), so it can't be replaced`,
        hint: 'Fix the bug in its callers instead',
      })
    const cutter = cut(workshop, change, roots, object, surroundings, findings, carried)
    for (const { after } of roots.embedded)
      carried.push({
        name: after.name,
        kind: 'function',
        unit: change.unit,
        reason: 'it changes, and its callers are replaced',
      })
    for (const changed of roots.replaced) {
      const symbol = cutter.root(changed)
      if (symbol !== undefined)
        replaced.push({
          object,
          unit: change.unit,
          change,
          before: changed.before,
          symbol,
          reasons: changed.reasons,
        })
    }
    cutter.drain()
  }
  return { draft: workshop.draft(), replaced, carried, references: workshop.references, findings }
}

/** Collects sections and symbols of the object to be written. */
class Workshop {
  private readonly sections: Growing[] = []
  private readonly shared = new Map<string, Growing>()
  private readonly symbols: SymbolDraft[] = []
  private readonly byName = new Map<string, SymbolDraft>()
  readonly references = new Map<SymbolDraft, Reference>()

  /** A new section like `model`. */
  open(model: Section, name: string): Growing {
    const draft: SectionDraft = {
      name,
      type: model.type,
      flags: model.flags & (sectionFlag.write | sectionFlag.alloc | sectionFlag.exec),
      align: model.align,
      entrySize: 0,
      data: 0,
      relocations: [],
    }
    const symbol: SymbolDraft = {
      name: '',
      value: 0,
      size: 0,
      binding: 'local',
      type: 'section',
      visibility: 0,
      place: draft,
    }
    const growing = { draft, parts: [], size: 0, symbol }
    this.sections.push(growing)
    this.symbols.push(symbol)
    return growing
  }

  /** The one section for `key`, made like `model` when it is first asked for. */
  openShared(key: string, model: Section, name: string): Growing {
    let growing = this.shared.get(key)
    if (growing === undefined) {
      growing = this.open(model, name)
      this.shared.set(key, growing)
    }
    return growing
  }

  /** Appends bytes of `extent`, aligned as they were. @returns their offset in the section */
  append(growing: Growing, extent: Extent): number {
    const { section } = extent
    // Inside its section a part may rely on less than the whole section's alignment.
    let align = Math.max(section.align, 1)
    while (align > 1 && extent.start % align !== 0) align /= 2
    if (extent.start === 0) align = Math.max(section.align, 1)
    const padding = (align - (growing.size % align)) % align
    const length = extent.end - extent.start
    if (section.type !== sectionType.nobits)
      growing.parts.push(Buffer.alloc(padding), section.data.subarray(extent.start, extent.end))
    const at = growing.size + padding
    growing.size = at + length
    return at
  }

  define(symbol: SymbolDraft): SymbolDraft {
    this.symbols.push(symbol)
    return symbol
  }

  refer(reference: Reference): SymbolDraft {
    const { definition, name, from } = reference
    const key =
      definition === undefined
        ? `${from} ${name}`
        : `${from} ${name} ${reference.unit} ${definition.section.index}:${definition.start}`
    let symbol = this.byName.get(key)
    if (symbol === undefined) {
      symbol = {
        name,
        value: 0,
        size: 0,
        binding: 'global',
        type: 'none',
        visibility: 0,
        place: 'undefined',
      }
      this.byName.set(key, symbol)
      this.symbols.push(symbol)
      this.references.set(symbol, reference)
    }
    return symbol
  }

  draft(): ObjectDraft {
    for (const { draft, parts, size } of this.sections)
      draft.data = draft.type === sectionType.nobits ? size : Buffer.concat(parts)
    return { sections: this.sections.map((growing) => growing.draft), symbols: this.symbols }
  }
}

interface Cutter {
  /** Carries a changed function; undefined when it can't be replaced (a finding says why). */
  root(changed: FunctionChange): SymbolDraft | undefined
  /** Carries everything that the carried code needs. */
  drain(): void
}

function cut(
  workshop: Workshop,
  change: Change,
  roots: Roots,
  object: string,
  surroundings: Surroundings,
  findings: Finding[],
  carried: CarriedItem[],
): Cutter {
  const { after, correlation, unit } = change
  const changedPieces = new Set([...roots.replaced, ...roots.embedded].map(({ after: piece }) => piece))
  const added = new Set(change.added)
  const places = new Map<string, Place>()
  const symbols = new Map<Piece, SymbolDraft>()
  const pending: (() => void)[] = []
  const error = (rule: string, symbol: string, message: string, hint: string) => {
    findings.push({ severity: 'error', rule, symbol, unit, message, hint })
  }

  /** Carries a range of bytes with its relocations; what they lead to follows later. */
  const carryExtent = (extent: Extent, growing: Growing, whose: Piece | undefined): Place => {
    const at = workshop.append(growing, extent)
    const place = { growing, at }
    pending.push(() => {
      for (const relocation of relocationsIn(extent))
        growing.draft.relocations.push(
          convert(extent.section, relocation, relocation.offset - extent.start + at, whose),
        )
    })
    return place
  }

  const relocationsIn = (extent: Extent): readonly Relocation[] => {
    const all = after.object.relocations(extent.section)
    if (extent.start === 0 && extent.end === extent.section.size) return all
    return all.filter((relocation) => relocation.offset >= extent.start && relocation.offset < extent.end)
  }

  const carryFunction = (piece: Piece): SymbolDraft => {
    const known = symbols.get(piece)
    if (known !== undefined) return known
    const { section } = piece
    if (after.piecesOf(section).length > 1)
      error(
        'shared-section',
        piece.name,
        `${piece.name} shares the section ${section.name} with other functions and can't be cut out of it yet`,
        'Wait for a version of Inarch that can, or move the fix to a function of an ordinary section',
      )
    const growing = workshop.open(section, section.name)
    const symbol = workshop.define({
      name: piece.name,
      value: (piece.symbol?.value ?? piece.start) - piece.start,
      size: piece.symbol?.size ?? piece.end - piece.start,
      binding: 'local',
      type: 'function',
      visibility: 0,
      place: growing.draft,
    })
    symbols.set(piece, symbol)
    // objtool finds the parent of a cold part by any of its names.
    for (const alias of piece.aliases) workshop.define({ ...symbol, name: alias.name })
    places.set(placeKey(piece), carryExtent(piece, growing, piece))
    for (const entry of after.tableEntries(piece)) pending.push(() => carryEntry(entry, piece))
    return symbol
  }

  /** Appends a table's entry to the one table of that name. */
  const carryEntry = (entry: TableEntry, whose: Piece) => {
    const { table } = entry
    const growing = workshop.openShared(`table ${table.name}`, table, table.name)
    const at = workshop.append(growing, { section: table, start: entry.start, end: entry.end })
    entry.relocations.forEach((relocation, nth) => {
      const offset = relocation.offset - entry.start + at
      if (table.name === '.altinstructions' && nth === 1) {
        const target = after.target(table, relocation)
        if (target.kind !== 'piece') {
          error('unreadable-table', whose.name, `An alternative of ${whose.name} can't be understood`, report)
          return
        }
        const start = target.piece.start + target.offset
        const { section } = target.piece
        const extent = { section, start, end: start + replacementLength(entry) }
        const key = `${section.index}:${extent.start}:${extent.end}`
        let place = places.get(key)
        if (place === undefined) {
          place = carryExtent(
            extent,
            workshop.openShared('.altinstr_replacement', section, section.name),
            whose,
          )
          places.set(key, place)
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

  const carryData = (piece: Piece, reason: string | undefined): Place => {
    const known = places.get(placeKey(piece))
    if (known !== undefined) return known
    const growing = workshop.openShared(
      `data ${object} ${piece.section.name}`,
      piece.section,
      piece.section.name,
    )
    const place = carryExtent(piece, growing, piece)
    places.set(placeKey(piece), place)
    const { symbol } = piece
    if (symbol !== undefined) {
      symbols.set(
        piece,
        workshop.define({
          name: symbol.name,
          value: place.at + symbol.value - piece.start,
          size: symbol.size,
          binding: 'local',
          type: symbol.type,
          visibility: 0,
          place: growing.draft,
        }),
      )
      if (reason !== undefined) carried.push({ name: piece.name, kind: 'data', unit, reason })
    }
    return place
  }

  const carryConstant = (piece: Piece, extent: Extent): Place => {
    const key = `${extent.section.index}:${extent.start}:${extent.end}`
    let place = places.get(key)
    if (place === undefined) {
      const { name } = piece.section
      place = carryExtent(extent, workshop.openShared(`data ${object} ${name}`, piece.section, name), piece)
      places.set(key, place)
    }
    return place
  }

  const refer = (name: string, definition: Piece | undefined, needed = true): SymbolDraft =>
    workshop.refer({ name, from: object, unit, definition, change, needed })

  /** objtool finds the key of a static call by its name among the symbols. */
  const referKeyOf = (name: string) => {
    if (name.startsWith('__SCT__')) refer(`__SCK__${name.slice(7)}`, undefined, false)
  }

  /** A relocation of carried bytes, so that it leads to the right thing. */
  const convert = (
    from: Section,
    relocation: Relocation,
    offset: number,
    whose: Piece | undefined,
  ): RelocationDraft => {
    const target = after.target(from, relocation)
    const { symbol } = relocation
    const { type } = relocation
    const to = (draft: SymbolDraft, addend: number): RelocationDraft => ({
      offset,
      type,
      symbol: draft,
      addend,
    })
    switch (target.kind) {
      case 'external': {
        referKeyOf(target.name)
        return to(refer(target.name, undefined), relocation.addend)
      }
      case 'string': {
        const start = target.offset
        const extent = { section: target.piece.section, start, end: start + target.text.length }
        const place = carryConstant(target.piece, extent)
        return to(place.growing.symbol, symbol.value + relocation.addend - start + place.at)
      }
      case 'piece':
        return convertToPiece(target, relocation, to, whose)
      case 'absolute':
      case 'nowhere':
        error(
          'unknown-relocation',
          whose?.name ?? from.name,
          `${whose?.name ?? from.name} refers to something that can't be followed: ${target.kind === 'nowhere' ? target.why : 'an absolute address'}`,
          report,
        )
        return to(refer('', undefined), relocation.addend)
    }
  }

  const convertToPiece = (
    target: Extract<Target, { kind: 'piece' }>,
    relocation: Relocation,
    to: (draft: SymbolDraft, addend: number) => RelocationDraft,
    whose: Piece | undefined,
  ): RelocationDraft => {
    const { piece } = target
    const { symbol } = relocation
    const said = symbol.value + relocation.addend
    if (piece.kind === 'constant') {
      const extent = after.extent(piece, target.offset)
      const place = carryConstant(piece, extent)
      return to(place.growing.symbol, said - extent.start + place.at)
    }
    const bySection = symbol.type === 'section' || symbol.name.startsWith('.L')
    const inside = (draft: SymbolDraft, place: Place): RelocationDraft =>
      bySection ? to(place.growing.symbol, said - piece.start + place.at) : to(draft, relocation.addend)
    const counterpart = correlation.counterpartOf(piece)
    if (piece.kind === 'function') {
      const cold = isColdPart(piece.name)
      let carry = changedPieces.has(piece) || symbols.has(piece) || cold
      if (!carry) {
        let reason: string | undefined
        if (added.has(piece)) reason = 'it is new'
        else if (counterpart === undefined) reason = 'it has no counterpart before the patch'
        else if (!surroundings.has(object, counterpart.name))
          reason = `${whose?.name ?? 'carried code'} calls it, and the kernel has no symbol for it`
        if (reason !== undefined) {
          carry = true
          carried.push({ name: piece.name, kind: 'function', unit, reason })
        }
      }
      if (carry) {
        if (cold && !symbols.has(piece) && whose !== undefined)
          if (coldParent(piece.name) !== whose.name && !isColdPart(whose.name))
            carried.push({
              name: piece.name,
              kind: 'function',
              unit,
              reason: `it is a part of ${whose.name}`,
            })
        const draft = carryFunction(piece)
        const place = places.get(placeKey(piece))
        if (place !== undefined) return inside(draft, place)
      }
      const name = counterpart?.name ?? piece.name
      if (target.offset !== (piece.symbol?.value ?? 0) - piece.start)
        error(
          'into-function',
          whose?.name ?? name,
          `${whose?.name ?? 'Carried code'} refers to the middle of ${name}, which is not replaced`,
          report,
        )
      referKeyOf(name)
      return to(refer(name, counterpart), said - (piece.symbol?.value ?? 0))
    }
    const incidental = isIncidental(piece.name)
    if (incidental || isByContent(piece) || counterpart === undefined) {
      const place = carryData(piece, incidental || isByContent(piece) ? undefined : 'it is new')
      const draft = symbols.get(piece)
      return draft === undefined
        ? to(place.growing.symbol, said - piece.start + place.at)
        : inside(draft, place)
    }
    if (!surroundings.has(object, counterpart.name))
      error(
        'no-symbol',
        counterpart.name,
        `${whose?.name ?? 'Carried code'} uses ${counterpart.name}, for which the kernel has no symbol`,
        'Avoid the variable in the patch, or reach it through a pointer that can be found',
      )
    return to(refer(counterpart.name, counterpart), said - (piece.symbol?.value ?? 0))
  }

  return {
    root(changed) {
      const { before, after: piece } = changed
      if (!surroundings.has(object, before.name)) {
        error(
          'not-in-kernel',
          before.name,
          `${before.name} changes, but ${object} has no such symbol`,
          'Check that the kernel is the one the source belongs to',
        )
        return undefined
      }
      return carryFunction(piece)
    },
    drain() {
      // The list grows while it is worked on.
      for (let next = 0; next < pending.length; next++) pending[next]?.()
      pending.length = 0
    },
  }
}

const report = 'Report this with the patch, the kernel version and the compiler'

function placeKey(piece: Piece): string {
  return `${piece.section.index}:${piece.start}:${piece.end}`
}
