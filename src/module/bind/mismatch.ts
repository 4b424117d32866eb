// SPDX-License-Identifier: GPL-3.0-or-later
// Explains why a function is not what the kernel runs: both instructions where they part, and the likely cause. It
// needs a disassembler and looks through the whole unit, so it is done only when the live patch is refused.
import type { Atom, SplitObject } from '../../diff/object/split-object.ts'
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { type Cause, causeOf } from '../../match/cause.ts'
import type { Mismatch } from '../../match/compare.ts'
import { describe, instructionsOf } from '../../match/difference-text.ts'
import type { KernelNames } from '../../match/names.ts'

interface Noted {
  readonly object: string
  readonly before: SplitObject
  readonly atom: Atom
  readonly mismatch: Mismatch
}

const noted = new WeakMap<Finding, Noted>()

/** Remembers what a finding of the rule `code-differs` is about. */
export function noteDifference(finding: Finding, about: Noted): void {
  noted.set(finding, about)
}

const remedies: Readonly<Record<Cause['kind'], string>> = {
  kernel: 'Choose the kernel that runs (--kernel)',
  compiler: 'Install the compiler that made the kernel, and build the kernel directory with it',
  configuration: 'Take the configuration (.config) with which the kernel was built',
  layout: 'Take the source and the configuration of the very kernel that runs',
  source: 'Take the source of the very version that runs',
}

/** The findings, with those that `noteDifference` knows explained. */
export async function explainDifferences(
  job: Job,
  kernel: Kernel,
  names: Pick<KernelNames, 'running'>,
  findings: readonly Finding[],
): Promise<Finding[]> {
  const about = findings.flatMap((finding) => {
    const known = noted.get(finding)
    return known === undefined ? [] : [{ finding, ...known }]
  })
  if (about.length === 0) return [...findings]
  const texts = await instructionsOf(
    job,
    about.map(({ mismatch }) => mismatch),
  )
  const explained = new Map<Finding, Finding>()
  about.forEach(({ finding, object, before, mismatch }, index) => {
    const vmlinux = names.running('vmlinux')
    const cause = causeOf(kernel, vmlinux, names.running(object), before, mismatch)
    const said = describe(mismatch, texts[index]!)
    explained.set(finding, {
      ...finding,
      message: `${finding.message}: ${said}; ${cause.text}`,
      hint: remedies[cause.kind],
    })
  })
  return findings.map((finding) => explained.get(finding) ?? finding)
}
