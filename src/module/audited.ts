// SPDX-License-Identifier: GPL-3.0-or-later
// Hands a finished live patch to the audit, and refuses it when the audit finds something.
import { readFileSync } from 'node:fs'
import { audit, auditModule, type PatchedUnit } from '../audit/audit.ts'
import { openUnits } from '../build/units.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Manifest } from './manifest.ts'
import type { CompiledFix } from './request.ts'
import { openTemplate } from './template.ts'

/**
 * @param told what the build said: what it names is not missing without a word
 * @returns what the audit has to say besides
 * @throws Fault `refused/audit-…`, named after the first rule that the module breaks
 */
export async function auditFix(
  job: Job,
  kernel: Kernel,
  { name, compiled: { pairs, bench } }: CompiledFix,
  bytes: Buffer,
  told: readonly Finding[],
): Promise<Finding[]> {
  const findings = await job.journal.step('Auditing the module', async () => {
    const known = bench?.known ?? (await openUnits(job, kernel))
    const { layout } = await openTemplate(job, kernel, known)
    const units = pairs.flatMap(({ unit, module = 'vmlinux', before, after }): PatchedUnit[] =>
      before === undefined
        ? []
        : [{ unit, object: module, before: readFileSync(before), after: readFileSync(after) }],
    )
    return await audit(kernel, {
      bytes,
      file: `livepatch-${name}.ko`,
      sizes: { object: layout.object.size, func: layout.func.size },
      units,
      told: new Set(told.flatMap(({ symbol }) => symbol ?? [])),
    })
  })
  return refuseIfWrong(findings, told)
}

/**
 * The audit of a module whose code is not that of the patched objects: its form, and what it refers to.
 * @throws as `auditFix`
 */
export async function auditForm(
  job: Job,
  kernel: Kernel,
  bytes: Buffer,
  { name }: Pick<Manifest, 'name'>,
  told: readonly Finding[],
): Promise<Finding[]> {
  const findings = await job.journal.step('Auditing the module', () =>
    auditModule(kernel, bytes, `livepatch-${name}.ko`),
  )
  return refuseIfWrong(findings, told)
}

/** @returns what nobody has said yet */
function refuseIfWrong(findings: readonly Finding[], told: readonly Finding[]): Finding[] {
  const known = new Set(told.map(({ rule, symbol }) => `${rule} ${symbol}`))
  const fresh = findings.filter(({ rule, symbol }) => !known.has(`${rule} ${symbol}`))
  const [first] = fresh.filter(({ severity }) => severity === 'error')
  if (first === undefined) return fresh
  throw new Fault('refused', first.rule, 'The live patch was made, and is not what it should be', {
    findings: fresh,
    remedy: 'Nothing was written. Report this with the patch and the kernel version',
  })
}
