// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch before it is made. Both engines and the safety rules begin with the fix, its units compared, and the
// kernel's names; that both engines agree about these does not show that they are right. The draft says which functions
// would be replaced, what would be carried, to what that is bound in the running kernel, and all that there is to say
// against it.

import { checkFix } from '../../check/check.ts'
import { withConsent } from '../../check/consent.ts'
import { beyondOfReplaced, type FindBeyond } from '../../check/semantics/plain/replaced.ts'
import { changedFunctionsOf } from '../../check/subject/changed-functions.ts'
import type { Subject } from '../../check/subject/subject.ts'
import { withSynchronousCallbacks } from '../../check/subject/synchronous-callbacks.ts'
import type { Change } from '../../diff/change.ts'
import type { SymbolDraft } from '../../elf/write.ts'
import { type Extraction, extract } from '../../extract/extraction.ts'
import { withOwnExports } from '../../extract/own-exports.ts'
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import { replacesWithoutHook } from '../../kernel/model.ts'
import { exportersFor, type KernelNames, kernelNames, readTables } from '../../match/names.ts'
import { type ComparedUnit, compareUnit } from '../../source/change/unit-comparison.ts'
import { Binder, type Binding } from '../bind/bind.ts'
import { missingEndbr } from '../bind/ibt-endbr.ts'
import { explainMismatches } from '../bind/mismatch.ts'
import type { CompiledFix } from '../manifest/request.ts'
import type { PositionedFunction } from '../structures/tables.ts'

export interface StudiedFix extends CompiledFix {
  readonly units: readonly ComparedUnit[]
  readonly names: KernelNames
}

/**
 * The kernel's image stays open until `close`.
 * @throws Fault `refused/new-unit`
 */
export async function studyFix(job: Job, fix: CompiledFix): Promise<StudiedFix & { close(): void }> {
  const { kernel, facts } = fix
  const { pairs, bench } = fix.compiled
  const units = await Promise.all(pairs.map((pair) => compareUnit(job, bench, bench.known, pair)))
  const tables = facts.once(readTables, kernel)
  const inModules = units.flatMap(({ object, change }) => (object === 'vmlinux' ? [] : change.after.object))
  const objects = [...units.map(({ object }) => object), ...exportersFor(await tables, inModules)]
  const names = await kernelNames(kernel, objects, tables)
  return { ...fix, units, names, close: () => names.close() }
}

export interface Draft {
  readonly extraction: Extraction
  readonly functions: readonly PositionedFunction[]
  readonly bindings: ReadonlyMap<SymbolDraft, Binding>
  /** About the files, the comparison, what is carried and bound. */
  readonly findings: readonly Finding[]
  /** What the safety rules say. */
  readonly review: readonly Finding[]
  /** What of a replaced function reaches beyond its call. */
  readonly beyond: FindBeyond
}

/**
 * Finds out what must be replaced and carried, binds it, and applies the safety rules. What it finds is told, not
 * thrown.
 */
export async function draftOf(job: Job, fix: StudiedFix): Promise<Draft> {
  const { kernel, units, names, changes, facts, dir, request, compiled } = fix
  const { model = 'kernel' } = request
  const extraction = extract(units, {
    has: (object, symbol) => names.symbols(object, symbol).length > 0,
    isOnly: (object, symbol) => names.symbols(object, symbol).length === 1,
    needsHooks: !replacesWithoutHook(model),
  })
  const { functions, bindings, findings } = bindAll(extraction, names)
  const problems = [
    ...(await explainMismatches(job, kernel, names, findings)),
    ...missingEndbr({ ...extraction, bindings }, names),
  ]
  const subject: Subject = { kernel, model, changes, units, facts, extraction, names, bench: compiled.bench, dir }
  const review = await checkFix(job, subject)
  const said = (list: readonly Finding[]) => withConsent(list, new Set(request.allow))
  return {
    extraction,
    functions,
    bindings,
    findings: said([
      ...compiled.findings,
      ...withOwnExports(
        units.map(({ change }) => change),
        units.flatMap(({ change }) => change.findings),
      ),
      ...withSynchronousCallbacks(extraction.findings, subject),
      ...problems,
    ]),
    review: said(review.findings),
    beyond: beyondOfReplaced(changedFunctionsOf(subject), review.warned),
  }
}

/** True when the fix changes what the compiler makes of the unit. */
export function changesCode({ changed, added, addedData }: Change): boolean {
  return changed.length + added.length + addedData.length > 0
}

function bindAll(extraction: Extraction, names: KernelNames) {
  const binder = new Binder(names)
  const bindings = new Map<SymbolDraft, Binding>()
  for (const [symbol, reference] of extraction.references) {
    const binding = binder.bind(reference)
    if (binding !== undefined) bindings.set(symbol, binding)
  }
  const functions: PositionedFunction[] = []
  for (const replaced of extraction.replaced) {
    const sympos = binder.replacement(replaced.object, replaced.before, replaced.change)
    const match = binder.recordOf(replaced.before)
    if (sympos !== undefined) functions.push({ ...replaced, sympos, ...(match === undefined ? {} : { match }) })
  }
  return { functions, bindings, findings: binder.findings }
}
