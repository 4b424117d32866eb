// SPDX-License-Identifier: GPL-3.0-or-later
// The first half of every use: patches in, and every unit that they touch compiled on both sides out.
import { compilePairs } from '../build/compile.ts'
import { refuseIfErrors } from '../check/consent.ts'
import { refusingLayouts } from '../check/refused-early.ts'
import { FixFacts } from '../check/subject/fix-facts.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { applyPatches } from '../patch/apply.ts'
import { nameOf } from './manifest/naming.ts'
import { changesNothing } from './manifest/output.ts'
import type { CompiledFix, MakeRequest } from './manifest/request.ts'
import { readAhead } from './readahead.ts'

/**
 * @param dir an empty directory; the objects live as long as it
 * @throws Fault `patch/*` when the patches do not apply or compile; `refused/*` when nothing can be compiled
 */
export async function compileFix(job: Job, kernel: Kernel, request: MakeRequest, dir: string): Promise<CompiledFix> {
  const { patches, strip, model = 'kernel' } = request
  const { changes, notes } = await applyPatches(kernel.source, patches, strip === undefined ? {} : { strip })
  for (const note of notes) job.journal.note(note)
  const facts = new FixFacts()
  const compiled = await compilePairs(
    job,
    kernel,
    changes,
    dir,
    (units) => readAhead(job, kernel, units, changes, facts, model),
    (bench, units) => refusingLayouts(job, bench, units),
  )
  const { pairs, findings, scope, bench } = compiled
  if (pairs.length === 0 || bench === undefined) {
    refuseIfErrors(kernel, findings)
    if (scope.considered > 0) throw changesNothing(findings)
    throw new Fault('refused', 'not-in-kernel', `Nothing that the patch changes is part of ${kernel.release}`, {
      findings,
    })
  }
  const name = nameOf(request.name, patches)
  return { request, kernel, name, dir, changes, facts, compiled: { ...compiled, bench } }
}
