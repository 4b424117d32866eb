// SPDX-License-Identifier: GPL-3.0-or-later
// The binary engine: the compiled units are compared, and the module carries the atoms of code that differ.
import { createHash } from 'node:crypto'
import path from 'node:path'
import { openUnits } from '../../build/kbuild/units.ts'
import { refuseIfErrors } from '../../check/consent.ts'
import type { CarriedCallback } from '../../extract/callbacks.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { assemble } from '../link/assemble.ts'
import { boundTo, targetOf } from '../link/finish.ts'
import { soonest } from '../link/positions.ts'
import type { Manifest } from '../manifest/manifest.ts'
import { describe } from '../manifest/naming.ts'
import { type BuiltModule, changesNothing, manifestHead, moduleNameOf, originInfo } from '../manifest/output.ts'
import {
  type Contents,
  livepatchTables,
  objectsIn,
  type PositionedFunction,
  unsupported,
} from '../structures/tables.ts'
import { openTemplate } from '../structures/template.ts'
import { changesCode, type Draft } from './draft.ts'
import type { StudiedFix } from './study.ts'

/**
 * From the draft of a live patch to the module, in memory.
 * @throws Fault `refused/*` with findings when the change can't be live patched, or there is none
 */
export async function makeBinary(
  job: Job,
  kernel: Kernel,
  { request, name, units, names, compiled: { scope, bench } }: StudiedFix,
  { extraction, functions, bindings, findings: known }: Draft,
): Promise<BuiltModule> {
  refuseIfErrors(kernel, known)
  if (extraction.replaced.length === 0 && extraction.callbacks.length === 0) throw changesNothing(known)
  const { patches } = request
  const moduleName = moduleNameOf(name)
  const inputs = patches.map((patch) => ({ file: path.basename(patch.file), sha256: patch.sha256 }))
  const description = describe(patches)
  const template = await openTemplate(job, kernel, bench?.known ?? (await openUnits(job, kernel)))
  const { callbacks, states } = extraction
  const target = targetOf(kernel, names, request.bind)
  const positionFor = soonest(target)
  const contents: Contents = {
    functions: functions.map((one) => ({ ...one, sympos: positionFor(one.object, one.sympos) })),
    callbacks,
    states,
    replace: request.replace,
  }
  const assembled = await assemble(
    job,
    kernel,
    template,
    extraction,
    bindings,
    (renamed) => [livepatchTables(template.layout, contents, renamed)],
    target,
    {
      name: moduleName,
      description,
      replace: request.replace,
      objects: objectsIn(contents),
      info: originInfo(inputs),
    },
  )
  const all = [...known, ...unsupported(template.layout, contents), ...assembled.findings]
  refuseIfErrors(kernel, all)
  const manifest: Manifest = {
    ...manifestHead(kernel, name, description),
    replace: request.replace,
    inputs,
    sha256: createHash('sha256').update(assembled.bytes).digest('hex'),
    units: { ...scope, changed: units.filter(({ change }) => changesCode(change)).length },
    objects: objectsOf(functions, extraction.callbacks),
    binding: boundTo(target, assembled),
    carried: extraction.carried.map((item) => ({ ...item })),
    states: extraction.states.map((state) => ({ ...state })),
    findings: all.map((finding) => ({ ...finding })),
    timings: [],
  }
  return { bytes: assembled.bytes, manifest }
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
