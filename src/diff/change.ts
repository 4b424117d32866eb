// SPDX-License-Identifier: GPL-3.0-or-later
// The Change between two objects: which functions and data differ, and why. Made in one place; every
// other room only reads it.
import type { ObjectFile } from '../elf/read.ts'
import type { Finding } from '../ground/finding.ts'
import { applyDirectives, type FunctionChange } from './apply-directives.ts'
import { Comparison, type ComparisonOptions } from './compare.ts'
import { type Correlation, correlate } from './correlation/correlate.ts'
import { type Directives, readDirectives } from './directives.ts'
import { lostState } from './lost-state.ts'
import { functionsEntering, labelsIn } from './mid-function-references.ts'
import { changedNameless, unclaimed } from './nameless-data.ts'
import { isByContent } from './object/by-content.ts'
import { isColdPart } from './object/compiler-names.ts'
import { isIncidental } from './object/diagnostic-data.ts'
import { isInitOrExit } from './object/init-sections.ts'
import { type Atom, type SplitObject, splitObject } from './object/split-object.ts'
import { doneOtherwise } from './once-flags.ts'
import { isOrdinaryData, removedRegistrations } from './registrations.ts'
import type { Declarations } from './statics/static-locals.ts'

export interface Change {
  /** The source's path, for findings. */
  readonly unit: string
  readonly before: SplitObject
  readonly after: SplitObject
  readonly correlation: Correlation
  readonly changed: readonly FunctionChange[]
  readonly added: readonly Atom[]
  readonly removed: readonly Atom[]
  readonly addedData: readonly Atom[]
  /** Existing data, after the patch, whose initial value or shape the patch changes. */
  readonly changedData: readonly Atom[]
  /** Constant tables local to a function that hold pointers and are as they were: somebody may know their address. */
  readonly keptTables: ReadonlySet<Atom>
  /** Other constants that a function names and that are as they were: it may have handed on their address, too. */
  readonly keptConstants: ReadonlySet<Atom>
  readonly findings: readonly Finding[]
  /** What the author says with the macros of kernel/include; the rest of the change is as the author wants it. */
  readonly directives: Directives
  /** Existing data of which the author wants a copy; they are without a counterpart, as new data are. */
  readonly copied: ReadonlySet<Atom>
  /** A number was taken for a change that more of the objects might have shown to be a line. */
  readonly doubtsLines: boolean
}

/**
 * Compares two objects of one translation unit, or of several that were linked relocatably.
 * @param unit what to call the unit in findings
 * @param options.linesMoved whether line numbers may differ without a change; not needed when the source
 *   was compiled with its old line numbers
 * @param declarations where the source declares the static variables, when somebody has looked
 */
export function compareObjects(
  before: ObjectFile,
  after: ObjectFile,
  unit: string,
  options: ComparisonOptions = { linesMoved: false },
  declarations?: Declarations,
): Change {
  const b = splitObject(before)
  const a = splitObject(after)
  const correlation = correlate(b, a, declarations)
  const compare = new Comparison(b, a, correlation, options)
  const findings: Finding[] = []
  const error = (rule: string, symbol: string, message: string, hint: string) =>
    findings.push({ severity: 'error', rule, symbol, unit, message, hint })

  for (const { section, why } of [...a.unreadableTables])
    error(
      'unreadable-table',
      section.name,
      `The table ${section.name} can't be understood: ${why}`,
      'Report this with the kernel version and the compiler',
    )

  const changed: FunctionChange[] = []
  const added: Atom[] = []
  const addedData: Atom[] = []
  const changedData: Atom[] = []
  const keptTables = new Set<Atom>()
  const keptConstants = new Set<Atom>()
  for (const atom of a.atoms) {
    const counterpart = correlation.counterpartOf(atom)
    if (atom.kind === 'function') {
      if (counterpart === undefined) {
        if (!isColdPart(atom.name)) added.push(atom)
      } else if (!isColdPart(atom.name)) {
        const reasons = compare.functionDifferences(counterpart, atom)
        if (reasons.length > 0) changed.push({ before: counterpart, after: atom, reasons })
      }
    } else if (atom.kind === 'data' && isByContent(atom)) {
      const kept = holdsPointers(a, atom) ? keptTables : unwritten.test(atom.name) ? undefined : keptConstants
      if (counterpart !== undefined && kept !== undefined)
        if (isByContent(counterpart) && compare.dataDifference(counterpart, atom) === undefined)
          if (labelsIn(a, atom).length === 0)
            // A table of labels belongs to the code that they are in.
            kept.add(atom)
    } else if (atom.kind === 'data' && !isIncidental(atom)) {
      if (counterpart === undefined) {
        if (correlation.ambiguous.has(atom)) continue
        addedData.push(atom)
        continue
      }
      const difference = compare.dataDifference(counterpart, atom)
      if (difference === undefined) continue
      changedData.push(atom)
      error(
        'data-changed',
        atom.name,
        `The patch changes the initial value or the shape of existing data (${atom.name}): ` +
          `${difference}; the running kernel's copy would keep its old value`,
        'Set the new value from a callback (INARCH_PRE_PATCH), keep new state in a shadow variable, or ' +
          'let the patched code have a copy of its own (INARCH_INCLUDE_SECTION)',
      )
    }
  }
  const pairedBefore = new Set(correlation.pairs.map((pair) => pair.before))
  const removed = b.functions.filter((atom) => !pairedBefore.has(atom) && !isColdPart(atom.name))
  // The compiler may merge functions that have become the same: then the name lives on as an alias.
  const aliased = new Map(a.functions.flatMap((atom) => atom.aliases.map(({ name }) => [name, atom])))
  for (const atom of removed) {
    const merged = aliased.get(atom.name)
    if (merged === undefined) continue
    const reasons = compare.functionDifferences(atom, merged)
    if (reasons.length > 0) changed.push({ before: atom, after: merged, reasons })
  }
  for (const [atom, into] of functionsEntering(
    a,
    changed.map(({ after: one }) => one),
  )) {
    const counterpart = correlation.counterpartOf(atom)
    if (atom === into || counterpart === undefined || isColdPart(atom.name)) continue
    const reason = `it gets into the middle of ${into.name}, which changes`
    changed.push({ before: counterpart, after: atom, reasons: [reason] })
  }
  for (const { name, of, kind } of dividedNames(b, a, correlation))
    if (kind === 'function')
      error(
        'merged-functions',
        of,
        `In the running kernel ${of} and ${name} are aliases of one function, of which the patch makes two`,
        'Make the same change to both, or fix the callers instead',
      )
    else
      error(
        'data-changed',
        name,
        `In the running kernel ${name} and ${of} are aliases of one variable, of which the patch makes two`,
        'Give what is new a name of its own',
      )
  for (const { after: atom } of changed)
    if (isInitOrExit(atom.section))
      error(
        'init-code',
        atom.name,
        `${atom.name} runs only while the kernel or the module starts or ends, so replacing it has no effect`,
        'Do what it should have done in a callback (INARCH_PRE_PATCH), and leave this part out ' +
          '(INARCH_IGNORE_FUNCTION)',
      )
  for (const atom of added)
    if (isInitOrExit(atom.section))
      error(
        'init-code',
        atom.name,
        `The new function ${atom.name} is meant to run while the kernel or the module starts or ends, ` +
          'which has happened',
        'Do this from a callback (INARCH_PRE_PATCH), or leave it out',
      )
  for (const atom of addedData)
    if (!isOrdinaryData(atom))
      error(
        'registration-added',
        atom.name,
        `The patch adds ${atom.name} to the section ${atom.section.name}, which the kernel reads only ` +
          'while it starts or loads the module',
        'Leave this part out (INARCH_IGNORE_SECTION): it is a new parameter, export, initcall, per-CPU ' +
          'variable or the like',
      )
  // Of an extract most of the registrations are missing.
  if (options.extract === undefined) findings.push(...removedRegistrations(b, correlation, unit))
  findings.push(...lostState(b, a, correlation, addedData, unit))
  findings.push(...doneOtherwise(b, a, correlation, changed, unit))
  for (const { name, difference } of changedNameless(b, a, compare))
    error(
      'section-changed',
      name,
      `The patch changes the section ${name}, which is not known to be safe: ${difference}`,
      'Leave this part out of the live patch',
    )
  // In an extract most of the unit is missing.
  if (options.extract === undefined)
    for (const atom of unclaimed(b, a, correlation, compare, [
      ...changed.map(({ after: atom }) => atom),
      ...added,
      ...addedData,
      ...changedData,
    ]))
      error(
        'section-changed',
        atom.name,
        'The patch changes ' +
          `${atom.symbol === undefined ? `constants in ${atom.name}` : `the constant ${atom.name}`}, ` +
          `and which function uses them can't be told`,
        'Compile both sides with -ffunction-sections and -fdata-sections, as live patches are, or leave this part out',
      )
  const differing = new Set(changed.map(({ after: atom }) => atom))
  for (const atom of compare.renumbered)
    if (!differing.has(atom))
      findings.push({
        severity: 'note',
        rule: 'line-numbers',
        symbol: atom.name,
        unit,
        message: `In ${atom.name} only line numbers differ, which is no change`,
      })
  const found = { unit, before: b, after: a, correlation, changed, findings }
  return {
    ...found,
    added,
    removed,
    addedData,
    changedData,
    keptTables,
    keptConstants,
    doubtsLines: compare.doubtsLines,
    ...applyDirectives(found, readDirectives(a, unit)),
  }
}

/** Names of one function or datum before the patch that mean something else than its successor after it. */
function dividedNames(before: SplitObject, after: SplitObject, { successorOf }: Correlation) {
  const several = before.atoms.filter(({ aliases }) => aliases.length > 0)
  if (several.length === 0) return []
  const namedAfter = new Map<string, Atom | undefined>()
  for (const atom of after.atoms)
    for (const { name } of atom.symbol === undefined ? [] : [atom.symbol, ...atom.aliases])
      namedAfter.set(name, namedAfter.has(name) ? undefined : atom)
  return several.flatMap((atom) =>
    atom.aliases.flatMap(({ name, size }) => {
      // Variables without a size, as keys of locks are without lockdep, share an address with whatever is next.
      if (atom.kind === 'data' && (size === 0 || atom.symbol?.size === 0)) return []
      const own = namedAfter.get(name)
      const isEntry = name === 'init_module' || name === 'cleanup_module'
      return own === undefined || own === successorOf(atom) || isEntry ? [] : [{ name, of: atom.name, kind: atom.kind }]
    }),
  )
}

/** A constant that the compiler named, or that only tells a name. */
const unwritten = /^(?:CSWTCH|switch\.table|__const|\.)|(?:^|\.)__(?:func|FUNCTION|PRETTY_FUNCTION|compound_literal)/

/** True for data with pointers to something other than strings, such as a table of operations. */
function holdsPointers(split: SplitObject, atom: Atom): boolean {
  return split.relocations(atom).some((relocation) => split.target(atom.section, relocation).kind !== 'string')
}
