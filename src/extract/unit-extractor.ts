// SPDX-License-Identifier: GPL-3.0-or-later
// Extracts what a change needs from one patched unit. Functions, data and constants are copied into the object that is
// built, each once; what their references, their table entries and their messages need goes to the end of a work list.
// Where a reference leads is decided by reference-decision.ts.

import type { FunctionChange } from '../diff/apply-directives.ts'
import { isColdPart, sourceName } from '../diff/object/compiler-names.ts'
import { type Atom, type Extent, isCode, type SplitObject, type Target } from '../diff/object/split-object.ts'
import { replacementLength, type TableEntry } from '../diff/object/tables.ts'
import { relocationSize, relocationType } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import type { RelocationDraft, SymbolDraft } from '../elf/write.ts'
import type { Finding } from '../ground/finding.ts'
import { loadInstead, opcodeLength } from '../x86/boot-constant.ts'
import { direct, isThroughTable } from '../x86/global-offset-table.ts'
import { decodeInstruction } from '../x86/instruction.ts'
import { bootConstant } from './boot-constant.ts'
import { neighbourhood } from './border.ts'
import { ColdPartNames } from './cold-part-names.ts'
import type { GlobalDefinition, UnitLookup } from './kernel-lookup.ts'
import type { CarriedPlace, ObjectBuilder, SectionBuilder } from './object-builder.ts'
import { indexedMessages } from './printk-index.ts'
import { type CarriedReference, type CarriedSoFar, decideReference, report } from './reference-decision.ts'

export interface CarriedItem {
  readonly name: string
  readonly kind: 'function' | 'data'
  readonly unit: string
  readonly reason: string
}

/** What the units of one live patch share while they are extracted. */
export interface SharedOutput {
  readonly builder: ObjectBuilder
  /** What a reviewer is told. */
  readonly carried: CarriedItem[]
  readonly findings: Finding[]
  /** Carries what another unit defines. */
  carryDefinition(definition: GlobalDefinition, reason: string): SymbolDraft | undefined
}

export class UnitExtractor implements CarriedSoFar {
  /** What has to follow what is carried. Grows while it is worked on. */
  private readonly pending: (() => void)[] = []
  private readonly places = new Map<string, CarriedPlace>()
  private readonly symbols = new Map<Atom, SymbolDraft>()
  /** Code of alternatives. */
  private readonly replacements: Extent[] = []
  private readonly coldNames: ColdPartNames
  /** Messages of refusals; each is told once. */
  private readonly told = new Set<string>()
  private messages: ReadonlyMap<string, readonly Extent[]> | undefined
  /** Functions of which the messages are carried, by their names in the source. */
  private readonly withMessages = new Set<string>()
  /** Functions that are new and whose address the patch stores or passes, since the list was last empty. */
  private readonly addressesOfNew = new Set<Atom>()

  constructor(
    private readonly lookup: UnitLookup,
    private readonly output: SharedOutput,
  ) {
    this.coldNames = new ColdPartNames(lookup, this)
  }

  has(atom: Atom): boolean {
    return this.symbols.has(atom)
  }

  replacementAt(section: Section, offset: number): Extent | undefined {
    return this.replacements.find((one) => one.section === section && offset >= one.start && offset < one.end)
  }

  /** Carries a changed function; undefined when it can't be replaced (a finding says why). */
  root({ before, after }: FunctionChange): SymbolDraft | undefined {
    const { lookup } = this
    if (lookup.hasSymbol(before.name)) return this.carry(after, undefined)
    this.refuse(
      'not-in-kernel',
      before.name,
      `${before.name} changes, but ${lookup.object} has no such symbol`,
      'Check that the kernel is the one the source belongs to',
    )
    return undefined
  }

  /**
   * Carries a function or a datum.
   * @param reason why, for the report; undefined for what serves other carried things only
   * @param user what refers to it
   */
  carry(atom: Atom, reason: string | undefined, user?: Atom): SymbolDraft | undefined {
    if (atom.kind === 'function') this.copyFunction(atom, reason, user)
    else this.copyData(atom, reason)
    return this.symbols.get(atom)
  }

  /** Carries everything that the carried code needs. @returns true when there was something to do */
  drain(): boolean {
    const { pending } = this
    const some = pending.length > 0
    for (let next = 0; next < pending.length; next++) pending[next]?.()
    pending.length = 0
    for (const { name } of this.addressesOfNew) this.output.findings.push(addressOfNew(name, this.lookup.change.unit))
    this.addressesOfNew.clear()
    return some
  }

  private refuse(rule: string, symbol: string, message: string, hint = report): void {
    if (this.told.has(message)) return
    this.told.add(message)
    const { unit } = this.lookup.change
    this.output.findings.push({ severity: 'error', rule, symbol, unit, message, hint })
  }

  private copyFunction(atom: Atom, reason: string | undefined, user: Atom | undefined): void {
    const name = isColdPart(atom.name) && user !== undefined ? this.coldNames.nameFor(atom, user) : atom.name
    if (this.has(atom)) return
    const { builder } = this.output
    const { after, unit } = this.lookup.change
    const { section } = atom
    this.tell(atom, reason)
    const alone = after.atomsOf(section).length === 1
    for (const why of alone ? [] : bindsToOthers(after, atom))
      this.refuse(
        'shared-section',
        atom.name,
        `${atom.name} shares the section ${section.name} with other functions, and can't be cut out of it: ` + why,
        'Compile with -ffunction-sections, or move the fix to a function of an ordinary section',
      )
    const place = this.copyExtent(atom, alone ? builder.open(section, section.name) : builder.openShared(section), atom)
    const { namesakes } = builder
    this.symbols.set(atom, builder.define(atom, place, namesakes.nameFor(unit, name), 'function'))
    // objtool finds the parent of a cold part by any of its names.
    for (const alias of atom.aliases) builder.define(atom, place, namesakes.nameFor(unit, alias.name), 'function')
    this.places.set(placeKey(atom), place)
    for (const entry of after.tableEntries(atom))
      if (bootConstant(entry.table.name)) this.loadBootConstant(entry, atom, place)
      else this.pending.push(() => this.copyEntry(entry, atom))
    this.pending.push(() => this.copyMessages(atom))
  }

  private copyData(atom: Atom, reason: string | undefined): void {
    if (this.places.has(placeKey(atom))) return
    const { builder } = this.output
    const { addedData } = this.lookup.change
    const { section } = atom
    const together = neighbourhood(this.lookup, atom)
    const [first, last] = [together[0]!, together.at(-1)!]
    const all = builder.append(builder.openShared(section), { section, start: first.start, end: last.end })
    for (const one of together) {
      const place = { section: all.section, at: all.at + one.start - first.start }
      this.pending.push(() => this.follow(one, place, one))
      this.places.set(placeKey(one), place)
      if (one.symbol === undefined) continue
      const { name, type } = one.symbol
      this.symbols.set(one, builder.define(one, place, name, type))
      this.tell(one, one === atom ? reason : addedData.includes(one) ? 'it is new' : undefined)
    }
  }

  /** Says that something is carried, and why. */
  private tell({ name, kind }: Atom, reason: string | undefined): void {
    const { unit } = this.lookup.change
    if (reason !== undefined)
      this.output.carried.push({ name, kind: kind === 'function' ? kind : 'data', unit, reason })
  }

  /** Copies bytes without a name, and the table entries about them, such as a fault in the code of an alternative. */
  private copyBytes(extent: Extent, whose: Atom): CarriedPlace {
    const { section } = extent
    const key = placeKey(extent)
    const known = this.places.get(key)
    if (known !== undefined) return known
    const place = this.copyExtent(extent, this.output.builder.openShared(section), whose)
    this.places.set(key, place)
    if (isCode(section))
      for (const entry of this.lookup.change.after.entriesAbout(extent))
        this.pending.push(() => this.copyEntry(entry, whose))
    return place
  }

  private copyExtent(extent: Extent, into: SectionBuilder, whose: Atom): CarriedPlace {
    const place = this.output.builder.append(into, extent)
    this.pending.push(() => this.follow(extent, place, whose))
    return place
  }

  private follow(extent: Extent, place: CarriedPlace, whose: Atom): void {
    for (const relocation of this.lookup.change.after.relocations(extent))
      this.relocate(relocation, extent, place, whose)
  }

  /** Makes a relocation of bytes that were copied lead to the right thing. */
  private relocate(relocation: Relocation, extent: Extent, { section, at }: CarriedPlace, whose: Atom): void {
    if (!this.isInside(relocation, extent, whose)) return
    const draft = this.relocationOf({ from: extent.section, relocation, whose }, relocation.offset - extent.start + at)
    section.draft.relocations.push(
      isThroughTable(relocation.type) ? this.makeDirect(relocation, extent, section, draft) : draft,
    )
  }

  /** A field that reaches over the end of what is carried can't be relocated there: something divides it. */
  private isInside({ offset, type }: Relocation, { section, end }: Extent, { name }: Atom): boolean {
    if (offset + relocationSize(type) <= end) return true
    this.refuse(
      'unknown-relocation',
      name,
      `A reference of ${name} lies across the end of what is carried of ${section.name}`,
    )
    return false
  }

  private makeDirect(
    { offset }: Relocation,
    { section }: Extent,
    into: SectionBuilder,
    draft: RelocationDraft,
  ): RelocationDraft {
    const made = draft.addend === -4 || draft.symbol.type === 'section' ? direct(section.data, offset) : undefined
    if (made === undefined) {
      this.refuse(
        'unknown-relocation',
        section.name,
        `${section.name} refers to something through a global offset table, which a module does not have`,
        'Compile the unit as kbuild does, without -fPIC',
      )
      return draft
    }
    this.output.builder.rewrite(into, draft.offset - made.back, made.bytes)
    return { ...draft, offset: draft.offset + made.shift, type: relocationType.pc32 }
  }

  /** What the kernel wrote into its own code when it started is loaded from where it has it from. */
  private loadBootConstant({ table, relocations }: TableEntry, atom: Atom, { section, at }: CarriedPlace): void {
    const { builder } = this.output
    const { after, correlation } = this.lookup.change
    const constant = bootConstant(table.name)
    const [where] = relocations
    if (constant === undefined || where === undefined) return
    const start = where.symbol.value + where.addend - opcodeLength
    const inside = start >= atom.start && start < atom.end
    const load = inside ? loadInstead(atom.section.data.subarray(start, atom.end)) : undefined
    if (constant.kind !== 'ptr' || load === undefined) {
      this.refuse(
        'boot-constant',
        atom.name,
        `${atom.name} has the runtime constant ${constant.name} in its code, which the kernel writes there ` +
          'only when it boots',
        'Fix the bug in its callers instead',
      )
      return
    }
    const offset = at + start - atom.start
    builder.rewrite(section, offset, load.bytes)
    const own = after.data.find(({ name }) => name === constant.name)
    const variable = this.lookup.reference(constant.name, own && correlation.counterpartOf(own))
    section.draft.relocations.push({
      offset: offset + load.displacement,
      type: relocationType.pc32,
      symbol: builder.refer(variable),
      addend: -4,
    })
  }

  /** Appends a table's entry to the one table of that name, once. */
  private copyEntry(entry: TableEntry, whose: Atom): CarriedPlace {
    const { builder } = this.output
    const { table, start, end } = entry
    const extent = { section: table, start, end }
    const known = this.places.get(placeKey(extent))
    if (known !== undefined) return known
    const into = builder.append(builder.openShared(table), extent)
    this.places.set(placeKey(extent), into)
    for (const [nth, relocation] of entry.relocations.entries()) {
      const isReplacement = table.name === '.altinstructions' && nth === 1
      const target = isReplacement ? this.lookup.change.after.target(table, relocation) : undefined
      // objtool puts thunks there (until 5.14).
      if (target === undefined || target.kind === 'external') {
        this.relocate(relocation, extent, into, whose)
        continue
      }
      if (!this.isInside(relocation, extent, whose)) continue
      const replacement = replacementOf(entry, target)
      if (replacement === undefined) {
        this.refuse('unreadable-table', whose.name, `An alternative of ${whose.name} can't be understood`)
        continue
      }
      if (!this.places.has(placeKey(replacement))) this.replacements.push(replacement)
      const { section, at } = this.copyBytes(replacement, whose)
      const { offset, type } = relocation
      const draft = { offset: offset - start + into.at, type, symbol: section.symbol, addend: at }
      into.section.draft.relocations.push(draft)
    }
    return into
  }

  /** Carries the entries of the printk index about a function. */
  private copyMessages(whose: Atom): void {
    const { builder } = this.output
    this.messages ??= indexedMessages(this.lookup.change.after)
    const name = sourceName(whose.name)
    if (this.withMessages.has(name)) return
    this.withMessages.add(name)
    for (const pointer of this.messages.get(name) ?? [])
      this.follow(pointer, builder.append(builder.openShared(pointer.section), pointer), whose)
  }

  /**
   * Decides where a reference leads, and carries it if need be.
   * @param offset of the relocation that is made
   */
  private relocationOf(reference: CarriedReference, offset: number): RelocationDraft {
    const { refusals, goal, addend, bySection, addressOfNew } = decideReference(this.lookup, this, reference)
    for (const { rule, symbol, message, hint } of refusals) this.refuse(rule, symbol, message, hint)
    if (addressOfNew !== undefined) this.addressesOfNew.add(addressOfNew)
    const { builder } = this.output
    const { type } = reference.relocation
    const to = (symbol: SymbolDraft, base = 0) => ({ offset, type, symbol, addend: addend + base })
    switch (goal.kind) {
      case 'kernel':
        if (goal.key !== undefined) builder.refer(goal.key)
        return to(builder.refer(goal.reference))
      case 'definition':
        return to(this.output.carryDefinition(goal.definition, 'it is new')!)
      case 'entry': {
        const { section, at } = this.copyEntry(goal.entry, reference.whose)
        return to(section.symbol, at)
      }
      case 'bytes': {
        const { section, at } = this.copyBytes(goal.extent, goal.whose)
        return to(section.symbol, at)
      }
      case 'atom': {
        const { atom, reason } = goal
        const symbol = this.carry(atom, reason, reference.whose)
        if (!bySection) return to(symbol!)
        const { section, at } = this.places.get(placeKey(atom))!
        return to(section.symbol, at)
      }
    }
  }
}

function placeKey({ section, start, end }: Extent): string {
  return `${section.index}:${start}:${end}`
}

/**
 * Why a function can't be cut out of a section that it shares. Of what leads from one function to another the assembler
 * says nothing there: it must all be seen, and reach further.
 */
function bindsToOthers(unit: SplitObject, atom: Atom): string[] {
  const short = unit.relocations(atom).some(({ type }) => type === relocationType.pc8)
  const why = short ? ['it has a short jump to one of them'] : []
  for (let at = atom.symbol?.value ?? atom.start; at < atom.end; ) {
    const instruction = decodeInstruction(atom.section.data, at)
    if (instruction === undefined || instruction.end > atom.end)
      return [...why, `the instruction at ${atom.name}+${at - atom.start} is unknown`]
    at = instruction.end
  }
  return why
}

/** The code that an alternative's second field leads to; undefined when there is none. */
function replacementOf(entry: TableEntry, target: Target): Extent | undefined {
  if (target.kind !== 'atom') return undefined
  const { section } = target.atom
  const start = target.atom.start + target.offset
  const end = start + replacementLength(entry)
  return end > section.size ? undefined : { section, start, end }
}

function addressOfNew(name: string, unit: string): Finding {
  return {
    severity: 'warning',
    rule: 'address-of-new-function',
    symbol: name,
    unit,
    message:
      `The patch stores or passes the address of the new function ${name}; if a timer, a work item or ` +
      'a table keeps it, it dangles after unload',
    hint: 'Undo in a callback (INARCH_PRE_UNPATCH) what the patched code has set up, or do not unload the patch',
  }
}
