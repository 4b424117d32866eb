// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch before it is made: which functions it would replace, what it would carry, to what that is bound in
// the running kernel, and all that there is to say against it.

import type { BuildTrees } from '../../build/compiler/compile-unit.ts'
import { openUnits } from '../../build/kbuild/units.ts'
import type { UnitPair } from '../../build/objects.ts'
import { checkFix } from '../../check/check.ts'
import { withConsent } from '../../check/consent.ts'
import { beyondOfReplaced, type FindBeyond } from '../../check/semantics/plain/replaced.ts'
import { changedFunctionsOf } from '../../check/subject/changed-functions.ts'
import type { StudiedUnit, Subject } from '../../check/subject/subject.ts'
import { withSynchronousCallbacks } from '../../check/subject/synchronous-callbacks.ts'
import type { Change } from '../../diff/change.ts'
import type { SymbolDraft } from '../../elf/write.ts'
import { type Extraction, extract } from '../../extract/extraction.ts'
import { withOwnExports } from '../../extract/own-exports.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { type KernelNames, kernelNames } from '../../match/names.ts'
import { compareUnit } from '../../source/change/unit-comparison.ts'
import { Binder, type Binding } from '../bind/bind.ts'
import { missingEndbr } from '../bind/ibt-endbr.ts'
import { explainMismatches } from '../bind/mismatch.ts'
import type { CompiledFix } from '../manifest/request.ts'
import type { PositionedFunction } from '../structures/tables.ts'

export interface Draft {
  readonly units: readonly StudiedUnit[]
  readonly names: KernelNames
  readonly extraction: Extraction
  readonly functions: readonly PositionedFunction[]
  readonly bindings: ReadonlyMap<SymbolDraft, Binding>
  /** About the files, the comparison, what is carried and bound. */
  readonly findings: readonly Finding[]
  /** What the safety rules say. */
  readonly review: readonly Finding[]
  /** What of a replaced function reaches beyond its call; undefined where there are no texts to compare. */
  readonly beyond: FindBeyond | undefined
}

/**
 * Compares the units of a fix, finds out what must be replaced and carried, and applies the safety rules. What it
 * finds is told, not thrown. The kernel's image stays open until `close`.
 */
export async function openDraft(
  job: Job,
  kernel: Kernel,
  { changes, facts, compiled: { pairs, findings, bench }, request, dir }: CompiledFix,
): Promise<Draft & { close(): void }> {
  const units = await study(job, kernel, pairs, bench)
  const names = await kernelNames(
    kernel,
    units.map(({ object }) => object),
  )
  try {
    const extraction = extract(units, {
      has: (object, symbol) => names.symbols(object, symbol).length > 0,
      isOnly: (object, symbol) => names.symbols(object, symbol).length === 1,
    })
    const { functions, bindings, findings: bindingFindings } = bindAll(extraction, names)
    const problems = [
      ...(await explainMismatches(job, kernel, names, bindingFindings)),
      ...missingEndbr(extraction, bindings, names),
    ]
    const subject: Subject | undefined = bench && {
      kernel,
      changes,
      units,
      facts,
      extraction,
      names,
      bench,
      dir,
    }
    const review = subject === undefined ? [] : await checkFix(job, subject)
    const said = (list: readonly Finding[]) => withConsent(list, new Set(request.allow))
    return {
      units,
      names,
      extraction,
      functions,
      bindings,
      findings: said([
        ...findings,
        ...withOwnExports(
          units.map(({ change }) => change),
          units.flatMap(({ change }) => change.findings),
        ),
        ...withSynchronousCallbacks(extraction.findings, { changes, kernel, units, facts }),
        ...problems,
      ]),
      review: said(review),
      beyond: subject && beyondOfReplaced(changedFunctionsOf(subject), review),
      close: () => names.close(),
    }
  } catch (error) {
    names.close()
    throw error
  }
}

/** True when the fix changes what the compiler makes of the unit. */
export function changesCode({ changed, added, addedData }: Change): boolean {
  return changed.length + added.length + addedData.length > 0
}

async function study(
  job: Job,
  kernel: Kernel,
  pairs: readonly UnitPair[],
  bench: BuildTrees | undefined,
): Promise<StudiedUnit[]> {
  const known = bench?.known ?? (await openUnits(job, kernel))
  return await Promise.all(
    pairs.map(async (pair) => {
      const { module, unit: source } = pair
      const unit = known.find(source).find(({ home }) => home !== 'elsewhere')
      if (unit === undefined)
        throw new Fault('refused', 'new-unit', `${source} is new, and kbuild does not know it`)
      return {
        unit,
        pair,
        change: await compareUnit(job, bench, unit, pair),
        object: module ?? 'vmlinux',
      }
    }),
  )
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
    if (sympos !== undefined)
      functions.push({ ...replaced, sympos, ...(match === undefined ? {} : { match }) })
  }
  return { functions, bindings, findings: binder.findings }
}
