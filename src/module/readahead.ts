// SPDX-License-Identifier: GPL-3.0-or-later
// Reads what a live patch will need besides its objects while the compilers make these: the code of the rooms behind,
// the kernel's tables, the module's skeleton, and the bodies of what the changed functions call. Each is kept by
// whoever reads it, and asked for in the usual way when its time comes; so nothing depends on this but the time.
import type { Units } from '../build/kbuild/units.ts'
import type { FixFacts } from '../check/subject/fix-facts.ts'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Model } from '../kernel/model.ts'
import type { FileChange } from '../patch/patch.ts'

/**
 * Returns at once. What fails here fails again where it is needed, and is told there.
 */
export function readAhead(
  job: Job,
  kernel: Kernel,
  units: Units,
  changes: readonly FileChange[],
  facts: FixFacts,
  model: Model,
): void {
  const work = async () => {
    // Further compilers are started first.
    await new Promise((resolve) => setTimeout(resolve, 5))
    await Promise.all([import('./engines/draft.ts'), import('./engines/binary.ts'), import('./engines/audited.ts')])
    const { readTables } = await import('../match/names.ts')
    await facts.once(readTables, kernel)
    const { templateFor } = await import('./structures/template.ts')
    await facts.once(templateFor, units, job, kernel, model)
    // With a header among them, it takes the objects to know which units there are.
    if (changes.some(({ path }) => !path.endsWith('.c'))) return
    const [{ changedFunctionsOf }, { readCallees }] = await Promise.all([
      import('../check/subject/changed-functions.ts'),
      import('../check/semantics/memory/partial-initialization.ts'),
    ])
    readCallees(changedFunctionsOf({ changes, kernel, units: [], facts }))
  }
  work().catch(() => {})
}
