// SPDX-License-Identifier: GPL-3.0-or-later
// The binary engine: the compiled units are compared, and the module carries the atoms of code that differ.
import { createHash } from 'node:crypto'
import path from 'node:path'
import { refuseIfErrors } from '../../check/consent.ts'
import type { CarriedCallback } from '../../extract/callbacks.ts'
import type { Job } from '../../ground/job.ts'
import { assemble } from '../link/assemble.ts'
import { boundTo, soonest, targetOf } from '../link/target.ts'
import type { Manifest } from '../manifest/manifest.ts'
import { describe } from '../manifest/naming.ts'
import { type BuiltModule, changesNothing, manifestHead, originInfo } from '../manifest/output.ts'
import {
  type Contents,
  livepatchTables,
  objectsIn,
  type PositionedFunction,
  unsupported,
} from '../structures/tables.ts'
import { templateFor } from '../structures/template.ts'
import { changesCode, type Draft, type StudiedFix } from './draft.ts'

/**
 * From the draft of a live patch to the module, in memory.
 * @throws Fault `refused/*` with findings when the change can't be live patched, or there is none
 */
export async function makeBinary(job: Job, fix: StudiedFix, draft: Draft): Promise<BuiltModule> {
  const { kernel, request, name, units, names, facts, compiled } = fix
  const { extraction, functions, bindings, findings: known } = draft
  const { replaced, callbacks, states, carried } = extraction
  refuseIfErrors(kernel, known)
  if (replaced.length === 0 && callbacks.length === 0) throw changesNothing(known)
  const { patches, replace, model = 'kernel' } = request
  const inputs = patches.map((patch) => ({ file: path.basename(patch.file), sha256: patch.sha256 }))
  const head = manifestHead(kernel, name, describe(patches))
  const template = await facts.once(templateFor, compiled.bench.known, job, kernel, model)
  const { layout } = template
  const target = targetOf(kernel, names, request.bind)
  const positionFor = soonest(target)
  const positioned = functions.map((one) => ({ ...one, sympos: positionFor(one.object, one.sympos) }))
  const contents: Contents = { functions: positioned, callbacks, states, replace }
  const options = { ...head, objects: objectsIn(contents), info: originInfo(inputs) }
  const { bytes, bound, findings } = await assemble(
    job,
    kernel,
    template,
    { ...extraction, bindings },
    target,
    options,
    (renamed) => livepatchTables(layout, contents, renamed),
  )
  const all = [...known, ...unsupported(layout, contents), ...findings]
  refuseIfErrors(kernel, all)
  const manifest: Manifest = {
    ...head,
    ...(model === 'kernel' ? {} : { model }),
    replace,
    inputs,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    units: { ...compiled.scope, changed: units.filter(({ change }) => changesCode(change)).length },
    objects: objectsOf(functions, callbacks),
    binding: boundTo(target, bound),
    carried: carried.map((item) => ({ ...item })),
    states: states.map((state) => ({ ...state })),
    findings: all.map((finding) => ({ ...finding })),
    timings: [],
  }
  return { bytes, manifest, layout }
}

function objectsOf(
  functions: readonly PositionedFunction[],
  callbacks: readonly CarriedCallback[],
): Manifest['objects'] {
  return objectsIn({ functions, callbacks }).map((name) => ({
    name,
    functions: functions
      .filter(({ object }) => object === name)
      .map(({ before, sympos, unit, reasons, match }) => ({
        name: before.name,
        sympos,
        unit,
        reasons: [...reasons],
        ...(match === undefined ? {} : { match }),
      })),
    callbacks: callbacks
      .filter(({ object }) => object === name)
      .map((callback) => ({ kind: callback.kind, name: callback.name, unit: callback.unit })),
  }))
}
