// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch as it is before the audit looks at it: built for real by either engine, with all that the audit gets.
import { readFileSync } from 'node:fs'
import type { Audited, PatchedUnit } from '../../src/audit/audit.ts'
import type { Job } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { makeBinary } from '../../src/module/engines/binary.ts'
import { type Draft, draftOf, type StudiedFix, studyFix } from '../../src/module/engines/draft.ts'
import { makeFromSource } from '../../src/module/engines/source.ts'
import { compileFix } from '../../src/module/fix.ts'
import type { Patch } from '../../src/patch/patch.ts'

/** What the audit gets, with objects as bytes. */
export interface Built extends Audited {
  readonly units: readonly (PatchedUnit & { readonly before: Buffer; readonly after: Buffer })[]
}

/** A fault of a stage: what the stages before the module hand on, altered. */
export type Alter = (draft: Draft, fix: StudiedFix) => Draft

/** @param dir an empty directory that outlives what is built */
export async function buildToAudit(
  job: Job,
  kernel: Kernel,
  engine: 'binary' | 'source',
  patches: readonly Patch[],
  dir: string,
  allow: readonly string[] = [],
  alter: Alter = (draft) => draft,
): Promise<Built> {
  const compiled = await compileFix(job, kernel, { patches, replace: true, allow, output: dir }, dir)
  const fix = await studyFix(job, compiled)
  try {
    const draft = await draftOf(job, fix)
    const made = engine === 'source' ? await makeFromSource(job, fix) : await makeBinary(job, fix, alter(draft, fix))
    const { bytes, manifest, layout, parts } = made
    const units = fix.compiled.pairs.map(({ unit, module = 'vmlinux', before, after }) => ({
      unit,
      object: module,
      before: readFileSync(before!),
      after: readFileSync(after),
    }))
    const code = engine === 'source' ? 'compiled-anew' : 'cut-out'
    return {
      bytes,
      file: 'audited.ko',
      structures: layout,
      units,
      code,
      replace: true,
      model: 'kernel',
      told: manifest.findings,
      ...(parts === undefined ? {} : { parts }),
    }
  } finally {
    fix.close()
  }
}
