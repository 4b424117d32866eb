// SPDX-License-Identifier: GPL-3.0-or-later
// The main job: patches in, a live patch module and its manifest out. It reads like the picture in
// docs/architecture.md; the work is done in the rooms before. What is behind the compilers is loaded while they run.
import { refuseUnlessAllowed, withConsent } from '../check/consent.ts'
import { inNumbers } from '../ground/in-numbers.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Draft, StudiedFix } from './engines/draft.ts'
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
    const { studyFix } = await import('./engines/draft.ts')
    const studied = await studyFix(job, fix)
    try {
      return await makeStudied(job, studied)
    } finally {
      studied.close()
    }
  })
}

async function makeStudied(job: Job, fix: StudiedFix): Promise<WrittenModule> {
  const { kernel, request } = fix
  const { engine = 'binary', output, allow } = request
  const { draftOf } = await import('./engines/draft.ts')
  const draft = await draftOf(job, fix)
  // The source engine makes up its own mind about what it replaces; the rules hold for both.
  const known = engine === 'source' ? draft.review : [...draft.findings, ...draft.review]
  refuseUnlessAllowed(kernel, known)
  const made = await makeWith[engine](job, fix, draft)
  const { bytes, manifest, directory } = made
  const told = [...manifest.findings, ...draft.review]
  const { auditFix } = await import('./engines/audited.ts')
  const audited = await auditFix(job, fix, made, told)
  const findings = withConsent([...told, ...audited], new Set(allow))
  refuseUnlessAllowed(kernel, findings)
  const timings = job.journal.timings.map(({ step, ms }) => ({ step, ms: Math.round(ms) }))
  const { evidenceFor, packEvidence } = await import('./manifest/evidence.ts')
  const evidence = packEvidence(await evidenceFor(fix, manifest, directory))
  const objects = withBeyond(manifest, draft)
  const written = await writeModule(output, bytes, { ...manifest, objects, findings, evidence, timings })
  return directory === undefined ? written : { ...written, directory }
}

/**
 * The manifest's objects with what of each function reaches beyond its call; the texts tell it, whichever engine made
 * the module.
 */
function withBeyond({ objects }: Manifest, { beyond }: Draft): Manifest['objects'] {
  return objects.map((object) => ({
    ...object,
    functions: object.functions.map((one) => {
      const found = beyond(one.name)
      return {
        ...one,
        beyond: found.verdict === 'lives' ? { ...found, living: found.living.map((living) => ({ ...living })) } : found,
      }
    }),
  }))
}

/** What is made of a fix, in memory, by each engine. The source engine is loaded when it is needed. */
const makeWith = {
  binary,
  source: async (job, fix) => {
    const { makeFromSource } = await import('./engines/source.ts')
    return await makeFromSource(job, fix)
  },
  both: async (job, fix, draft) => {
    const { makeBoth } = await import('./engines/both.ts')
    return await makeBoth(job, fix, await binary(job, fix, draft))
  },
} satisfies Record<Engine, (job: Job, fix: StudiedFix, draft: Draft) => Promise<BuiltModule>>

async function binary(job: Job, fix: StudiedFix, draft: Draft): Promise<BuiltModule> {
  const { makeBinary } = await import('./engines/binary.ts')
  return await job.journal.step('Making the module', async (step) => {
    const made = await makeBinary(job, fix, draft)
    const { objects } = made.manifest
    const functions = objects.reduce((sum, object) => sum + object.functions.length, 0)
    const callbacks = objects.reduce((sum, object) => sum + object.callbacks.length, 0)
    const replaced = `${inNumbers(functions, 'function')} replaced`
    step.result(callbacks === 0 ? replaced : `${replaced}, ${inNumbers(callbacks, 'callback')}`)
    return made
  })
}
