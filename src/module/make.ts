// SPDX-License-Identifier: GPL-3.0-or-later
// The main job: patches in, a live patch module and its manifest out. It reads like the picture in
// docs/architecture.md; the work is done in the rooms before.
import { compilePairs } from '../build/compile.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { applyPatches } from '../patch/apply.ts'
import { makeBinary } from './binary-engine.ts'
import { changesNothing, type Made, type MadeModule, refuseIfErrors, save } from './made.ts'
import { nameOf } from './naming.ts'
import type { CompiledFix, Engine, MakeRequest } from './request.ts'

/**
 * Makes a live patch module for `kernel`.
 * @throws Fault `patch/*` when the patch does not apply or compile; `refused/*` with findings when the
 *   change can't be live patched, or there is none; `refused/engines-differ` when two engines make different modules;
 *   `usage/directory-exists`
 */
export async function makeLivePatch(job: Job, kernel: Kernel, request: MakeRequest): Promise<Made> {
  const { engine = 'binary', output } = request
  const name = nameOf(request.name, request.patches)
  if (engine !== 'binary') {
    const { checkFree } = await import('./source-engine.ts')
    checkFree(output, name)
  }
  return await withScratch(async (dir) => {
    const fix: CompiledFix = { request, name, dir, ...(await compileFix(job, kernel, request, dir)) }
    const made = await makeWith[engine](job, kernel, fix)
    const timings = job.journal.timings.map(({ step, ms }) => ({ step, ms: Math.round(ms) }))
    return { ...(await save(output, made.bytes, { ...made.manifest, timings })), ...placeOf(made) }
  })
}

/** What is made of a compiled fix, in memory, by each engine. The source engine is loaded when it is needed. */
const makeWith = {
  binary,
  source: async (job, kernel, fix) => {
    const { makeSource } = await import('./source-engine.ts')
    return await makeSource(job, kernel, fix)
  },
  both: async (job, kernel, fix) => {
    const { makeBoth } = await import('./both-engines.ts')
    return await makeBoth(job, kernel, fix, await binary(job, kernel, fix))
  },
} satisfies Record<Engine, (job: Job, kernel: Kernel, fix: CompiledFix) => Promise<MadeModule>>

function placeOf({ directory }: MadeModule): { readonly directory?: string } {
  return directory === undefined ? {} : { directory }
}

/** Every unit that the fix touches, compiled before and after. */
async function compileFix(
  job: Job,
  kernel: Kernel,
  { patches, strip }: MakeRequest,
  dir: string,
): Promise<Pick<CompiledFix, 'changes' | 'compiled'>> {
  const { changes, notes } = await applyPatches(kernel.source, patches, strip === undefined ? {} : { strip })
  for (const note of notes) job.journal.note(note)
  const compiled = await compilePairs(job, kernel, changes, dir)
  const { pairs, findings, scope } = compiled
  refuseIfErrors(kernel, findings)
  if (pairs.length === 0 && scope.considered > 0) throw changesNothing(findings)
  if (pairs.length === 0)
    throw new Fault(
      'refused',
      'not-in-kernel',
      `Nothing that the patch changes is part of ${kernel.release}`,
      { findings },
    )
  return { changes, compiled }
}

async function binary(job: Job, kernel: Kernel, fix: CompiledFix): Promise<MadeModule> {
  return await job.journal.step('Making the module', async (step) => {
    const made = await makeBinary(job, kernel, fix)
    const { objects } = made.manifest
    const functions = objects.reduce((sum, object) => sum + object.functions.length, 0)
    const callbacks = objects.reduce((sum, object) => sum + object.callbacks.length, 0)
    const replaced = `${functions} ${functions === 1 ? 'function' : 'functions'} replaced`
    step.result(
      callbacks === 0 ? replaced : `${replaced}, ${callbacks} ${callbacks === 1 ? 'callback' : 'callbacks'}`,
    )
    return made
  })
}
