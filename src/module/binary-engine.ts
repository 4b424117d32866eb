// SPDX-License-Identifier: GPL-3.0-or-later
// The binary engine: the compiled units are compared, and the module carries the pieces of code that differ.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { UnitPair } from '../build/objects.ts'
import { openUnits } from '../build/units.ts'
import { compareObjects } from '../diff/change.ts'
import { readObject } from '../elf/read.ts'
import type { SymbolDraft } from '../elf/write.ts'
import type { CarriedCallback } from '../extract/callbacks.ts'
import { type Extraction, extract, type UnitChange } from '../extract/extraction.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { version } from '../ground/version.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { type Names, namesOf } from '../match/names.ts'
import { assemble } from './assemble.ts'
import { type Binding, binder } from './bind.ts'
import { checkLandings } from './landing.ts'
import { changesNothing, type MadeModule, moduleNameOf, refuseIfErrors } from './made.ts'
import type { Manifest } from './manifest.ts'
import { describe } from './naming.ts'
import type { CompiledFix } from './request.ts'
import { type Contents, livepatchTables, objectsIn, type PositionedFunction, unsupported } from './tables.ts'
import { openTemplate } from './template.ts'

/**
 * From the compiled units to the module, in memory.
 * @throws Fault `refused/*` with findings when the change can't be live patched, or there is none
 */
export async function makeBinary(
  job: Job,
  kernel: Kernel,
  { request, name, compiled: { pairs, scope, findings } }: CompiledFix,
): Promise<MadeModule> {
  const { patches } = request
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
