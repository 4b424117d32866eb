// SPDX-License-Identifier: GPL-3.0-or-later
// What two objects alone tell, without a kernel: what changed between them, and the object that carries the
// change. Here the object before the patch stands for the kernel.

import { type Change, compareObjects } from '../../diff/change.ts'
import type { CallbackKind } from '../../diff/directives.ts'
import { isInitOrExit } from '../../diff/object/init-sections.ts'
import type { Atom } from '../../diff/object/split-object.ts'
import { differingParts } from '../../diff/quick/differing-parts.ts'
import type { FileBytes } from '../../elf/open.ts'
import { type ObjectFile, readObject } from '../../elf/read.ts'
import type { ObjectDraft } from '../../elf/write.ts'
import type { Finding } from '../../ground/finding.ts'
import { lazy } from '../../ground/values/remembered.ts'
import { type CarriedItem, extract } from '../extraction.ts'
import { isTraced } from '../roots.ts'

/** Something that has a name and a place in one of the objects. */
export interface Named {
  readonly name: string
  /** The section that it is in; in the object before the patch for what is removed. */
  readonly section: string
}

/** What `inarch diff --json` prints. Fields are only ever added. */
export interface PairReport {
  /** Functions that do something else now. */
  readonly changed: readonly (Named & { readonly reasons: readonly string[] })[]
  readonly added: readonly Named[]
  readonly removed: readonly Named[]
  readonly data: readonly (Named & { readonly change: 'added' | 'changed' })[]
  readonly callbacks: readonly (Named & { readonly kind: CallbackKind })[]
  readonly findings: readonly Finding[]
  readonly outcome: 'change' | 'none' | 'refused'
}

export interface ComparedPair {
  readonly report: PairReport
  /** The smallest object that carries the change; what it takes from the kernel is undefined in it. */
  readonly draft: ObjectDraft
  /** What is in it and why. */
  readonly carried: readonly CarriedItem[]
  /** Names of the functions that it replaces. */
  readonly replaced: readonly string[]
  /** A number was taken for a change that more of the objects might have shown to be a line. */
  readonly doubtsLines: boolean
}

/**
 * What `inarch diff` says about two objects.
 * @throws Fault `patch/bad-object`
 */
export function reportPair(before: FileBytes, after: FileBytes): PairReport {
  const quick = quickReport(before, after)
  if (quick !== undefined) return quick
  const [b, a] = [before, after].map(({ bytes, name }) => readObject(bytes, name)) as [ObjectFile, ObjectFile]
  return comparePair(b, a, after.name).report
}

/**
 * The same from the part of the objects that differs; mostly nearly all of them is the same, and is not even read.
 * @returns undefined when that is not sure to be all that there is to say
 * @throws Fault `patch/bad-object`
 */
export function quickReport(before: FileBytes, after: FileBytes): PairReport | undefined {
  const part = differingParts(before, after)
  const found = part && comparePair(part.before, part.after, after.name)
  return found !== undefined && isPlain(found) ? found.report : undefined
}

/** True when nothing was found of which the rest of the objects could say more. */
function isPlain({ report, replaced, doubtsLines }: ComparedPair): boolean {
  const { findings, callbacks, changed } = report
  const names = new Set(replaced)
  return (
    findings.every(({ severity, rule }) => severity === 'note' || rule === 'init-code') &&
    callbacks.length === 0 &&
    !doubtsLines &&
    // One that is refused for where it is needs nobody else.
    changed.every(({ name, section }) => names.has(name) || isInitOrExit({ name: section }))
  )
}

/** @param unit what to call the pair in findings */
export function comparePair(before: ObjectFile, after: ObjectFile, unit: string): ComparedPair {
  const change = compareObjects(before, after, unit, { linesMoved: true })
  const judgesHooks = isTraced(change.before)
  const defined = lazy(() => new Set(before.symbols.filter(isDefined).map((symbol) => symbol.name)))
  const has = (_: string, name: string) => defined().has(name)
  const extraction = extract([{ change, object: unit }], { has, judgesHooks })
  const { draft, carried } = extraction
  const findings = [...change.findings, ...extraction.findings, ...leftOut(change, carried)]
  const report = reportOf(change, findings)
  const replaced = extraction.replaced.map(({ before: { name } }) => name)
  return { report, draft, carried, replaced, doubtsLines: change.doubtsLines }
}

/** New functions for other units, which nothing that is carried calls. */
function leftOut({ added, directives, unit }: Change, carried: readonly { readonly name: string }[]): Finding[] {
  const known = new Set([...carried.map(({ name }) => name), ...directives.callbacks.map(({ atom }) => atom.name)])
  return added
    .filter((atom) => atom.symbol?.binding !== 'local' && !known.has(atom.name) && !isInitOrExit(atom.section))
    .map(
      ({ name }): Finding => ({
        severity: 'warning',
        rule: 'new-function-left-out',
        symbol: name,
        unit,
        message:
          `The new function ${name} is called by nothing that changes here, so it is left out; who ` +
          'calls it from another unit would not find it',
        hint: 'Give all units of the change to `inarch build`, which carries it for the others',
      }),
    )
}

function isDefined({ place }: { readonly place: string }): boolean {
  return place === 'section' || place === 'absolute'
}

function reportOf(change: Change, findings: readonly Finding[]): PairReport {
  const named = ({ name, section }: Atom): Named => ({ name, section: section.name })
  const { changed, added, removed, addedData, changedData } = change
  const { callbacks } = change.directives
  const refused = findings.some(({ severity }) => severity === 'error')
  const some = changed.length + callbacks.length > 0
  return {
    changed: changed.map(({ after, reasons }) => ({ ...named(after), reasons })),
    added: added.map(named),
    removed: removed.map(named),
    data: [
      ...addedData.map((atom) => ({ ...named(atom), change: 'added' as const })),
      ...changedData.map((atom) => ({ ...named(atom), change: 'changed' as const })),
    ],
    callbacks: callbacks.map(({ kind, atom }) => ({ ...named(atom), kind })),
    findings,
    outcome: refused ? 'refused' : some ? 'change' : 'none',
  }
}
