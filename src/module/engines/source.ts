// SPDX-License-Identifier: GPL-3.0-or-later
// The source engine: patches in, a directory with the live patch's C source out, and the module that it compiles to.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { CompiledPairs } from '../../build/compile.ts'
import { shadowFiles } from '../../build/compiler/compile-unit.ts'
import { generatedBefore } from '../../build/kbuild/generated.ts'
import { makeShadow } from '../../build/kbuild/shadow-tree.ts'
import { openUnits, type Unit } from '../../build/kbuild/units.ts'
import { objectionsAmong, refuseIfErrors, withConsent } from '../../check/consent.ts'
import { stem } from '../../diff/object/compiler-names.ts'
import { declaredCallbacks, declaredStates } from '../../extract/callbacks.ts'
import { withOwnExports } from '../../extract/own-exports.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import { inNumbers } from '../../ground/in-numbers.ts'
import { isDirectory } from '../../ground/is-directory.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { kernelNames } from '../../match/names.ts'
import type { FileChange } from '../../patch/patch.ts'
import { keptVariables } from '../../source/change/kept-variables.ts'
import { findSourceChanges, type SourceChange } from '../../source/change/unit-change.ts'
import { likenessFindings } from '../../source/compare/compile-check.ts'
import type { Likeness } from '../../source/compare/likeness.ts'
import {
  readSourceDirectory,
  type SourceDirectory,
  unitFileName,
  writeSourceDirectory,
} from '../../source/directory/layout.ts'
import type { Plan, PlannedFunction } from '../../source/directory/plan.ts'
import { extractSource } from '../../source/extract/extraction.ts'
import type { ExtractedSource } from '../../source/extract/request.ts'
import { targetOf } from '../link/finish.ts'
import { soonest } from '../link/positions.ts'
import { describe, titleOf } from '../manifest/naming.ts'
import { type BuiltModule, changesNothing } from '../manifest/output.ts'
import type { CompiledFix } from '../manifest/request.ts'
import { makeDirectoryModule, type Provenance } from './directory.ts'
import { filesOf, licenceOf } from './source-files.ts'
import { likenessKey, sourceLikeness } from './source-likeness.ts'
import type { SourceObject } from './source-objects.ts'
import { planObjects, renaming } from './source-plan.ts'
import { requestFor } from './source-request.ts'

/** A module made from source, with what it was made of. */
export interface SourceModule extends BuiltModule {
  readonly directory: string
  readonly source: WrittenSource
  /** The compiled files of the units. */
  readonly objects: readonly SourceObject[]
  /** How each replaced function is to the patched unit's, by `likenessKey`. */
  readonly likeness: ReadonlyMap<string, Likeness>
}

export interface WrittenSource {
  readonly source: SourceDirectory
  readonly provenance: Provenance
  readonly replacements: readonly PlannedFunction[]
  readonly changes: readonly SourceChange[]
  /** The patched source, with its own line numbers. */
  readonly tree: string
}

/** New data of the fix, and data of which it asks for a copy, by their names without the compiler's numbers. */
function ownData({ data, compared, inlining }: SourceChange): ReadonlySet<string> {
  const originOf = keptVariables(compared, (name) => inlining.containers(name))
  const isNew = (name: string) => (originOf(name) ?? 'new') === 'new'
  return new Set([
    ...data
      .filter(({ name, change }) => change === 'added' && isNew(name))
      .map(({ name }) => name.replace(/^.*\./, '')),
    ...[...compared.copied].map(({ name }) => stem(name)),
  ])
}

/** New functions of each unit that the fix's other units call. */
function lentFunctions(changes: readonly SourceChange[]): ReadonlyMap<string, readonly string[]> {
  const symbolsOf = ({ compared }: SourceChange) => compared.after.object.symbols
  const found = new Map<string, readonly string[]>()
  for (const one of changes) {
    const others = changes.filter((other) => other !== one).flatMap(symbolsOf)
    const wanted = new Set(others.filter(({ place }) => place === 'undefined').map(({ name }) => name))
    const shared = symbolsOf(one).filter(
      ({ type, binding, place }) => type === 'function' && binding !== 'local' && place !== 'undefined',
    )
    const own = new Set(shared.map(({ name }) => name))
    const lent = one.added.filter((name) => wanted.has(name) && own.has(name))
    if (lent.length > 0) found.set(one.unit, lent)
  }
  return found
}

/** The place of a live patch's source below the directory for results. */
function sourceDirectoryOf(output: string, name: string): string {
  return path.join(output, `livepatch-${name}`)
}

/**
 * @throws Fault `usage/directory-exists` when a directory is in the way, whose files somebody may have edited
 */
export function checkFree(output: string, name: string): void {
  const place = sourceDirectoryOf(output, name)
  if (isDirectory(place))
    throw new Fault('usage', 'directory-exists', `${place} is there already, and may have been edited`, {
      remedy: `Build it as it is with \`inarch build ${place}\`, remove it, or choose another place with --output`,
    })
}

/**
 * Writes the source of a live patch to `output`/livepatch-`name` and makes the module of it, in memory.
 * @throws as `writeSource` and `makeDirectoryModule`; the directory stays, for whoever wants to mend it
 */
export async function makeSource(job: Job, kernel: Kernel, fix: CompiledFix): Promise<SourceModule> {
  const { request, name } = fix
  const written = await writeSource(job, kernel, fix)
  const { source, provenance } = written
  try {
    const { bytes, manifest, objects } = await makeDirectoryModule(
      job,
      kernel,
      source,
      request.bind,
      provenance,
    )
    const { replacements, tree } = written
    const likeness = await job.journal.step('Comparing the source with the patched units', async (step) => {
      const comparable = { objects, replacements, directory: source.dir, tree, own: provenance.own }
      const found = await sourceLikeness(job, fix.compiled, comparable, fix.dir)
      const same = [...found.values()].filter(({ code }) => code === 'identical').length
      step.result(`${same} of ${inNumbers(found.size, 'function')} identical`)
      return found
    })
    const inputs = request.patches.map(({ file, sha256 }) => ({ file: path.basename(file), sha256 }))
    return {
      bytes,
      manifest: { ...manifest, inputs: [...inputs, ...manifest.inputs] },
      objects,
      likeness,
      directory: source.dir,
      source: written,
    }
  } catch (error) {
    if (!(error instanceof Fault) || error.kind === 'environment' || error.kind === 'unexpected') throw error
    const { kind, code, message, detail, findings } = error
    const place = sourceDirectoryOf(request.output, name)
    throw new Fault(kind, code, `The source in ${place} does not make a live patch: ${message}`, {
      findings,
      ...(detail === undefined ? {} : { detail }),
      remedy: `Mend it there and build it with \`inarch build ${place}\`, or take the binary engine`,
      cause: error,
    })
  }
}

/**
 * The source engine's live patch: what is delivered must be the patched units' functions.
 * @throws Fault `refused/extract-differs`, also where the compiler may have chosen otherwise and nobody has allowed it;
 * and as
 *   `makeSource`
 */
export async function makeFromSource(job: Job, kernel: Kernel, fix: CompiledFix): Promise<SourceModule> {
  const made = await makeSource(job, kernel, fix)
  const findings = withConsent(
    made.source.replacements.flatMap((one) =>
      likenessFindings(one.unit, one.oldName, made.likeness.get(likenessKey(one))),
    ),
    new Set(fix.request.allow),
  )
  const objections = objectionsAmong(findings)
  if (objections.length > 0)
    throw new Fault(
      'refused',
      'extract-differs',
      `The source in ${made.directory} is not what the patched units are`,
      {
        findings,
        remedy: objections.some(({ severity }) => severity === 'error')
          ? 'Look at the functions that are named, or take the binary engine'
          : 'Look at the functions that are named; when they do the same, say so: --allow ' +
            'extract-differs. Or take the binary engine',
      },
    )
  const { manifest } = made
  return { ...made, manifest: { ...manifest, findings: [...manifest.findings, ...findings] } }
}

/**
 * Writes the source of a live patch to `output`/livepatch-`name`.
 * @throws Fault `refused/*` with findings when the change can't be live patched, or there is none; and what
 * `extractSource`
 *   throws
 */
async function writeSource(
  job: Job,
  kernel: Kernel,
  { request, name, changes, compiled, dir }: CompiledFix,
): Promise<WrittenSource> {
  const found = await findSourceChanges(job, compiled)
  const findings: Finding[] = [
    ...compiled.findings,
    ...withOwnExports(
      found.map(({ compared }) => compared),
      found.flatMap((one) => one.findings),
    ),
  ]
  const callbacks = declaredCallbacks(
    found.map(({ compared, object }) => ({ change: compared, object })),
    findings,
  )
  const states = declaredStates(
    found.map(({ compared }) => compared),
    findings,
  )
  refuseIfErrors(kernel, findings)
  const lent = lentFunctions(found)
  const used = found.filter(
    ({ functions, unit }) =>
      functions.length > 0 || callbacks.some((callback) => callback.unit === unit) || lent.has(unit),
  )
  if (used.length === 0) throw changesNothing(findings)
  const names = await kernelNames(
    kernel,
    used.map(({ object }) => object),
  )
  try {
    const rename = renaming(used)
    const called = (one: SourceChange) =>
      callbacks.filter(({ unit }) => unit === one.unit).map((callback) => callback.name)
    const units = await openUnits(job, kernel)
    const tree = await patchedTree(kernel, compiled, units.find.bind(units), used, changes, dir)
    const texts = await job.journal.step('Extracting the source', async (step) => {
      const extracted: ExtractedSource[] = []
      for (const one of used) {
        const unit = units.find(one.unit).find(({ home }) => home !== 'elsewhere')
        if (unit === undefined) throw new Fault('unexpected', 'no-unit', `${one.unit} is no unit`)
        step.progress(one.unit)
        extracted.push(
          await extractSource(
            job,
            requestFor(
              kernel,
              one,
              { callbacks: called(one), lent: lent.get(one.unit) ?? [] },
              unit,
              tree,
              names,
              rename,
            ),
          ),
        )
      }
      return extracted
    })
    for (const { findings: more } of texts) findings.push(...more)
    const positionFor = soonest(targetOf(kernel, names, request.bind))
    const objects = planObjects(used, callbacks, names, rename, positionFor, findings)
    refuseIfErrors(kernel, findings)
    const { patches } = request
    const title = titleOf(patches)
    const plan: Plan = {
      name,
      description: describe(patches),
      ...(title === undefined ? {} : { title }),
      kernel: { release: kernel.release, version: kernel.version },
      patches: patches.map((patch) => ({ file: path.basename(patch.file), sha256: patch.sha256 })),
      objects,
      states,
      replace: request.replace,
      units: used.map(({ unit }) => ({ file: unitFileName(unit), source: unit })),
    }
    const place = sourceDirectoryOf(request.output, name)
    await writeSourceDirectory(
      place,
      filesOf(
        plan,
        texts.map(({ text }, index) => ({
          licence: licenceOf(readFileSync(path.join(tree, used[index]?.unit ?? ''), 'latin1')),
          text,
        })),
        changes.filter(
          ({ path: file, after }) => after !== undefined && !plan.units.some(({ source }) => source === file),
        ),
      ),
    )
    return {
      source: await readSourceDirectory(place),
      provenance: {
        reasons: new Map(
          used.flatMap(({ unit, functions }) =>
            functions.map(({ symbol, reasons }) => [`${unit} ${symbol}`, reasons] as const),
          ),
        ),
        own: new Map(used.map((one) => [one.unit, ownData(one)])),
        states: new Map(states.map(({ id, name: state, unit }) => [id, { name: state, unit }])),
        findings,
      },
      replacements: objects.flatMap(({ functions }) => functions),
      changes: used,
      tree,
    }
  } finally {
    names.close()
  }
}

/** The patched source with its own line numbers, as people know it. */
async function patchedTree(
  kernel: Kernel,
  { bench }: CompiledPairs,
  find: (source: string) => Unit[],
  used: readonly SourceChange[],
  changes: readonly FileChange[],
  dir: string,
): Promise<string> {
  const tree = path.join(dir, 'patched')
  const units = used.flatMap(({ unit }) => find(unit).slice(0, 1))
  const generated = (await Promise.all(units.map((unit) => generatedBefore(kernel, unit)))).flat()
  makeShadow(
    kernel.source,
    tree,
    [...shadowFiles(kernel, units, changes, false), ...generated],
    bench?.climbed ?? [],
  )
  return tree
}
