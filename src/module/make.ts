// SPDX-License-Identifier: GPL-3.0-or-later
// The main job: patches in, a live patch module and its manifest out. It reads like the picture in
// docs/architecture.md; the work is done in the rooms before.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { compilePairs, type Scope } from '../build/compile.ts'
import type { UnitPair } from '../build/objects.ts'
import { openUnits } from '../build/units.ts'
import { compareObjects } from '../diff/change.ts'
import { readObject } from '../elf/read.ts'
import type { SymbolDraft } from '../elf/write.ts'
import type { CarriedCallback } from '../extract/callbacks.ts'
import { type Extraction, extract, type UnitChange } from '../extract/extraction.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import { version } from '../ground/version.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { applyPatches } from '../patch/apply.ts'
import type { Patch } from '../patch/patch.ts'
import { assemble } from './assemble.ts'
import { type Binding, binder } from './bind.ts'
import { checkLandings } from './landing.ts'
import { changesNothing, type Made, moduleNameOf, refuseIfErrors, save } from './made.ts'
import type { Manifest } from './manifest.ts'
import { type Names, namesOf } from './names.ts'
import { describe, nameOf } from './naming.ts'
import { type Contents, livepatchTables, objectsIn, type PositionedFunction, unsupported } from './tables.ts'
import { openTemplate } from './template.ts'

export interface MakeRequest {
  /** Applied in this order. */
  readonly patches: readonly Patch[]
  /** `-p`; detected when undefined. */
  readonly strip?: number
  /** What to call the live patch; from the first patch's file name when undefined. */
  readonly name?: string
  /** Replace every earlier live patch atomically. */
  readonly replace: boolean
  /** The directory for the module and the manifest. */
  readonly output: string
}

/**
 * Makes a live patch module for `kernel`.
 * @throws Fault `patch/*` when the patch does not apply or compile; `refused/*` with findings when the
 *   change can't be live patched, or there is none
 */
export async function makeLivePatch(job: Job, kernel: Kernel, request: MakeRequest): Promise<Made> {
  const { patches } = request
  const name = nameOf(request.name, patches)
  return await withScratch(async (dir) => {
    const { changes, notes } = await applyPatches(
      kernel.source,
      patches,
      request.strip === undefined ? {} : { strip: request.strip },
    )
    for (const note of notes) job.journal.note(note)
    const { pairs, findings, scope } = await compilePairs(job, kernel, changes, dir)
    refuseIfErrors(kernel, findings)
    if (pairs.length === 0 && scope.considered > 0) throw changesNothing(findings)
    if (pairs.length === 0)
      throw new Fault(
        'refused',
        'not-in-kernel',
        `Nothing that the patch changes is part of ${kernel.release}`,
        {
          findings,
        },
      )
    const { bytes, manifest } = await job.journal.step('Making the module', async (step) => {
      const made = await makeModule(job, kernel, request, name, patches, pairs, scope, findings)
      const { objects } = made.manifest
      const functions = objects.reduce((sum, object) => sum + object.functions.length, 0)
      const callbacks = objects.reduce((sum, object) => sum + object.callbacks.length, 0)
      const replaced = `${functions} ${functions === 1 ? 'function' : 'functions'} replaced`
      step.result(
        callbacks === 0
          ? replaced
          : `${replaced}, ${callbacks} ${callbacks === 1 ? 'callback' : 'callbacks'}`,
      )
      return made
    })
    const timings = job.journal.timings.map(({ step, ms }) => ({ step, ms: Math.round(ms) }))
    return await save(request.output, bytes, { ...manifest, timings })
  })
}

/** The second half of the work: from the compiled units to the module, in memory. */
async function makeModule(
  job: Job,
  kernel: Kernel,
  request: MakeRequest,
  name: string,
  patches: readonly Patch[],
  pairs: readonly UnitPair[],
  scope: Scope,
  findings: readonly Finding[],
): Promise<{ readonly bytes: Buffer; readonly manifest: Manifest }> {
  const units = comparePairs(pairs)
  const names = await namesOf(
    kernel,
    units.map(({ object }) => object),
  )
  try {
    const extraction = extract(units, {
      has: (object, symbol) => names.symbols(object, symbol).length > 0,
    })
    const known = [...findings, ...units.flatMap(({ change }) => change.findings), ...extraction.findings]
    refuseIfErrors(kernel, known)
    if (extraction.replaced.length === 0 && extraction.callbacks.length === 0) throw changesNothing(known)
    const { functions, bindings, problems } = bindAll(extraction, names)
    problems.push(...checkLandings(extraction, bindings, names))
    refuseIfErrors(kernel, [...known, ...problems])
    const moduleName = moduleNameOf(name)
    const inputs = patches.map((patch) => ({ file: path.basename(patch.file), sha256: patch.sha256 }))
    const description = describe(patches)
    const template = await openTemplate(job, kernel, await openUnits(job, kernel))
    const { callbacks, states } = extraction
    const contents: Contents = { functions, callbacks, states, replace: request.replace }
    const assembled = await assemble(
      job,
      kernel,
      template,
      extraction,
      bindings,
      (renamed) => [livepatchTables(template.layout, contents, renamed)],
      names.exported,
      {
        name: moduleName,
        description,
        replace: request.replace,
        info: [`inarch=${version}`, ...inputs.map(({ file, sha256 }) => `inarch_patch=${sha256} ${file}`)],
      },
    )
    const all = [...known, ...unsupported(template.layout, contents), ...assembled.findings]
    refuseIfErrors(kernel, all)
    const manifest: Manifest = {
      format: 'inarch-manifest-1',
      name,
      module: moduleName,
      description,
      tool: { name: 'inarch', version },
      kernel: {
        release: kernel.release,
        version: kernel.version,
        origin: kernel.origin,
        compiler: kernel.compiler.versionText,
      },
      replace: request.replace,
      inputs,
      sha256: createHash('sha256').update(assembled.bytes).digest('hex'),
      units: { ...scope, changed: units.filter(({ change }) => changesCode(change)).length },
      objects: objectsOf(functions, extraction.callbacks),
      carried: extraction.carried.map((item) => ({ ...item })),
      states: extraction.states.map((state) => ({ ...state })),
      findings: all.map((finding) => ({ ...finding })),
      timings: [],
    }
    return { bytes: assembled.bytes, manifest }
  } finally {
    names.close()
  }
}

function changesCode({ changed, added, addedData }: UnitChange['change']): boolean {
  return changed.length + added.length + addedData.length > 0
}

function comparePairs(pairs: readonly UnitPair[]): UnitChange[] {
  return pairs.map(({ unit, module, before, after }) => {
    if (before === undefined)
      throw new Fault('refused', 'new-unit', `${unit} is new, and kbuild does not know it`)
    return {
      change: compareObjects(
        readObject(readFileSync(before), `${unit} (before)`),
        readObject(readFileSync(after), `${unit} (after)`),
        unit,
      ),
      object: module ?? 'vmlinux',
    }
  })
}

function bindAll(extraction: Extraction, names: Names) {
  const bind = binder(names)
  const bindings = new Map<SymbolDraft, Binding>()
  for (const [symbol, reference] of extraction.references) {
    const binding = bind.bind(reference)
    if (binding !== undefined) bindings.set(symbol, binding)
  }
  const functions: PositionedFunction[] = []
  for (const replaced of extraction.replaced) {
    const sympos = bind.replacement(replaced.object, replaced.before, replaced.change)
    if (sympos !== undefined) functions.push({ ...replaced, sympos })
  }
  return { functions, bindings, problems: [...bind.findings] }
}

function objectsOf(
  functions: readonly PositionedFunction[],
  callbacks: readonly CarriedCallback[],
): Manifest['objects'] {
  return objectsIn({ functions, callbacks }).map((name) => ({
    name,
    functions: functions
      .filter(({ object }) => object === name)
      .map(({ before, sympos, unit, reasons }) => ({
        name: before.name,
        sympos,
        unit,
        reasons: [...reasons],
      })),
    callbacks: callbacks
      .filter(({ object }) => object === name)
      .map((callback) => ({ kind: callback.kind, name: callback.name, unit: callback.unit })),
  }))
}
