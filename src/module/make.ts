// SPDX-License-Identifier: GPL-3.0-or-later
// The main job: patches in, a live patch module and its manifest out. It reads like the picture in
// docs/architecture.md; the work is done in the rooms before. What is behind the compilers is loaded while they run.
import { refuseUnlessAllowed, withConsent } from '../check/consent.ts'
import { inNumbers } from '../ground/in-numbers.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Draft } from './engines/draft.ts'
import type { SourceObject } from './engines/source-objects.ts'
import type { StudiedFix } from './engines/study.ts'
import { compileFix } from './fix.ts'
import type { Manifest } from './manifest/manifest.ts'
import { nameOf } from './manifest/naming.ts'
import { type BuiltModule, type WrittenModule, writeModule } from './manifest/output.ts'
import type { Engine, MakeRequest } from './manifest/request.ts'

/**
 * Makes a live patch module for `kernel`.
 * @throws Fault `patch/*` when the patch does not apply or compile; `refused/*` with findings when the
 *   change can't be live patched, or there is none; `refused/engines-differ` when two engines make different modules;
 *   `usage/directory-exists`
 */
export async function makeLivePatch(job: Job, kernel: Kernel, request: MakeRequest): Promise<WrittenModule> {
  const { engine = 'binary', output } = request
  const name = nameOf(request.name, request.patches)
  if (engine !== 'binary') {
    const { checkFree } = await import('./engines/source.ts')
    checkFree(output, name)
  }
  return await withScratch(async (dir) => {
    const fix = await compileFix(job, kernel, request, dir)
    const { studyFix } = await import('./engines/study.ts')
    const studied = await studyFix(job, kernel, fix)
    try {
      return await makeStudied(job, kernel, studied)
    } finally {
      studied.close()
    }
  })
}

async function makeStudied(job: Job, kernel: Kernel, fix: StudiedFix): Promise<WrittenModule> {
  const { engine = 'binary', output, allow } = fix.request
  const { draftOf } = await import('./engines/draft.ts')
  const draft = await draftOf(job, kernel, fix)
  // The source engine makes up its own mind about what it replaces; the rules hold for both.
  const known = engine === 'source' ? draft.review : [...draft.findings, ...draft.review]
  refuseUnlessAllowed(kernel, known)
  const { bytes, manifest, directory, objects }: EnginesModule = await makeWith[engine](job, kernel, fix, draft)
  const told = [...manifest.findings, ...draft.review]
  const own = directory === undefined || objects === undefined ? undefined : { directory, objects }
  const { auditFix } = await import('./engines/audited.ts')
  const audited = await auditFix(job, kernel, fix, own, bytes, told)
  const findings = withConsent([...told, ...audited], new Set(allow))
  refuseUnlessAllowed(kernel, findings)
  const timings = job.journal.timings.map(({ step, ms }) => ({ step, ms: Math.round(ms) }))
  const { evidenceFor, packEvidence } = await import('./manifest/evidence.ts')
  const evidence = packEvidence(await evidenceFor(kernel, fix, manifest, directory))
  const written = await writeModule(output, bytes, {
    ...withBeyond(manifest, draft),
    findings,
    evidence,
    timings,
  })
  return directory === undefined ? written : { ...written, directory }
}

/**
 * The manifest with what of each function reaches beyond its call; the texts tell it, whichever engine made the module.
 */
function withBeyond(manifest: Manifest, { beyond }: Draft): Manifest {
  if (beyond === undefined) return manifest
  const objects = manifest.objects.map((object) => ({
    ...object,
    functions: object.functions.map((one) => {
      const found = beyond(one.name)
      return {
        ...one,
        beyond: found.verdict === 'lives' ? { ...found, living: found.living.map((living) => ({ ...living })) } : found,
      }
    }),
  }))
  return { ...manifest, objects }
}

/** A module, with the compiled files of its own source if it was made from that. */
type EnginesModule = BuiltModule & { readonly objects?: readonly SourceObject[] }

/** What is made of a fix, in memory, by each engine. The source engine is loaded when it is needed. */
const makeWith = {
  binary,
  source: async (job, kernel, fix) => {
    const { makeFromSource } = await import('./engines/source.ts')
    return await makeFromSource(job, kernel, fix)
  },
  both: async (job, kernel, fix, draft) => {
    const { makeBoth } = await import('./engines/both.ts')
    return await makeBoth(job, kernel, fix, await binary(job, kernel, fix, draft))
  },
} satisfies Record<Engine, (job: Job, kernel: Kernel, fix: StudiedFix, draft: Draft) => Promise<EnginesModule>>

async function binary(job: Job, kernel: Kernel, fix: StudiedFix, draft: Draft): Promise<BuiltModule> {
  const { makeBinary } = await import('./engines/binary.ts')
  return await job.journal.step('Making the module', async (step) => {
    const made = await makeBinary(job, kernel, fix, draft)
    const { objects } = made.manifest
    const functions = objects.reduce((sum, object) => sum + object.functions.length, 0)
    const callbacks = objects.reduce((sum, object) => sum + object.callbacks.length, 0)
    const replaced = `${inNumbers(functions, 'function')} replaced`
    step.result(callbacks === 0 ? replaced : `${replaced}, ${inNumbers(callbacks, 'callback')}`)
    return made
  })
}
