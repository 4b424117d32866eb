// SPDX-License-Identifier: GPL-3.0-or-later
// Explains why a function is not what the kernel runs: both instructions where they part, and the likely cause. It
// needs a disassembler and looks through the whole unit, so it is done only when the live patch is refused.
import type { SplitObject } from '../../diff/object/split-object.ts'
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { type Cause, causeOf } from '../../match/cause.ts'
import type { Mismatch } from '../../match/compare.ts'
import { describe, instructionsOf } from '../../match/difference-text.ts'
import type { KernelNames } from '../../match/names.ts'

/** What there is to say about a symbol that is bound. */
export interface BindingFinding {
  readonly finding: Finding
  /** The function that is not what the kernel runs, where the finding is about one. */
  readonly about?: { readonly object: string; readonly before: SplitObject; readonly mismatch: Mismatch }
}

const remedies: Readonly<Record<Cause['kind'], string>> = {
  kernel: 'Choose the kernel that runs (--kernel)',
  compiler: 'Install the compiler that made the kernel, and build the kernel directory with it',
  configuration: 'Take the configuration (.config) with which the kernel was built',
  layout: 'Take the source and the configuration of the very kernel that runs',
  source: 'Take the source of the very version that runs',
}

/** The findings, in their order; those about a function that is not what runs say why. */
export async function explainMismatches(
  job: Job,
  kernel: Kernel,
  names: Pick<KernelNames, 'running'>,
  findings: readonly BindingFinding[],
): Promise<Finding[]> {
  const mismatches = findings.flatMap(({ about }) => about?.mismatch ?? [])
  if (mismatches.length === 0) return findings.map(({ finding }) => finding)
  const texts = (await instructionsOf(job, mismatches)).values()
  return findings.map(({ finding, about }) => {
    if (about === undefined) return finding
    const { object, before, mismatch } = about
    const cause = causeOf(kernel, names.running('vmlinux'), names.running(object), before, mismatch)
    const difference = describe(mismatch, texts.next().value!)
    return {
      ...finding,
      message: `${finding.message}: ${difference}; ${cause.text}`,
      hint: remedies[cause.kind],
    }
  })
}
