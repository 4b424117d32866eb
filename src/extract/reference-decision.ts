// SPDX-License-Identifier: GPL-3.0-or-later
// What becomes of each reference of carried code: what it leads to is carried with it, or bound to what the running
// kernel has; where neither is right, the patch is refused. A decision changes nothing: it is a value, and
// unit-extractor.ts does what it says.

import { labelsIn } from '../diff/mid-function-references.ts'
import { isByContent } from '../diff/object/by-content.ts'
import { coldParent, isColdPart } from '../diff/object/compiler-names.ts'
import { isIncidental } from '../diff/object/diagnostic-data.ts'
import { isComplaint } from '../diff/object/sanitizers.ts'
import { type Atom, type Extent, isCode, isOutOfLine, type Target } from '../diff/object/split-object.ts'
import { isTable } from '../diff/object/tables.ts'
import { isThreadLocal, sectionFlag } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import { toldFirst } from '../ground/listed.ts'
import { borderRefusal } from './border.ts'
import { type GlobalDefinition, livingCounterpart, type Refusal, type UnitLookup } from './kernel-lookup.ts'
import type { CarriedPlace, Reference } from './object-builder.ts'
import { notTraceable } from './roots.ts'
import { isForShadow } from './shadow-constructors.ts'

/** A reference of bytes that are carried. */
export interface CarriedReference {
  readonly from: Section
  readonly relocation: Relocation
  /** What holds it, or what the code without a name or the table's entry that holds it serves. */
  readonly whose: Atom
}

/** What is carried already. */
export interface CarriedSoFar {
  has(atom: Atom): boolean
  /** The carried replacement of an alternative that holds a byte of a section. */
  snippetAt(section: Section, offset: number): CarriedSnippet | undefined
}

export interface CarriedSnippet {
  readonly extent: Extent
  readonly place: CarriedPlace
}

/** Leads to a symbol of the running kernel, or of the live patch, `addend` bytes behind it. */
interface ToSymbol {
  readonly addend: number
}

/** Leads to bytes of the live patch, as far behind the first of them as before. */
interface IntoBytes {
  readonly distance: number
}

type Outcome =
  | ({
      readonly kind: 'bind'
      readonly reference: Reference
      /** The key of a static call, which objtool finds by its name among the symbols. */
      readonly key?: Reference
    } & ToSymbol)
  /** What another changed unit defines and the running kernel does not have. */
  | ({ readonly kind: 'carry-definition'; readonly definition: GlobalDefinition } & ToSymbol)
  | {
      readonly kind: 'carry-function'
      readonly atom: Atom
      /** Why it is carried, where that is not told otherwise. */
      readonly reason: string | undefined
      readonly to: ToSymbol | IntoBytes
    }
  | {
      readonly kind: 'carry-data'
      readonly atom: Atom
      /** Undefined for what serves other carried things only. */
      readonly reason: string | undefined
      readonly to: ToSymbol | IntoBytes
    }
  | ({ readonly kind: 'carry-constant'; readonly atom: Atom; readonly extent: Extent } & IntoBytes)
  | ({ readonly kind: 'lead-to-snippet'; readonly place: CarriedPlace } & IntoBytes)

export interface ReferenceDecision {
  readonly refusals: readonly Refusal[]
  readonly outcome: Outcome
  /** A new function whose address the patch stores or passes. */
  readonly addressOfNew?: Atom
}

export const report = 'Report this with the patch, the kernel version and the compiler'

type AtomTarget = Target & { readonly kind: 'atom' }

/** A reference while it is decided about, and all that is asked. */
interface Question extends CarriedReference {
  readonly lookup: UnitLookup
  readonly carried: CarriedSoFar
  /** Where the relocation leads in its section, without what the instruction adds. */
  readonly said: number
  /** True when the reference names a place of a section, and not what is there. */
  readonly bySection: boolean
}

/** @param carried what is carried already: it is not carried twice, and needs no reason */
export function decideReference(
  lookup: UnitLookup,
  carried: CarriedSoFar,
  reference: CarriedReference,
): ReferenceDecision {
  const { from, relocation, whose } = reference
  const { symbol, addend, type } = relocation
  const target = lookup.change.after.target(from, relocation)
  const question: Question = {
    ...reference,
    lookup,
    carried,
    said: symbol.value + addend,
    bySection: symbol.type === 'section' || symbol.name.startsWith('.L'),
  }
  const decision = decide(question, target)
  if (!isThreadLocal(type)) return decision
  return withRefusals(decision, {
    rule: 'unknown-relocation',
    symbol: whose.name,
    message:
      `${whose.name} uses the thread-local variable ${symbol.name || from.name}, which a kernel ` +
      `module can't reach`,
    hint: 'Use a per-CPU variable or a member of struct task_struct',
  })
}

/** The same with what is told before all else. */
function withRefusals(decision: ReferenceDecision, ...first: readonly (Refusal | undefined)[]): ReferenceDecision {
  const some = first.filter((one) => one !== undefined)
  return some.length === 0 ? decision : { ...decision, refusals: [...some, ...decision.refusals] }
}

function decide(question: Question, target: Target): ReferenceDecision {
  const { lookup, relocation, whose, said } = question
  const { addend } = relocation
  switch (target.kind) {
    case 'external': {
      const definition = lookup.definitions.get(target.name)
      const inUnit = definition && decideDefinition(lookup, definition, addend)
      if (inUnit?.outcome !== undefined) return { refusals: [], outcome: inUnit.outcome }
      return withRefusals(bindCallable(lookup, target.name, undefined, addend), inUnit?.refusal)
    }
    case 'string': {
      const { start, atom, text } = target
      const extent = { section: atom.section, start, end: start + text.length }
      return { refusals: [], outcome: { kind: 'carry-constant', atom, extent, distance: said - start } }
    }
    case 'atom':
      if (target.atom.kind === 'constant') return decideConstant(question, target)
      return target.atom.kind === 'function' ? decideFunction(question, target) : decideData(question, target)
    case 'absolute':
    case 'nowhere':
      return withRefusals(bind(lookup.reference('', undefined), addend), {
        rule: 'unknown-relocation',
        symbol: whose.name,
        message:
          `${whose.name} refers to something that can't be followed: ` +
          `${target.kind === 'nowhere' ? target.why : 'an absolute address'}`,
        hint: report,
      })
  }
}

function bind(reference: Reference, addend: number) {
  return { refusals: [], outcome: { kind: 'bind', reference, addend } } as const satisfies ReferenceDecision
}

/** Binds what may be the trampoline of a static call. */
function bindCallable(
  lookup: UnitLookup,
  name: string,
  definition: Atom | undefined,
  addend: number,
): ReferenceDecision {
  const { refusals, outcome } = bind(lookup.reference(name, definition), addend)
  if (!name.startsWith('__SCT__')) return { refusals, outcome }
  const key = lookup.reference(`__SCK__${name.slice(7)}`, undefined, false)
  return { refusals, outcome: { ...outcome, key } }
}

/** Something that another changed unit defines; neither outcome nor refusal when the running kernel knows it best. */
function decideDefinition(
  lookup: UnitLookup,
  definition: GlobalDefinition,
  addend: number,
): { readonly outcome?: Outcome; readonly refusal?: Refusal } {
  const { atom, change, object } = definition
  const counterpart = livingCounterpart(change, atom)
  const within = object === lookup.object || object === 'vmlinux'
  if (counterpart === undefined) {
    if (within) return { outcome: { kind: 'carry-definition', definition, addend } }
    return {
      refusal: {
        rule: 'across-modules',
        symbol: atom.name,
        message:
          `The new ${atom.name} belongs to the module ${object}, but ${lookup.change.unit} is part of ` +
          `${lookup.object}, which may run without it`,
        hint: 'Define it where it is used, too',
      },
    }
  }
  if (!within || counterpart.symbol?.binding !== 'local') return {}
  // It was private before the patch, so its name alone may mean another one.
  const { name } = counterpart
  const { unit } = change
  const reference = { name, from: object, unit, definition: counterpart, change, needed: true }
  return { outcome: { kind: 'bind', reference, addend } }
}

/** Nameless bytes: they are carried, unless they are the kernel's own state or code. */
function decideConstant(question: Question, target: AtomTarget): ReferenceDecision {
  const { lookup, carried, from, relocation, whose, said } = question
  const { atom, offset } = target
  const { symbol, addend } = relocation
  const snippet = carried.snippetAt(atom.section, atom.start + offset)
  if (snippet !== undefined) {
    const { place, extent } = snippet
    return { refusals: [], outcome: { kind: 'lead-to-snippet', place, distance: said - extent.start } }
  }
  const { name, flags } = atom.section
  const ownCode = isCode(atom.section) && !isOutOfLine(atom.section)
  if (ownCode && symbol.type !== 'section' && lookup.hasSymbol(symbol.name))
    return bind(lookup.reference(symbol.name, undefined), addend)
  const isKernels = ownCode || ((flags & sectionFlag.write) !== 0 && !isComplaint(atom.section))
  const nameless: Refusal = {
    rule: 'unknown-relocation',
    symbol: whose.name,
    message: `${whose.name} refers to something without a name in the section ${name}`,
    hint: report,
  }
  const extent = lookup.change.after.extent(atom, offset)
  return withRefusals(
    { refusals: [], outcome: { kind: 'carry-constant', atom, extent, distance: said - extent.start } },
    isKernels ? nameless : undefined,
    symbol.type === 'section' ? borderRefusal(lookup, target, from, relocation, whose) : undefined,
  )
}

/** True when the relocation takes a function's address, so that it may be kept and compared. */
function takesAddress({ lookup, from, relocation }: Question, { atom, offset }: AtomTarget): boolean {
  if (offset !== (atom.symbol?.value ?? atom.start) - atom.start) return false
  if (isTable(from)) return false
  return !isCode(from) || lookup.change.after.instructionAt(from, relocation.offset)?.branch !== relocation.offset
}

/** Why a function that does not change is carried all the same; undefined when the running kernel's is meant. */
function reasonToCarry({ lookup, whose }: Question, atom: Atom): string | undefined {
  const counterpart = livingCounterpart(lookup.change, atom)
  if (lookup.added.has(atom)) return 'it is new'
  if (lookup.change.correlation.counterpartOf(atom) !== counterpart)
    return 'the kernel has freed its own, which ran only while it started'
  if (counterpart === undefined) return 'it has no counterpart before the patch'
  if (!lookup.hasSymbol(counterpart.name)) return `${whose.name} calls it, and the kernel has no symbol for it`
  return undefined
}

function decideFunction(question: Question, target: AtomTarget): ReferenceDecision {
  const { lookup, carried, from, relocation, whose, said, bySection } = question
  const { atom } = target
  const { change, changed, embedded, added } = lookup
  const counterpart = livingCounterpart(change, atom)
  const entry = atom.symbol?.value ?? 0
  const cold = isColdPart(atom.name)
  const isCarried = changed.has(atom) || carried.has(atom) || cold
  let reason = isCarried ? undefined : reasonToCarry(question, atom)
  if (!isCarried && reason === undefined) {
    const name = counterpart?.name ?? atom.name
    const intoFunction: Refusal = {
      rule: 'into-function',
      symbol: whose.name,
      message: `${whose.name} refers to the middle of ${name}, which is not replaced`,
      hint: report,
    }
    return withRefusals(
      bindCallable(lookup, name, counterpart, said - entry),
      target.offset !== entry - atom.start ? intoFunction : undefined,
    )
  }
  const addressTaken = takesAddress(question, target)
  const refusals = addressTaken && embedded.has(atom) ? [notTraceable(atom.name, change.unit, 'address-taken')] : []
  const isKept = () => whose.section !== from || !isForShadow(change.after, whose, relocation)
  const rest = { refusals, ...(addressTaken && added.has(atom) && isKept() ? { addressOfNew: atom } : {}) }
  // A pointer may outlive the patch, and be compared with others: it means the function that runs now,
  // at whose entry the kernel chooses.
  if (addressTaken && counterpart !== undefined && changed.has(atom) && !embedded.has(atom))
    return { ...bind(lookup.reference(counterpart.name, counterpart), said - entry), ...rest }
  if (cold && !carried.has(atom))
    if (coldParent(atom.name) !== whose.name && !isColdPart(whose.name)) reason = `it is a part of ${whose.name}`
  const to = bySection ? { distance: said - atom.start } : { addend: relocation.addend }
  return { outcome: { kind: 'carry-function', atom, reason, to }, ...rest }
}

function decideData(question: Question, target: AtomTarget): ReferenceDecision {
  const { lookup, from, relocation, whose, said, bySection } = question
  const { atom } = target
  const { change, object } = lookup
  const counterpart = livingCounterpart(change, atom)
  const byContent = isIncidental(atom) || (isByContent(atom) && !lookup.isKept(atom))
  const refusals: (Refusal | undefined)[] = []
  if (!byContent && counterpart === undefined && change.correlation.counterpartOf(atom) !== undefined)
    refusals.push({
      rule: 'freed-after-boot',
      symbol: atom.name,
      message:
        `${whose.name} uses ${atom.name}, which was freed when ` +
        `${object === 'vmlinux' ? 'the kernel' : object} had started`,
      hint: 'Keep what is needed of it in a variable of the patch',
    })
  if (bySection) refusals.push(borderRefusal(lookup, target, from, relocation, whose))
  if (byContent || counterpart === undefined) {
    const reason = change.copied.has(atom) ? 'the patch asks for a copy of its own' : 'it is new'
    const to = bySection ? { distance: said - atom.start } : { addend: relocation.addend }
    const outcome = { kind: 'carry-data', atom, reason: byContent ? undefined : reason, to } as const
    return withRefusals({ refusals: [], outcome }, ...refusals, byContent ? undefined : ambiguity(lookup, atom))
  }
  for (const { name } of labelsIn(change.after, atom))
    refusals.push({
      rule: 'into-function',
      symbol: name,
      message:
        `${whose.name} uses ${atom.name}, in which the running kernel has the ` + `places of labels in its own ${name}`,
      hint: 'Make the table of labels constant (static const void *const)',
    })
  if (!lookup.hasSymbol(counterpart.name))
    refusals.push({
      rule: 'no-symbol',
      symbol: counterpart.name,
      message: `${whose.name} uses ${counterpart.name}, for which the kernel has no symbol`,
      hint: 'Avoid the variable in the patch, or reach it through a pointer that can be found',
    })
  const reference = lookup.reference(counterpart.name, counterpart)
  return withRefusals(bind(reference, said - (atom.symbol?.value ?? 0)), ...refusals)
}

function ambiguity({ change }: UnitLookup, atom: Atom): Refusal | undefined {
  const choice = change.correlation.ambiguous.get(atom)
  if (choice === undefined) return undefined
  const names = toldFirst(
    choice.map(({ name }) => name),
    ' or ',
  )
  return {
    rule: 'ambiguous-static',
    symbol: atom.name,
    message: `It can't be told whether the static variable ${atom.name} was ${names} before the patch, or is new`,
    hint:
      'Give the variables names of their own in the patch, and take over what the old ones hold in ' +
      'a callback (INARCH_PRE_PATCH)',
  }
}
