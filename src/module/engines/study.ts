// SPDX-License-Identifier: GPL-3.0-or-later
// What both engines and the safety rules begin with: the fix with its units compared, and the kernel's names. What is
// told here is shared, so that both engines agree about it does not show that it is right.
import { openUnits } from '../../build/kbuild/units.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { type KernelNames, kernelNames } from '../../match/names.ts'
import { type ComparedUnit, compareUnit } from '../../source/change/unit-comparison.ts'
import type { CompiledFix } from '../manifest/request.ts'

export interface StudiedFix extends CompiledFix {
  readonly units: readonly ComparedUnit[]
  readonly names: KernelNames
}

/**
 * The kernel's image stays open until `close`.
 * @throws Fault `refused/new-unit`
 */
export async function studyFix(job: Job, kernel: Kernel, fix: CompiledFix): Promise<StudiedFix & { close(): void }> {
  const { pairs, bench } = fix.compiled
  const known = bench?.known ?? (await openUnits(job, kernel))
  const units = await Promise.all(pairs.map((pair) => compareUnit(job, bench, known, pair)))
  const names = await kernelNames(
    kernel,
    units.map(({ object }) => object),
  )
  return { ...fix, units, names, close: () => names.close() }
}
