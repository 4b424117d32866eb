// SPDX-License-Identifier: GPL-3.0-or-later
// Cuts what a change needs out of one patched unit. Everything that carried code refers to is either carried
// along (new code and data, constants, the compiler's own statics) or left where it is in the running kernel
// and referred to. Every carried item has the reason why it is there.
import { type Extent, isCode, isOutOfLine, type Piece, type Target } from '../diff/anatomy.ts'
import { isByContent } from '../diff/by-content.ts'
import type { Change, FunctionChange } from '../diff/change.ts'
import { replacementLength } from '../diff/compare.ts'
import { isIncidental } from '../diff/incidental.ts'
import { coldParent, isColdPart } from '../diff/names.ts'
import { isComplaint } from '../diff/sanitizers.ts'
import { isTable, type TableEntry } from '../diff/tables.ts'
import { relocationSize, relocationType, sectionFlag } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import type { RelocationDraft, SymbolDraft } from '../elf/write.ts'
import type { Finding } from '../ground/finding.ts'
import { bootConstant, loadInstead, opcodeLength } from './boot-constant.ts'
import { direct, isThroughTable } from './got.ts'
import { type IndexedMessage, indexedMessages, sourceName } from './printk-index.ts'
import type { Roots } from './roots.ts'
import { isForShadow } from './shadow.ts'
import type { Growing, Place, Workshop } from './workshop.ts'

/** What the extraction must know about the kernel. */
export interface Surroundings {
  /** True when the kernel object has a symbol of this name, exported or not. */
  has(object: string, name: string): boolean
  /** False when the objects tell nothing about ftrace: then every function may be replaced. */
  readonly judgesHooks?: boolean
}

export interface CarriedItem {
  readonly name: string
  readonly kind: 'function' | 'data'
  readonly unit: string
  readonly reason: string
}

/** A global definition of one of the changed units, for the others. */
export interface Peer {
  readonly piece: Piece
  readonly object: string
  readonly change: Change
  readonly cutter: Cutter
}

export interface Cutter {
  /** Carries a changed function; undefined when it can't be replaced (a finding says why). */
  root(changed: FunctionChange): SymbolDraft | undefined
  /** Carries a new function or datum that another unit refers to. */
  carry(piece: Piece, reason: string): SymbolDraft | undefined
  /** Carries everything that the carried code needs. @returns true when there was something to do */
  drain(): boolean
}

export function cut(
  workshop: Workshop,
  change: Change,
  roots: Roots,
  object: string,
  surroundings: Surroundings,
  peers: ReadonlyMap<string, Peer>,
  findings: Finding[],
  carried: CarriedItem[],
): Cutter {
  const { after, correlation, unit } = change
  const changedPieces = new Set([...roots.replaced, ...roots.embedded].map(({ after: piece }) => piece))
  const embedded = new Set(roots.embedded.map(({ after: piece }) => piece))
  const added = new Set(change.added)
  const { ambiguous } = correlation
  /** Replacement code of alternatives that is carried. */
  const snippets: { readonly extent: Extent; readonly place: Place }[] = []
  const places = new Map<string, Place>()
  const symbols = new Map<Piece, SymbolDraft>()
  const pending: (() => void)[] = []
  const error = (rule: string, symbol: string, message: string, hint: string) => {
    const said = findings.some((one) => one.message === message && one.unit === unit)
    if (!said) findings.push({ severity: 'error', rule, symbol, unit, message, hint })
  }

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
    const at = workshop.append(growing, extent)
    const place = { growing, at }
    pending.push(() => {
      for (const relocation of after.relocations(extent)) {
        if (!isInside(relocation, extent, whose)) continue
        const converted = convert(extent.section, relocation, relocation.offset - extent.start + at, whose)
        growing.draft.relocations.push(
          isThroughTable(relocation.type) ? makeDirect(relocation, extent, growing, converted) : converted,
        )
      }
    })
    return place
  }

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

  /** Between functions of one section the assembler may choose a jump that reaches no further. */
  const refuseShortJumps = (piece: Piece) => {
    const { section } = piece
    for (let at = piece.symbol?.value ?? piece.start; at < piece.end; ) {
      const instruction = after.instructionAt(section, at)
      if (instruction === undefined) return
      at = instruction.end
      if (instruction.branch < 0 || instruction.end - instruction.branch !== 1) continue
      const place = instruction.end + section.data.readInt8(instruction.branch)
      if (place >= piece.start && place < piece.end) continue
      error(
        'shared-section',
        piece.name,
        `${piece.name} shares the section ${section.name} with a function to which it has a short jump, and can't be cut out of it`,
        'Move the fix to a function of an ordinary section',
      )
    }
  }

  const carryFunction = (piece: Piece): SymbolDraft => {
    const known = symbols.get(piece)
    if (known !== undefined) return known
    const { section } = piece
    const alone = after.piecesOf(section).length === 1
    if (!alone) refuseShortJumps(piece)
    const growing = alone ? workshop.open(section, section.name) : workshop.openShared(section)
    const place = carryExtent(piece, growing, piece)
    const symbol = workshop.define({
      name: piece.name,
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
    for (const alias of piece.aliases) workshop.define({ ...symbol, name: alias.name })
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
      if (table.name === '.altinstructions' && nth === 1) {
        const target = after.target(table, relocation)
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
          snippets.push({ extent, place })
          carryEntriesAbout(target.piece, extent, whose)
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
  const carryEntriesAbout = (piece: Piece, extent: Extent, whose: Piece) => {
    for (const entry of after.tableEntries(piece)) {
      const [first] = entry.relocations
      if (first === undefined) continue
      const place = first.symbol.value + first.addend
      if (place >= extent.start && place < extent.end) pending.push(() => carryEntry(entry, whose))
    }
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
    const growing = workshop.openShared(piece.section)
    const place = carryExtent(piece, growing, piece)
    places.set(placeKey(piece), place)
    const { symbol } = piece
    if (symbol !== undefined) {
      symbols.set(
        piece,
        workshop.define({
          name: symbol.name,
          value: place.at + symbol.value - piece.start,
          size: Math.min(symbol.size, piece.end - symbol.value),
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
      place = carryExtent(extent, workshop.openShared(piece.section), piece)
      places.set(key, place)
      if (isCode(piece.section)) carryEntriesAbout(piece, extent, piece)
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
        const peer = peers.get(target.name)
        const draft = peer === undefined ? undefined : referToPeer(peer)
        if (draft === undefined) referKeyOf(target.name)
        return to(draft ?? refer(target.name, undefined), relocation.addend)
      }
      case 'string': {
        const { start } = target
        const extent = { section: target.piece.section, start, end: start + target.text.length }
        const place = carryConstant(target.piece, extent)
        return to(place.growing.symbol, symbol.value + relocation.addend - start + place.at)
      }
      case 'piece':
        return convertToPiece(target, from, relocation, to, whose)
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

  /** Something that another changed unit defines; undefined when the running kernel knows it best. */
  const referToPeer = (peer: Peer): SymbolDraft | undefined => {
    const { piece } = peer
    const counterpart = peer.change.correlation.counterpartOf(piece)
    const within = peer.object === object || peer.object === 'vmlinux'
    if (counterpart === undefined) {
      if (within) return peer.cutter.carry(piece, 'it is new')
      error(
        'across-modules',
        piece.name,
        `The new ${piece.name} belongs to the module ${peer.object}, but ${unit} is part of ${object}, which may run without it`,
        'Define it where it is used, too',
      )
      return undefined
    }
    if (!within || counterpart.symbol?.binding !== 'local') return undefined
    // It was private before the patch, so its name alone may mean another one.
    return workshop.refer({
      name: counterpart.name,
      from: peer.object,
      unit: peer.change.unit,
      definition: counterpart,
      change: peer.change,
      needed: true,
    })
  }

  /** Nameless bytes: they are carried, unless they are the kernel's own state or code. */
  const convertToConstant = (
    target: Extract<Target, { kind: 'piece' }>,
    relocation: Relocation,
    to: (draft: SymbolDraft, addend: number) => RelocationDraft,
    whose: Piece | undefined,
  ): RelocationDraft => {
    const { piece } = target
    const { symbol } = relocation
    const said = symbol.value + relocation.addend
    const at = piece.start + target.offset
    const snippet = snippets.find(
      ({ extent }) => extent.section === piece.section && at >= extent.start && at < extent.end,
    )
    if (snippet !== undefined)
      return to(snippet.place.growing.symbol, said - snippet.extent.start + snippet.place.at)
    const { name, flags } = piece.section
    const ownCode = isCode(piece.section) && !isOutOfLine(piece.section)
    if (ownCode && symbol.type !== 'section' && surroundings.has(object, symbol.name))
      return to(refer(symbol.name, undefined), relocation.addend)
    if (ownCode || ((flags & sectionFlag.write) !== 0 && !isComplaint(piece.section)))
      error(
        'unknown-relocation',
        whose?.name ?? name,
        `${whose?.name ?? 'Carried code'} refers to something without a name in the section ${name}`,
        report,
      )
    const extent = after.extent(piece, target.offset)
    const place = carryConstant(piece, extent)
    return to(place.growing.symbol, said - extent.start + place.at)
  }

  /** True when the relocation takes a function's address, so that it may be kept and compared. */
  const takesAddress = (
    from: Section,
    relocation: Relocation,
    target: Target & { kind: 'piece' },
  ): boolean => {
    const { piece } = target
    if (target.offset !== (piece.symbol?.value ?? piece.start) - piece.start) return false
    if (isTable(from)) return false
    return !isCode(from) || after.instructionAt(from, relocation.offset)?.branch !== relocation.offset
  }

  const convertToPiece = (
    target: Extract<Target, { kind: 'piece' }>,
    from: Section,
    relocation: Relocation,
    to: (draft: SymbolDraft, addend: number) => RelocationDraft,
    whose: Piece | undefined,
  ): RelocationDraft => {
    const { piece } = target
    const { symbol } = relocation
    const said = symbol.value + relocation.addend
    if (piece.kind === 'constant') return convertToConstant(target, relocation, to, whose)
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
      const addressTaken = carry && takesAddress(from, relocation, target)
      if (addressTaken && embedded.has(piece))
        error(
          'not-traceable',
          piece.name,
          `${piece.name} changes, but it has no ftrace entry, and its address is handed on, so it can't be replaced`,
          'Fix the bug in its callers instead',
        )
      if (addressTaken && added.has(piece))
        if (whose?.section !== from || !isForShadow(after, whose, relocation)) addressOfNew.add(piece)
      // A pointer may outlive the patch, and be compared with others: it means the function that runs now,
      // at whose entry the kernel chooses.
      if (addressTaken && counterpart !== undefined && changedPieces.has(piece) && !embedded.has(piece))
        return to(refer(counterpart.name, counterpart), said - (piece.symbol?.value ?? 0))
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
    const known = counterpart !== undefined && surroundings.has(object, counterpart.name)
    const kept = known && change.keptTables.has(piece)
    const byContent = isIncidental(piece) || (isByContent(piece) && !kept)
    if (symbol.type === 'section') refuseBorder(target, whose)
    if (byContent || counterpart === undefined) {
      if (!byContent && ambiguous.has(piece))
        error(
          'ambiguous-static',
          piece.name,
          `It can't be told which of several static variables of this name ${piece.name} was before the patch`,
          'Give the variables different names in the patch',
        )
      const reason = change.copied.has(piece) ? 'the patch asks for a copy of its own' : 'it is new'
      const place = carryData(piece, byContent ? undefined : reason)
      const draft = symbols.get(piece)
      return draft === undefined
        ? to(place.growing.symbol, said - piece.start + place.at)
        : inside(draft, place)
    }
    if (!known)
      error(
        'no-symbol',
        counterpart.name,
        `${whose?.name ?? 'Carried code'} uses ${counterpart.name}, for which the kernel has no symbol`,
        'Avoid the variable in the patch, or reach it through a pointer that can be found',
      )
    return to(refer(counterpart.name, counterpart), said - (piece.symbol?.value ?? 0))
  }

  /** Functions that are new and whose address is handed on. */
  const addressOfNew = new Set<Piece>()

  /**
   * In a section that several data share, the address behind an array is that of the next datum. That is
   * all the same while the two stay together.
   */
  const refuseBorder = (target: Target & { kind: 'piece' }, whose: Piece | undefined) => {
    const { piece } = target
    if (whose === undefined || target.offset !== 0 || piece.start === 0) return
    const neighbour = after.piecesOf(piece.section).find(({ end }) => end === piece.start)
    if (neighbour === undefined || neighbour.end - neighbour.start <= 8) return
    const stays = (one: Piece) => !isIncidental(one) && correlation.counterpartOf(one) !== undefined
    if (stays(piece) === stays(neighbour)) return
    const usesBoth = after.relocations(whose).some((relocation) => {
      const other = after.target(whose.section, relocation)
      return other.kind === 'piece' && other.piece === neighbour
    })
    if (usesBoth)
      error(
        'ambiguous-reference',
        piece.name,
        `It can't be told whether ${whose.name} means ${piece.name} or the end of ${neighbour.name}, which share the section ${piece.section.name}`,
        'Leave out the section attribute (such as __read_mostly) of the new variable',
      )
  }

  return {
    carry(piece, reason) {
      if (!symbols.has(piece))
        if (piece.kind === 'function') {
          carried.push({ name: piece.name, kind: 'function', unit, reason })
          return carryFunction(piece)
        } else carryData(piece, reason)
      return symbols.get(piece)
    },
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
      const some = pending.length > 0
      // The list grows while it is worked on.
      for (let next = 0; next < pending.length; next++) pending[next]?.()
      pending.length = 0
      for (const { name } of addressOfNew)
        findings.push({
          severity: 'warning',
          rule: 'address-of-new-function',
          symbol: name,
          unit,
          message: `The address of the new function ${name} is handed on; if something keeps it (a timer, a work, a table), it leads nowhere after the patch is unloaded`,
          hint: 'Undo in a callback (INARCH_PRE_UNPATCH) what the patched code has set up, or do not unload the patch',
        })
      addressOfNew.clear()
      return some
    },
  }
}

const report = 'Report this with the patch, the kernel version and the compiler'

function placeKey(piece: Piece): string {
  return `${piece.section.index}:${piece.start}:${piece.end}`
}
