// SPDX-License-Identifier: GPL-3.0-or-later
// Where the references of carried code lead: to what is carried with it, or to what the running kernel has. Asking
// for a thing that has to be carried is what brings it along.

import type { Change } from '../diff/change.ts'
import { labelsIn } from '../diff/mid-function-references.ts'
import { isByContent } from '../diff/object/by-content.ts'
import { coldParent, isColdPart } from '../diff/object/compiler-names.ts'
import { isIncidental } from '../diff/object/diagnostic-data.ts'
import { isInitOrExit } from '../diff/object/init-sections.ts'
import { isComplaint } from '../diff/object/sanitizers.ts'
import { type Atom, isCode, isOutOfLine, type Target } from '../diff/object/split-object.ts'
import { isTable } from '../diff/object/tables.ts'
import { isThreadLocal, sectionFlag } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import type { RelocationDraft, SymbolDraft } from '../elf/write.ts'
import { toldFirst } from '../ground/listed.ts'
import { type AtomCopier, type Convert, report } from './atom-copier.ts'
import { borderGuard } from './border.ts'
import type { CarriedPlace } from './object-builder.ts'
import type { Roots } from './roots.ts'
import { isForShadow } from './shadow-constructors.ts'
import type { UnitExtraction } from './unit-extraction.ts'

/** A global definition of one of the changed units, for the others. */
export interface GlobalDefinition {
  readonly atom: Atom
  readonly object: string
  readonly change: Change
  carry(atom: Atom, reason: string): SymbolDraft | undefined
}

/** What the linkage asks about the world around the unit. */
export interface UnitLookup {
  readonly roots: Roots
  /** Global definitions of all changed units, by name. */
  readonly peers: ReadonlyMap<string, GlobalDefinition>
  /** True when the unit's kernel object has a symbol of this name. */
  hasSymbol(name: string): boolean
}

export interface References {
  readonly convert: Convert
  /** Functions that are new and whose address was handed on since this was asked last. */
  takeHandedOn(): readonly Atom[]
}

export function referencesOf(
  cutting: UnitExtraction,
  { roots, peers, hasSymbol }: UnitLookup,
  cargo: () => AtomCopier,
): References {
  const { workshop, change, object, error } = cutting
  const { after, correlation, unit } = change
  const changedAtoms = new Set([...roots.replaced, ...roots.embedded].map(({ after: atom }) => atom))
  const embedded = new Set(roots.embedded.map(({ after: atom }) => atom))
  const added = new Set(change.added)
  const { ambiguous } = correlation
  const addressOfNew = new Set<Atom>()

  const guardBorder = borderGuard(cutting)

  /** objtool finds the key of a static call by its name among the symbols. */
  const referKeyOf = (name: string) => {
    if (name.startsWith('__SCT__')) cargo().refer(`__SCK__${name.slice(7)}`, undefined, false)
  }

  /** Names of functions that use the cold part of one which stays behind. */
  const adopters = new Map<Atom, string>()
  /**
   * objtool wants to find the function that a cold part belongs to by its name.
   * @param whose what uses it @returns another name, when its own function is not carried
   */
  const adopt = (cold: Atom, whose: Atom): string | undefined => {
    const parent = coldParent(cold.name)
    const adopter = adopters.get(whose) ?? coldParent(whose.name)
    const own = after.functions.find(({ name, file }) => name === parent && file === cold.file)
    if (adopter === parent || (own !== undefined && isCarried(own))) return undefined
    adopters.set(cold, adopter)
    const taken = new Set([...after.functions.map(({ name }) => name), ...coldNames])
    let number = 1
    while (taken.has(`${adopter}.cold.${number}`)) number++
    const name = `${adopter}.cold.${number}`
    coldNames.add(name)
    return name
  }
  const coldNames = new Set<string>()
  const isCarried = (atom: Atom) =>
    changedAtoms.has(atom) || added.has(atom) || cargo().symbolOf(atom) !== undefined

  /** A relocation of carried bytes, so that it leads to the right thing. */
  const convert = (
    from: Section,
    relocation: Relocation,
    offset: number,
    whose: Atom | undefined,
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
    if (isThreadLocal(type))
      error(
        'unknown-relocation',
        whose?.name ?? from.name,
        `${whose?.name ?? from.name} uses the thread-local variable ${symbol.name || from.name}, which ` +
          `a kernel module can't reach`,
        'Use a per-CPU variable or a member of struct task_struct',
      )
    switch (target.kind) {
      case 'external': {
        const peer = peers.get(target.name)
        const draft = peer === undefined ? undefined : referToPeer(peer)
        if (draft === undefined) referKeyOf(target.name)
        return to(draft ?? cargo().refer(target.name, undefined), relocation.addend)
      }
      case 'string': {
        const { start } = target
        const extent = { section: target.atom.section, start, end: start + target.text.length }
        const place = cargo().carryConstant(target.atom, extent)
        return to(place.growing.symbol, symbol.value + relocation.addend - start + place.at)
      }
      case 'atom':
        return convertToAtom(target, from, relocation, to, whose)
      case 'absolute':
      case 'nowhere':
        error(
          'unknown-relocation',
          whose?.name ?? from.name,
          `${whose?.name ?? from.name} refers to something that can't be followed: ` +
            `${target.kind === 'nowhere' ? target.why : 'an absolute address'}`,
          report,
        )
        return to(cargo().refer('', undefined), relocation.addend)
    }
  }

  /** What the running kernel has of an atom; undefined also for what it has freed. */
  const livingCounterpart = ({ correlation: pairs }: Change, atom: Atom): Atom | undefined => {
    const counterpart = pairs.counterpartOf(atom)
    return counterpart === undefined || isInitOrExit(counterpart.section) ? undefined : counterpart
  }

  /** Something that another changed unit defines; undefined when the running kernel knows it best. */
  const referToPeer = (peer: GlobalDefinition): SymbolDraft | undefined => {
    const { atom } = peer
    const counterpart = livingCounterpart(peer.change, atom)
    const within = peer.object === object || peer.object === 'vmlinux'
    if (counterpart === undefined) {
      if (within) return peer.carry(atom, 'it is new')
      error(
        'across-modules',
        atom.name,
        `The new ${atom.name} belongs to the module ${peer.object}, but ${unit} is part of ${object}, ` +
          'which may run without it',
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
    target: Extract<Target, { kind: 'atom' }>,
    from: Section,
    relocation: Relocation,
    to: (draft: SymbolDraft, addend: number) => RelocationDraft,
    whose: Atom | undefined,
  ): RelocationDraft => {
    const { atom } = target
    const { symbol } = relocation
    const said = symbol.value + relocation.addend
    const at = atom.start + target.offset
    const snippet = cargo().snippetAt(atom.section, at)
    if (snippet !== undefined)
      return to(snippet.place.growing.symbol, said - snippet.extent.start + snippet.place.at)
    const { name, flags } = atom.section
    const ownCode = isCode(atom.section) && !isOutOfLine(atom.section)
    if (ownCode && symbol.type !== 'section' && hasSymbol(symbol.name))
      return to(cargo().refer(symbol.name, undefined), relocation.addend)
    if (ownCode || ((flags & sectionFlag.write) !== 0 && !isComplaint(atom.section)))
      error(
        'unknown-relocation',
        whose?.name ?? name,
        `${whose?.name ?? 'Carried code'} refers to something without a name in the section ${name}`,
        report,
      )
    if (symbol.type === 'section' && whose !== undefined) guardBorder(target, from, relocation, whose)
    const extent = after.extent(atom, target.offset)
    const place = cargo().carryConstant(atom, extent)
    return to(place.growing.symbol, said - extent.start + place.at)
  }

  /** True when the relocation takes a function's address, so that it may be kept and compared. */
  const takesAddress = (
    from: Section,
    relocation: Relocation,
    target: Target & { kind: 'atom' },
  ): boolean => {
    const { atom } = target
    if (target.offset !== (atom.symbol?.value ?? atom.start) - atom.start) return false
    if (isTable(from)) return false
    return !isCode(from) || after.instructionAt(from, relocation.offset)?.branch !== relocation.offset
  }

  const convertToAtom = (
    target: Extract<Target, { kind: 'atom' }>,
    from: Section,
    relocation: Relocation,
    to: (draft: SymbolDraft, addend: number) => RelocationDraft,
    whose: Atom | undefined,
  ): RelocationDraft => {
    const { atom } = target
    const { symbol } = relocation
    const said = symbol.value + relocation.addend
    if (atom.kind === 'constant') return convertToConstant(target, from, relocation, to, whose)
    const bySection = symbol.type === 'section' || symbol.name.startsWith('.L')
    const inside = (draft: SymbolDraft, place: CarriedPlace): RelocationDraft =>
      bySection ? to(place.growing.symbol, said - atom.start + place.at) : to(draft, relocation.addend)
    const counterpart = livingCounterpart(change, atom)
    if (atom.kind === 'function') {
      const cold = isColdPart(atom.name)
      let carry = changedAtoms.has(atom) || cargo().symbolOf(atom) !== undefined || cold
      if (!carry) {
        let reason: string | undefined
        if (added.has(atom)) reason = 'it is new'
        else if (correlation.counterpartOf(atom) !== counterpart)
          reason = 'the kernel has freed its own, which ran only while it started'
        else if (counterpart === undefined) reason = 'it has no counterpart before the patch'
        else if (!hasSymbol(counterpart.name))
          reason = `${whose?.name ?? 'carried code'} calls it, and the kernel has no symbol for it`
        if (reason !== undefined) {
          carry = true
          cargo().tell(atom, reason)
        }
      }
      const addressTaken = carry && takesAddress(from, relocation, target)
      if (addressTaken && embedded.has(atom))
        error(
          'not-traceable',
          atom.name,
          `${atom.name} changes, but it has no ftrace entry, and its address is handed on, so it can't be replaced`,
          'Fix the bug in its callers instead',
        )
      if (addressTaken && added.has(atom))
        if (whose?.section !== from || !isForShadow(after, whose, relocation)) addressOfNew.add(atom)
      // A pointer may outlive the patch, and be compared with others: it means the function that runs now,
      // at whose entry the kernel chooses.
      if (addressTaken && counterpart !== undefined && changedAtoms.has(atom) && !embedded.has(atom))
        return to(cargo().refer(counterpart.name, counterpart), said - (atom.symbol?.value ?? 0))
      if (carry) {
        if (cold && cargo().symbolOf(atom) === undefined && whose !== undefined)
          if (coldParent(atom.name) !== whose.name && !isColdPart(whose.name))
            cargo().tell(atom, `it is a part of ${whose.name}`)
        const draft = cargo().carryFunction(
          atom,
          cold && whose !== undefined ? adopt(atom, whose) : undefined,
        )
        const place = cargo().placeOf(atom)
        if (place !== undefined) return inside(draft, place)
      }
      const name = counterpart?.name ?? atom.name
      if (target.offset !== (atom.symbol?.value ?? 0) - atom.start)
        error(
          'into-function',
          whose?.name ?? name,
          `${whose?.name ?? 'Carried code'} refers to the middle of ${name}, which is not replaced`,
          report,
        )
      referKeyOf(name)
      return to(cargo().refer(name, counterpart), said - (atom.symbol?.value ?? 0))
    }
    const byContent = isIncidental(atom) || (isByContent(atom) && !cutting.isKept(atom))
    if (!byContent && counterpart === undefined && correlation.counterpartOf(atom) !== undefined)
      error(
        'freed-after-boot',
        atom.name,
        `${whose?.name ?? 'Carried code'} uses ${atom.name}, which was freed when ` +
          `${object === 'vmlinux' ? 'the kernel' : object} had started`,
        'Keep what is needed of it in a variable of the patch',
      )
    if (bySection && whose !== undefined) guardBorder(target, from, relocation, whose)
    if (!byContent && counterpart !== undefined)
      for (const { name } of labelsIn(after, atom))
        error(
          'into-function',
          name,
          `${whose?.name ?? 'Carried code'} uses ${atom.name}, in which the running kernel has the ` +
            `places of labels in its own ${name}`,
          'Make the table of labels constant (static const void *const)',
        )
    if (byContent || counterpart === undefined) {
      const choice = byContent ? undefined : ambiguous.get(atom)
      if (choice !== undefined) {
        const names = toldFirst(
          choice.map(({ name }) => name),
          ' or ',
        )
        error(
          'ambiguous-static',
          atom.name,
          `It can't be told whether the static variable ${atom.name} was ${names} before the patch, or is new`,
          'Give the variables names of their own in the patch, and take over what the old ones hold in ' +
            'a callback (INARCH_PRE_PATCH)',
        )
      }
      const reason = change.copied.has(atom) ? 'the patch asks for a copy of its own' : 'it is new'
      const place = cargo().carryData(atom, byContent ? undefined : reason)
      const draft = cargo().symbolOf(atom)
      return draft === undefined
        ? to(place.growing.symbol, said - atom.start + place.at)
        : inside(draft, place)
    }
    if (!hasSymbol(counterpart.name))
      error(
        'no-symbol',
        counterpart.name,
        `${whose?.name ?? 'Carried code'} uses ${counterpart.name}, for which the kernel has no symbol`,
        'Avoid the variable in the patch, or reach it through a pointer that can be found',
      )
    return to(cargo().refer(counterpart.name, counterpart), said - (atom.symbol?.value ?? 0))
  }

  return {
    convert,
    takeHandedOn() {
      const handedOn = [...addressOfNew]
      addressOfNew.clear()
      return handedOn
    },
  }
}
