// SPDX-License-Identifier: GPL-3.0-or-later
// Hands a finished live patch to the audit, and refuses it when the audit finds something.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type Audited, audit, type PatchedUnit, type SourceTexts } from '../../audit/audit.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { readTables } from '../../match/names.ts'
import { unitFileName } from '../../source/directory/layout.ts'
import type { BuiltModule } from '../manifest/output.ts'
import type { CompiledFix } from '../manifest/request.ts'

function textsOf({ kernel, changes }: CompiledFix, unit: string, directory: string): SourceTexts | undefined {
  const file = path.join(directory, unitFileName(unit))
  if (!existsSync(file)) return undefined
  const before = readFileSync(path.join(kernel.source, unit), 'latin1')
  const after = changes.find((change) => change.path === unit)?.after ?? before
  const part = readFileSync(file, 'latin1')
  return { unit: [before.split('\n'), after.split('\n')], part: part.split('\n') }
}

/**
 * @param told what the build said: what it tells to be left out is not missing
 * @returns what the audit has to say besides
 * @throws as `auditMade`
 */
export async function auditFix(
  job: Job,
  fix: CompiledFix,
  { bytes, layout, directory, parts }: BuiltModule,
  told: readonly Finding[],
): Promise<Finding[]> {
  const { kernel, name, request, facts, compiled } = fix
  const isCompiled = parts !== undefined && directory !== undefined
  const units = compiled.pairs.flatMap(({ unit, module = 'vmlinux', before, after }): PatchedUnit[] => {
    if (before === undefined) return []
    const texts = isCompiled ? textsOf(fix, unit, directory) : undefined
    const objects = { before: readFileSync(before), after: readFileSync(after) }
    return [{ unit, object: module, ...objects, ...(texts === undefined ? {} : { texts }) }]
  })
  const made = isCompiled ? ({ code: 'compiled-anew', parts } as const) : ({ code: 'cut-out' } as const)
  const tables = facts.once(readTables, kernel)
  const { replace, model = 'kernel' } = request
  return await auditMade(job, kernel, name, { bytes, structures: layout, units, ...made, replace, model, told, tables })
}

/**
 * @returns what nobody has said yet
 * @throws Fault `refused/audit-…`, named after the first rule that the module breaks
 */
export async function auditMade(
  job: Job,
  kernel: Kernel,
  name: string,
  audited: Omit<Audited, 'file'>,
): Promise<Finding[]> {
  const findings = await job.journal.step('Auditing the module', () =>
    audit(kernel, { ...audited, file: `livepatch-${name}.ko` }),
  )
  const keyOf = ({ rule, symbol }: Finding) => `${rule} ${symbol}`
  const known = new Set(audited.told.map(keyOf))
  const fresh = findings.filter((finding) => !known.has(keyOf(finding)))
  const [first] = fresh.filter(({ severity }) => severity === 'error')
  if (first === undefined) return fresh
  throw new Fault('refused', first.rule, 'The live patch was made, and the audit refuses it', {
    findings: fresh,
    remedy: 'No module was written. Report this with the patch and the kernel version',
  })
}
