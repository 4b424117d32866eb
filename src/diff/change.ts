// SPDX-License-Identifier: GPL-3.0-or-later
// The Change between two objects: which functions and data differ, and why. Made in one place; every
// other room only reads it.
import type { ObjectFile } from '../elf/read.ts'
import type { Finding } from '../ground/finding.ts'
import { obey, type Wanted } from './apply-directives.ts'
import { type ComparisonOptions, comparison } from './compare.ts'
import { type Correlation, correlate } from './correlation/correlate.ts'
import { readDirectives } from './directives.ts'
import { enteringMiddle, labelsIn } from './entered-midway.ts'
import { lostState } from './lost-state.ts'
import { changedNameless, unclaimed } from './nameless-data.ts'
import { isByContent } from './object/by-content.ts'
import { isColdPart } from './object/compiler-names.ts'
import { isIncidental } from './object/diagnostic-data.ts'
import { type Anatomy, anatomy, type Piece } from './object/split-object.ts'
import { doneOtherwise } from './once-flags.ts'
import { isOrdinaryData, removedRegistrations } from './registrations.ts'
import type { Declarations } from './statics/static-locals.ts'

export interface FunctionChange {
  readonly before: Piece
  readonly after: Piece
  /** Each says one difference, such as `it refers to "b" instead of "a"`. */
  readonly reasons: readonly string[]
}

export interface Change extends Wanted {
  /** The source's path, for findings. */
  readonly unit: string
  readonly before: Anatomy
  readonly after: Anatomy
  readonly correlation: Correlation
  readonly changed: readonly FunctionChange[]
  readonly added: readonly Piece[]
  readonly removed: readonly Piece[]
  readonly addedData: readonly Piece[]
  /** Existing data, after the patch, whose initial value or shape the patch changes. */
  readonly changedData: readonly Piece[]
  /** Constant tables local to a function that hold pointers and are as they were: somebody may know their address. */
  readonly keptTables: ReadonlySet<Piece>
  /** Other constants that a function names and that are as they were: it may have handed on their address, too. */
  readonly keptConstants: ReadonlySet<Piece>
  readonly findings: readonly Finding[]
  /** A number was taken for a change that more of the objects might have shown to be a line. */
  readonly doubtsLines: boolean
}

/** Data and code that exist only while the kernel or the module starts, or ends. */
function isInitOrExit(name: string): boolean {
  return /^\.(init|exit|meminit|cpuinit|devinit)/.test(name)
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
  const b = anatomy(before)
  const a = anatomy(after)
  const correlation = correlate(b, a, declarations)
  const compare = comparison(b, a, correlation, options)
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
  const added: Piece[] = []
  const addedData: Piece[] = []
  const changedData: Piece[] = []
  const keptTables = new Set<Piece>()
  const keptConstants = new Set<Piece>()
  for (const piece of a.pieces) {
    const counterpart = correlation.counterpartOf(piece)
    if (piece.kind === 'function') {
      if (counterpart === undefined) {
        if (!isColdPart(piece.name)) added.push(piece)
      } else if (!isColdPart(piece.name)) {
        const reasons = compare.functionDifferences(counterpart, piece)
        if (reasons.length > 0) changed.push({ before: counterpart, after: piece, reasons })
      }
    } else if (piece.kind === 'data' && isByContent(piece)) {
      const kept = holdsPointers(a, piece)
        ? keptTables
        : unwritten.test(piece.name)
          ? undefined
          : keptConstants
      if (counterpart !== undefined && kept !== undefined)
        if (isByContent(counterpart) && compare.dataDifference(counterpart, piece) === undefined)
          if (labelsIn(a, piece).length === 0)
            // A table of labels belongs to the code that they are in.
            kept.add(piece)
    } else if (piece.kind === 'data' && !isIncidental(piece)) {
      if (counterpart === undefined) {
        if (correlation.ambiguous.has(piece)) continue
        addedData.push(piece)
        continue
      }
      const difference = compare.dataDifference(counterpart, piece)
      if (difference === undefined) continue
      changedData.push(piece)
      error(
        'data-changed',
        piece.name,
        `The patch changes the initial value or the shape of existing data (${piece.name}): ${difference}; the running kernel's copy would keep its old value`,
        'Set the new value from a callback (INARCH_PRE_PATCH), keep new state in a shadow variable, or let the patched code have a copy of its own (INARCH_INCLUDE_SECTION)',
      )
    }
  }
  const pairedBefore = new Set(correlation.pairs.map((pair) => pair.before))
  const removed = b.functions.filter((piece) => !pairedBefore.has(piece) && !isColdPart(piece.name))
  // The compiler may merge functions that have become the same: then the name lives on as an alias.
  const aliased = new Map(a.functions.flatMap((piece) => piece.aliases.map(({ name }) => [name, piece])))
  for (const piece of removed) {
    const merged = aliased.get(piece.name)
    if (merged === undefined) continue
    const reasons = compare.functionDifferences(piece, merged)
    if (reasons.length > 0) changed.push({ before: piece, after: merged, reasons })
  }
  for (const [piece, into] of enteringMiddle(
    a,
    changed.map(({ after: one }) => one),
  )) {
    const counterpart = correlation.counterpartOf(piece)
    if (piece === into || counterpart === undefined || isColdPart(piece.name)) continue
    const reason = `it gets into the middle of ${into.name}, which changes`
    changed.push({ before: counterpart, after: piece, reasons: [reason] })
  }
  for (const { name, of, kind } of dividedNames(b, a, correlation))
    if (kind === 'function')
      error(
        'merged-functions',
        of,
        `In the running kernel ${of} and ${name} are one piece of code, of which the patch makes two`,
        'Make the same change to both, or fix the callers instead',
      )
    else
      error(
        'data-changed',
        name,
        `In the running kernel ${name} and ${of} are one variable, of which the patch makes two`,
        'Give what is new a name of its own',
      )
  for (const { after: piece } of changed)
    if (isInitOrExit(piece.section.name))
      error(
        'init-code',
        piece.name,
        `${piece.name} runs only while the kernel or the module starts or ends, so replacing it has no effect`,
        'Do what it should have done in a callback (INARCH_PRE_PATCH), and leave this part out (INARCH_IGNORE_FUNCTION)',
      )
  for (const piece of added)
    if (isInitOrExit(piece.section.name))
      error(
        'init-code',
        piece.name,
        `The new function ${piece.name} is meant to run while the kernel or the module starts or ends, which has happened`,
        'Do this from a callback (INARCH_PRE_PATCH), or leave it out',
      )
  for (const piece of addedData)
    if (!isOrdinaryData(piece))
      error(
        'registration-added',
        piece.name,
        `The patch adds ${piece.name} to the section ${piece.section.name}, which the kernel reads only while it starts or loads the module`,
        'Leave this part out (INARCH_IGNORE_SECTION): it is a new parameter, export, initcall, per-CPU variable or the like',
      )
  // Of an extract most of the registrations are missing.
  if (options.extract === undefined) findings.push(...removedRegistrations(b, correlation, unit))
  findings.push(...lostState(b, a, correlation, addedData, unit))
  findings.push(...doneOtherwise(b, a, correlation, changed, unit))
  for (const { name, difference } of changedNameless(b, a, compare.extentDifference))
    error(
      'section-changed',
      name,
      `The patch changes the section ${name}, which is not known to be safe: ${difference}`,
      'Leave this part out of the live patch',
    )
  // In an extract most of the unit is missing.
  if (options.extract === undefined)
    for (const piece of unclaimed(b, a, correlation, compare.extentDifference, [
      ...changed.map(({ after: piece }) => piece),
      ...added,
      ...addedData,
      ...changedData,
    ]))
      error(
        'section-changed',
        piece.name,
        `The patch changes ${piece.symbol === undefined ? `constants in ${piece.name}` : `the constant ${piece.name}`}, and which function uses them can't be told`,
        'Compile both sides with -ffunction-sections and -fdata-sections, as live patches are, or leave this part out',
      )
  const differing = new Set(changed.map(({ after: piece }) => piece))
  for (const piece of compare.renumbered)
    if (!differing.has(piece))
      findings.push({
        severity: 'note',
        rule: 'line-numbers',
        symbol: piece.name,
        unit,
        message: `In ${piece.name} only line numbers differ, which is no change`,
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
    ...obey(found, readDirectives(a, unit)),
  }
}

/** Names of one function or datum before the patch that mean something else than its successor after it. */
function dividedNames(before: Anatomy, after: Anatomy, { successorOf }: Correlation) {
  const several = before.pieces.filter(({ aliases }) => aliases.length > 0)
  if (several.length === 0) return []
  const namedAfter = new Map<string, Piece | undefined>()
  for (const piece of after.pieces)
    for (const { name } of piece.symbol === undefined ? [] : [piece.symbol, ...piece.aliases])
      namedAfter.set(name, namedAfter.has(name) ? undefined : piece)
  return several.flatMap((piece) =>
    piece.aliases.flatMap(({ name, size }) => {
      // Variables without a size, as keys of locks are without lockdep, share an address with whatever is next.
      if (piece.kind === 'data' && (size === 0 || piece.symbol?.size === 0)) return []
      const own = namedAfter.get(name)
      const isEntry = name === 'init_module' || name === 'cleanup_module'
      return own === undefined || own === successorOf(piece) || isEntry
        ? []
        : [{ name, of: piece.name, kind: piece.kind }]
    }),
  )
}

/** A constant that the compiler named, or that only tells a name. */
const unwritten =
  /^(?:CSWTCH|switch\.table|__const|\.)|(?:^|\.)__(?:func|FUNCTION|PRETTY_FUNCTION|compound_literal)/

/** True for data with pointers to something other than strings, such as a table of operations. */
function holdsPointers(anatomy: Anatomy, piece: Piece): boolean {
  return anatomy
    .relocations(piece)
    .some((relocation) => anatomy.target(piece.section, relocation).kind !== 'string')
}
