// SPDX-License-Identifier: GPL-3.0-or-later
// Hands a finished live patch to the audit, and refuses it when the audit finds something.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type Audited, audit, type PatchedUnit, type SourceTexts } from '../../audit/audit.ts'
import { openUnits, type Units } from '../../build/kbuild/units.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { unitFileName } from '../../source/directory/layout.ts'
import type { CompiledFix } from '../manifest/request.ts'
import { openTemplate } from '../structures/template.ts'
import type { SourceObject } from './source-objects.ts'

function textsOf(kernel: Kernel, { changes }: CompiledFix, unit: string, directory: string): SourceTexts | undefined {
  const file = path.join(directory, unitFileName(unit))
  if (!existsSync(file)) return undefined
  const before = readFileSync(path.join(kernel.source, unit), 'latin1')
  const after = changes.find((change) => change.path === unit)?.after ?? before
  const part = readFileSync(file, 'latin1')
  return { unit: [before.split('\n'), after.split('\n')], part: part.split('\n') }
}

/** A directory's files, compiled, and the units that they stand for as the kernel has them. */
function partsOf(objects: readonly SourceObject[]): PatchedUnit[] {
  return objects.map(({ unit, object, before, compiled }) => {
    return { unit, object, before: before.object, after: compiled }
  })
}

/**
 * @param own the module's own source, when the source engine made it
 * @param told what the build said: what it tells to be left out is not missing
 * @returns what the audit has to say besides
 * @throws Fault `refused/audit-…`, named after the first rule that the module breaks
 */
export async function auditFix(
  job: Job,
  kernel: Kernel,
  fix: CompiledFix,
  own: { readonly directory: string; readonly objects: readonly SourceObject[] } | undefined,
  bytes: Buffer,
  told: readonly Finding[],
): Promise<Finding[]> {
  const units = fix.compiled.pairs.flatMap(({ unit, module = 'vmlinux', before, after }): PatchedUnit[] => {
    if (before === undefined) return []
    const texts = own === undefined ? undefined : textsOf(kernel, fix, unit, own.directory)
    const objects = { before: readFileSync(before), after: readFileSync(after) }
    return [{ unit, object: module, ...objects, ...(texts === undefined ? {} : { texts }) }]
  })
  const made =
    own === undefined
      ? ({ code: 'cut-out' } as const)
      : ({ code: 'compiled-anew', parts: partsOf(own.objects) } as const)
  const audited = { bytes, units, ...made, replace: fix.request.replace, told }
  return refuseIfWrong(await auditOf(job, kernel, fix.name, audited, fix.compiled.bench?.known), told)
}

/**
 * The audit of a module that was made of a directory's own files.
 * @param objects the compiled files, and the units that they stand for as the kernel has them
 * @throws as `auditFix`
 */
export async function auditDirectory(
  job: Job,
  kernel: Kernel,
  name: string,
  bytes: Buffer,
  objects: readonly SourceObject[],
  told: readonly Finding[],
): Promise<Finding[]> {
  return refuseIfWrong(
    await auditOf(job, kernel, name, { bytes, units: partsOf(objects), code: 'from-directory', told }),
    told,
  )
}

async function auditOf(
  job: Job,
  kernel: Kernel,
  name: string,
  audited: Omit<Audited, 'file' | 'structures'>,
  known?: Units,
): Promise<Finding[]> {
  return await job.journal.step('Auditing the module', async () => {
    const { layout } = await openTemplate(job, kernel, known ?? (await openUnits(job, kernel)))
    return await audit(kernel, { ...audited, file: `livepatch-${name}.ko`, structures: layout })
  })
}

/** @returns what nobody has said yet */
function refuseIfWrong(findings: readonly Finding[], told: readonly Finding[]): Finding[] {
  const known = new Set(told.map(({ rule, symbol }) => `${rule} ${symbol}`))
  const fresh = findings.filter(({ rule, symbol }) => !known.has(`${rule} ${symbol}`))
  const [first] = fresh.filter(({ severity }) => severity === 'error')
  if (first === undefined) return fresh
  throw new Fault('refused', first.rule, 'The live patch was made, and is not what it should be', {
    findings: fresh,
    remedy: 'No module was written. Report this with the patch and the kernel version',
  })
}
