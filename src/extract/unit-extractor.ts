// SPDX-License-Identifier: GPL-3.0-or-later
// Extracts what a change needs from one patched unit: a list of pending work, each piece of which may bring more along.
// Where a reference leads is decided by reference-decision.ts, what is carried is copied by atom-copier.ts.

import type { FunctionChange } from '../diff/apply-directives.ts'
import { isColdPart, sourceName } from '../diff/object/compiler-names.ts'
import type { Atom, Extent, Target } from '../diff/object/split-object.ts'
import { replacementLength, type TableEntry } from '../diff/object/tables.ts'
import { relocationSize, relocationType } from '../elf/format.ts'
import type { Relocation } from '../elf/read.ts'
import type { RelocationDraft, SymbolDraft } from '../elf/write.ts'
import type { Finding } from '../ground/finding.ts'
import { direct, isThroughTable } from '../x86/global-offset-table.ts'
import { AtomCopier, type CarriedItem, type PendingWork } from './atom-copier.ts'
import { ColdPartNames } from './cold-part-names.ts'
import type { GlobalDefinition, Refusal, UnitLookup } from './kernel-lookup.ts'
import type { CarriedPlace, ObjectBuilder, SectionBuilder } from './object-builder.ts'
import { type IndexedMessage, indexedMessages } from './printk-index.ts'
import { type CarriedReference, decideReference, report } from './reference-decision.ts'

/** What the units of one live patch share while they are extracted. */
export interface SharedOutput {
  readonly builder: ObjectBuilder
  readonly carried: CarriedItem[]
  readonly findings: Finding[]
  /** Carries what another unit defines. */
  carryDefinition(definition: GlobalDefinition, reason: string): SymbolDraft | undefined
}

export class UnitExtractor {
  private readonly lookup: UnitLookup
  private readonly output: SharedOutput
  private readonly copier: AtomCopier
  private readonly coldNames: ColdPartNames
  /** Messages of refusals; each is told once. */
  private readonly told = new Set<string>()
  private messages: ReadonlyMap<string, readonly IndexedMessage[]> | undefined
  /** Functions of which the messages are carried, by their names in the source. */
  private readonly withMessages = new Set<string>()
  /** Functions that are new and whose address the patch stores or passes, since the list was last empty. */
  private readonly addressesOfNew = new Set<Atom>()

  constructor(lookup: UnitLookup, output: SharedOutput) {
    this.lookup = lookup
    this.output = output
    this.copier = new AtomCopier(output.builder, lookup, output.carried, (refusal) => this.refuse(refusal))
    this.coldNames = new ColdPartNames(lookup, (atom) => this.copier.has(atom))
  }

  /** Carries a changed function; undefined when it can't be replaced (a finding says why). */
  root({ before, after }: FunctionChange): SymbolDraft | undefined {
    const { lookup } = this
    if (lookup.hasSymbol(before.name)) return this.copier.copyFunction(after)
    this.refuse({
      rule: 'not-in-kernel',
      symbol: before.name,
      message: `${before.name} changes, but ${lookup.object} has no such symbol`,
      hint: 'Check that the kernel is the one the source belongs to',
    })
    return undefined
  }

  /** Carries a new function or datum that another unit refers to. */
  carry(atom: Atom, reason: string): SymbolDraft | undefined {
    const { copier } = this
    if (copier.has(atom)) return copier.symbolOf(atom)
    if (atom.kind === 'function') {
      copier.tell(atom, reason)
      return copier.copyFunction(atom)
    }
    copier.copyData(atom, reason)
    return copier.symbolOf(atom)
  }

  /** Carries everything that the carried code needs. @returns true when there was something to do */
  drain(): boolean {
    const { pending } = this.copier
    const some = pending.length > 0
    // The list grows while it is worked on.
    for (let next = 0; next < pending.length; next++) this.work(pending[next]!)
    pending.length = 0
    for (const { name } of this.addressesOfNew) this.output.findings.push(addressOfNew(name, this.lookup.change.unit))
    this.addressesOfNew.clear()
    return some
  }

  private refuse(refusal: Refusal): void {
    if (this.told.has(refusal.message)) return
    this.told.add(refusal.message)
    const { rule, symbol, message, hint } = refusal
    const { unit } = this.lookup.change
    this.output.findings.push({ severity: 'error', rule, symbol, unit, message, hint })
  }

  private work(item: PendingWork): void {
    if (item.kind === 'references') this.follow(item.extent, item.place, item.whose)
    else if (item.kind === 'entry') this.copyEntry(item.entry, item.whose)
    else this.copyMessages(item.whose)
  }

  private follow(extent: Extent, { section, at }: CarriedPlace, whose: Atom): void {
    for (const relocation of this.lookup.change.after.relocations(extent)) {
      if (!this.isInside(relocation, extent, whose)) continue
      const offset = relocation.offset - extent.start + at
      const draft = this.relocationOf({ from: extent.section, relocation, whose }, offset)
      section.draft.relocations.push(
        isThroughTable(relocation.type) ? this.makeDirect(relocation, extent, section, draft) : draft,
      )
    }
  }

  /** A field that reaches over the end of what is carried can't be relocated there: something divides it. */
  private isInside({ offset, type }: Relocation, { section, end }: Extent, whose: Atom): boolean {
    if (offset + relocationSize(type) <= end) return true
    const { name } = whose
    this.refuse({
      rule: 'unknown-relocation',
      symbol: name,
      message: `A reference of ${name} lies across the end of what is carried of ${section.name}`,
      hint: report,
    })
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
      this.refuse({
        rule: 'unknown-relocation',
        symbol: section.name,
        message: `${section.name} refers to something through a global offset table, which a module does not have`,
        hint: 'Compile the unit as kbuild does, without -fPIC',
      })
      return draft
    }
    this.output.builder.rewrite(into, draft.offset - made.back, made.bytes)
    return { ...draft, offset: draft.offset + made.shift, type: relocationType.pc32 }
  }

  /** Appends a table's entry to the one table of that name. */
  private copyEntry(entry: TableEntry, whose: Atom): void {
    const { builder } = this.output
    const { table } = entry
    const extent = { section: table, start: entry.start, end: entry.end }
    const into = builder.openShared(table)
    const at = builder.append(into, extent)
    entry.relocations.forEach((relocation, nth) => {
      if (!this.isInside(relocation, extent, whose)) return
      const offset = relocation.offset - entry.start + at
      const target =
        table.name === '.altinstructions' && nth === 1 ? this.lookup.change.after.target(table, relocation) : undefined
      // objtool puts thunks there (until 5.14).
      if (target === undefined || target.kind === 'external') {
        into.draft.relocations.push(this.relocationOf({ from: table, relocation, whose }, offset))
        return
      }
      const replacement = replacementOf(entry, target)
      if (replacement === undefined) {
        this.refuse({
          rule: 'unreadable-table',
          symbol: whose.name,
          message: `An alternative of ${whose.name} can't be understood`,
          hint: report,
        })
        return
      }
      const place = this.copier.copyReplacement(replacement, whose)
      const { type } = relocation
      into.draft.relocations.push({ offset, type, symbol: place.section.symbol, addend: place.at })
    })
  }

  /** Carries the entries of the printk index about a function. */
  private copyMessages(whose: Atom): void {
    const { builder } = this.output
    this.messages ??= indexedMessages(this.lookup.change.after)
    const name = sourceName(whose.name)
    if (this.withMessages.has(name)) return
    this.withMessages.add(name)
    for (const { section, relocation } of this.messages.get(name) ?? []) {
      const into = builder.openShared(section)
      const { offset } = relocation
      const at = builder.append(into, { section, start: offset, end: offset + 8 })
      into.draft.relocations.push(this.relocationOf({ from: section, relocation, whose }, at))
    }
  }

  /** Makes a relocation of carried bytes lead to the right thing; `offset` is that of the new one. */
  private relocationOf(reference: CarriedReference, offset: number): RelocationDraft {
    const { type } = reference.relocation
    return { offset, type, ...this.destinationOf(reference) }
  }

  /** Decides about a reference, and does what is decided. */
  private destinationOf(reference: CarriedReference): Pick<RelocationDraft, 'symbol' | 'addend'> {
    const { copier } = this
    const { builder } = this.output
    const { refusals, outcome, addressOfNew } = decideReference(this.lookup, copier, reference)
    for (const refusal of refusals) this.refuse(refusal)
    if (addressOfNew !== undefined) this.addressesOfNew.add(addressOfNew)
    const into = ({ section, at }: CarriedPlace, distance: number) => ({
      symbol: section.symbol,
      addend: distance + at,
    })
    switch (outcome.kind) {
      case 'bind':
        if (outcome.key !== undefined) builder.refer(outcome.key)
        return { symbol: builder.refer(outcome.reference), addend: outcome.addend }
      case 'carry-definition': {
        const symbol = this.output.carryDefinition(outcome.definition, 'it is new')
        return { symbol: symbol!, addend: outcome.addend }
      }
      case 'carry-function': {
        const { atom, reason, to } = outcome
        if (reason !== undefined) copier.tell(atom, reason)
        const isCold = isColdPart(atom.name)
        const symbol = copier.copyFunction(atom, isCold ? this.coldNames.nameFor(atom, reference.whose) : atom.name)
        return 'addend' in to ? { symbol, ...to } : into(copier.placeOf(atom), to.distance)
      }
      case 'carry-data': {
        const { atom, reason, to } = outcome
        copier.copyData(atom, reason)
        return 'addend' in to ? { symbol: copier.symbolOf(atom)!, ...to } : into(copier.placeOf(atom), to.distance)
      }
      case 'carry-constant':
        return into(copier.copyConstant(outcome.atom, outcome.extent), outcome.distance)
      case 'lead-to-snippet':
        return into(outcome.place, outcome.distance)
    }
  }
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
