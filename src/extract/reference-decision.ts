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
import { isTable, type TableEntry } from '../diff/object/tables.ts'
import { isThreadLocal, sectionFlag } from '../elf/format.ts'
import type { Relocation, Section } from '../elf/read.ts'
import { toldFirst } from '../ground/listed.ts'
import { ambiguousBorder } from './border.ts'
import {
  type GlobalDefinition,
  livingCounterpart,
  type Refusal,
  type Refuse,
  type UnitLookup,
} from './kernel-lookup.ts'
import type { Reference } from './object-builder.ts'
import { notTraceable } from './roots.ts'
import { isForShadow } from './shadow-constructors.ts'

/** A reference of bytes that are carried. */
export interface CarriedReference {
  readonly from: Section
  readonly relocation: Relocation
  /** What holds it, or what the code without a name or the table's entry that holds it serves. */
  readonly whose: Atom
}

/** What is carried already: it is not carried twice, and needs no reason. */
export interface CarriedSoFar {
  has(atom: Atom): boolean
  /** The carried replacement of an alternative that holds a byte of a section. */
  replacementAt(section: Section, offset: number): Extent | undefined
}

/** What a reference leads to in the live patch. */
export type Goal =
  /** Something of the running kernel. */
  | {
      readonly kind: 'kernel'
      readonly reference: Reference
      /** The key of a static call, which objtool finds by its name among the symbols. */
      readonly key?: Reference
    }
  /** What another changed unit defines and the running kernel does not have. */
  | { readonly kind: 'definition'; readonly definition: GlobalDefinition }
  | {
      readonly kind: 'atom'
      readonly atom: Atom
      /** Why it is carried, where that is told to a reviewer. */
      readonly reason: string | undefined
    }
  /** An entry of a table about code that is carried. */
  | { readonly kind: 'entry'; readonly entry: TableEntry }
  /** Nameless bytes. */
  | { readonly kind: 'bytes'; readonly extent: Extent; readonly whose: Atom }

interface Destination {
  readonly goal: Goal
  /** Bytes behind the goal's symbol; behind its first byte where the reference names only a place of a section. */
  readonly addend: number
  readonly bySection: boolean
  /** A new function whose address the patch stores or passes. */
  readonly addressOfNew?: Atom | undefined
}

/** What becomes of a reference, and what there is against it. */
export interface ReferenceDecision extends Destination {
  readonly refusals: readonly Refusal[]
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
  readonly refuse: Refuse
}

export function decideReference(
  lookup: UnitLookup,
  carried: CarriedSoFar,
  reference: CarriedReference,
): ReferenceDecision {
  const { from, relocation, whose } = reference
  const { symbol, addend, type } = relocation
  const refusals: Refusal[] = []
  const question: Question = {
    ...reference,
    lookup,
    carried,
    said: symbol.value + addend,
    bySection: symbol.type === 'section' || symbol.name.startsWith('.L'),
    refuse: (rule, symbol, message, hint = report) => refusals.push({ rule, symbol, message, hint }),
  }
  if (isThreadLocal(type))
    question.refuse(
      'unknown-relocation',
      whose.name,
      `${whose.name} uses the thread-local variable ${symbol.name || from.name}, which a kernel ` +
        `module can't reach`,
      'Use a per-CPU variable or a member of struct task_struct',
    )
  return { ...decide(question, lookup.change.after.target(from, relocation)), refusals }
}

function decide(question: Question, target: Target): Destination {
  const { lookup, relocation, whose, said } = question
  const { addend } = relocation
  switch (target.kind) {
    case 'external': {
      const definition = lookup.definitions.get(target.name)
      const goal = definition && definedElsewhere(question, definition)
      return { goal: goal ?? callable(lookup, target.name, undefined), addend, bySection: false }
    }
    case 'string': {
      const { start, atom, text } = target
      return toBytes({ section: atom.section, start, end: start + text.length }, atom, said)
    }
    case 'atom':
      if (target.atom.kind === 'constant') return decideConstant(question, target)
      return target.atom.kind === 'function' ? decideFunction(question, target) : decideData(question, target)
    case 'entry': {
      const { entry } = target
      return { goal: { kind: 'entry', entry }, addend: said - entry.start, bySection: true }
    }
    case 'absolute':
    case 'nowhere':
      question.refuse(
        'unknown-relocation',
        whose.name,
        `${whose.name} refers to something that can't be followed: ` +
          `${target.kind === 'nowhere' ? target.why : 'an absolute address'}`,
      )
      return toKernel(lookup.reference('', undefined), addend)
  }
}

function toKernel(reference: Reference, addend: number): Destination {
  return { goal: { kind: 'kernel', reference }, addend, bySection: false }
}

function toBytes(extent: Extent, whose: Atom, said: number): Destination {
  return { goal: { kind: 'bytes', extent, whose }, addend: said - extent.start, bySection: true }
}

/** A carried atom, to which a reference leads as it did before. */
function toAtom({ relocation, said, bySection }: Question, atom: Atom, reason: string | undefined): Destination {
  return { goal: { kind: 'atom', atom, reason }, addend: bySection ? said - atom.start : relocation.addend, bySection }
}

/** Something of the running kernel that may be the trampoline of a static call. */
function callable(lookup: UnitLookup, name: string, definition: Atom | undefined): Goal {
  const reference = lookup.reference(name, definition)
  if (!name.startsWith('__SCT__')) return { kind: 'kernel', reference }
  return { kind: 'kernel', reference, key: lookup.reference(`__SCK__${name.slice(7)}`, undefined, false) }
}

/** Something that another changed unit defines; undefined when the running kernel knows it best. */
function definedElsewhere({ lookup, refuse }: Question, definition: GlobalDefinition): Goal | undefined {
  const { atom, change, object } = definition
  const counterpart = livingCounterpart(change, atom)
  const within = object === lookup.object || object === 'vmlinux'
  if (counterpart === undefined) {
    if (within) return { kind: 'definition', definition }
    refuse(
      'across-modules',
      atom.name,
      `The new ${atom.name} belongs to the module ${object}, but ${lookup.change.unit} is part of ` +
        `${lookup.object}, which may run without it`,
      'Define it where it is used, too',
    )
    return undefined
  }
  if (!within || counterpart.symbol?.binding !== 'local') return undefined
  // It was private before the patch, so its name alone may mean another one.
  const { name } = counterpart
  const { unit } = change
  return { kind: 'kernel', reference: { name, from: object, unit, definition: counterpart, change, needed: true } }
}

/** Nameless bytes: they are carried, unless they are the kernel's own state or code. */
function decideConstant(question: Question, target: AtomTarget): Destination {
  const { lookup, carried, relocation, whose, said, refuse } = question
  const { atom, offset } = target
  const { symbol, addend } = relocation
  const replacement = carried.replacementAt(atom.section, atom.start + offset)
  if (replacement !== undefined) return toBytes(replacement, atom, said)
  const { name, flags } = atom.section
  const ownCode = isCode(atom.section) && !isOutOfLine(atom.section)
  if (ownCode && symbol.type !== 'section' && lookup.hasSymbol(symbol.name))
    return toKernel(lookup.reference(symbol.name, undefined), addend)
  if (ownCode || ((flags & sectionFlag.write) !== 0 && !isComplaint(atom.section)))
    refuse('unknown-relocation', whose.name, `${whose.name} refers to something without a name in the section ${name}`)
  if (symbol.type === 'section') checkBorder(question, target)
  return toBytes(lookup.change.after.extent(atom, offset), atom, said)
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

function decideFunction(question: Question, target: AtomTarget): Destination {
  const { lookup, carried, from, relocation, whose, said, refuse } = question
  const { atom } = target
  const { change, changed, embedded, added } = lookup
  const counterpart = livingCounterpart(change, atom)
  const entry = atom.symbol?.value ?? 0
  const cold = isColdPart(atom.name)
  const isCarried = changed.has(atom) || carried.has(atom) || cold
  let reason = isCarried ? undefined : reasonToCarry(question, atom)
  if (!isCarried && reason === undefined) {
    const name = counterpart?.name ?? atom.name
    if (target.offset !== entry - atom.start)
      refuse('into-function', whose.name, `${whose.name} refers to the middle of ${name}, which is not replaced`)
    return { goal: callable(lookup, name, counterpart), addend: said - entry, bySection: false }
  }
  const addressTaken = takesAddress(question, target)
  if (addressTaken && embedded.has(atom)) {
    const { rule, symbol, message, hint } = notTraceable(atom.name, change.unit, 'address-taken')
    refuse(rule, symbol, message, hint)
  }
  // A pointer may outlive the patch, and be compared with others: it means the function that runs now,
  // at whose entry the kernel chooses.
  if (addressTaken && counterpart !== undefined && changed.has(atom) && !embedded.has(atom))
    return toKernel(lookup.reference(counterpart.name, counterpart), said - entry)
  if (cold && !carried.has(atom))
    if (coldParent(atom.name) !== whose.name && !isColdPart(whose.name)) reason = `it is a part of ${whose.name}`
  const isKept = () => whose.section !== from || !isForShadow(change.after, whose, relocation)
  const addressOfNew = addressTaken && added.has(atom) && isKept() ? atom : undefined
  return { ...toAtom(question, atom, reason), addressOfNew }
}

function decideData(question: Question, target: AtomTarget): Destination {
  const { lookup, whose, said, bySection, refuse } = question
  const { atom } = target
  const { change, object } = lookup
  const counterpart = livingCounterpart(change, atom)
  const byContent = isIncidental(atom) || (isByContent(atom) && !lookup.isKept(atom))
  if (!byContent && counterpart === undefined && change.correlation.counterpartOf(atom) !== undefined)
    refuse(
      'freed-after-boot',
      atom.name,
      `${whose.name} uses ${atom.name}, which was freed when ` +
        `${object === 'vmlinux' ? 'the kernel' : object} had started`,
      'Keep what is needed of it in a variable of the patch',
    )
  if (bySection) checkBorder(question, target)
  if (byContent) return toAtom(question, atom, undefined)
  if (counterpart === undefined) {
    refuseAmbiguous(question, atom)
    return toAtom(question, atom, change.copied.has(atom) ? 'the patch asks for a copy of its own' : 'it is new')
  }
  for (const { name } of labelsIn(change.after, atom))
    refuse(
      'into-function',
      name,
      `${whose.name} uses ${atom.name}, in which the running kernel has the ` + `places of labels in its own ${name}`,
      'Make the table of labels constant (static const void *const)',
    )
  if (!lookup.hasSymbol(counterpart.name))
    refuse(
      'no-symbol',
      counterpart.name,
      `${whose.name} uses ${counterpart.name}, for which the kernel has no symbol`,
      'Avoid the variable in the patch, or reach it through a pointer that can be found',
    )
  return toKernel(lookup.reference(counterpart.name, counterpart), said - (atom.symbol?.value ?? 0))
}

function refuseAmbiguous({ lookup, refuse }: Question, atom: Atom): void {
  const choice = lookup.change.correlation.ambiguous.get(atom)
  if (choice === undefined) return
  const names = toldFirst(
    choice.map(({ name }) => name),
    ' or ',
  )
  refuse(
    'ambiguous-static',
    atom.name,
    `It can't be told whether the static variable ${atom.name} was ${names} before the patch, or is new`,
    'Give the variables names of their own in the patch, and take over what the old ones hold in ' +
      'a callback (INARCH_PRE_PATCH)',
  )
}

/** Refuses a reference by section that could mean another datum than the one to which it leads. */
function checkBorder({ lookup, from, relocation, whose, refuse }: Question, target: AtomTarget): void {
  const what = ambiguousBorder(lookup, target, from, relocation, whose)
  if (what === undefined) return
  const { name, section } = target.atom
  refuse(
    'ambiguous-reference',
    name,
    `${whose.name} refers to ${what}, which share the section ${section.name}: which is meant can't be told`,
    'Compile with -fdata-sections, as kbuild does for a live patch, or leave out the section ' +
      'attribute (such as __read_mostly)',
  )
}
