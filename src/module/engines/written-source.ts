// SPDX-License-Identifier: GPL-3.0-or-later
// A fix written as the C source of a live patch: what of it is needed, extracted from each unit, and the directory's
// files.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type BuildTrees, shadowFiles } from '../../build/compiler/compile-unit.ts'
import { generatedBefore } from '../../build/kbuild/generated.ts'
import { makeShadow } from '../../build/kbuild/shadow-tree.ts'
import { refuseIfErrors } from '../../check/consent.ts'
import { stem } from '../../diff/object/compiler-names.ts'
import {
  type DeclaredCallback,
  type DeclaredState,
  declaredCallbacks,
  declaredStates,
} from '../../extract/callbacks.ts'
import { withOwnExports } from '../../extract/own-exports.ts'
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { keptVariables } from '../../source/change/kept-variables.ts'
import type { SourceChange } from '../../source/change/source-change.ts'
import { findSourceChanges } from '../../source/change/unit-change.ts'
import {
  readSourceDirectory,
  type SourceDirectory,
  unitFileName,
  writeSourceDirectory,
} from '../../source/directory/layout.ts'
import type { Plan, PlannedFunction, PlannedObject } from '../../source/directory/plan.ts'
import { extractSource } from '../../source/extract/extraction.ts'
import type { ExtractedSource } from '../../source/view/request.ts'
import { targetOf } from '../link/finish.ts'
import { soonest } from '../link/positions.ts'
import { describe, titleOf } from '../manifest/naming.ts'
import { changesNothing } from '../manifest/output.ts'
import type { Provenance } from './directory-manifest.ts'
import { filesOf, licenceOf } from './source-files.ts'
import { planObjects, type Rename, renaming } from './source-plan.ts'
import { requestFor } from './source-request.ts'
import type { StudiedFix } from './study.ts'

export interface WrittenSource {
  readonly source: SourceDirectory
  readonly provenance: Provenance
  readonly replacements: readonly PlannedFunction[]
  readonly changes: readonly SourceChange[]
  /** The patched source, with its own line numbers. */
  readonly tree: string
}

/** What the source of a fix must hold. */
interface Contents {
  /** The units that have something for it. */
  readonly used: readonly SourceChange[]
  readonly callbacks: readonly DeclaredCallback[]
  readonly states: readonly DeclaredState[]
  /** New functions of each unit that the fix's other units call. */
  readonly lent: ReadonlyMap<string, readonly string[]>
  readonly findings: readonly Finding[]
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
  const symbols = changes.map(({ compared }) => compared.after.object.symbols)
  const wanted = new Set(symbols.flat().flatMap(({ place, name }) => (place === 'undefined' ? [name] : [])))
  const found = new Map<string, readonly string[]>()
  for (const [index, { unit, added }] of changes.entries()) {
    const shared = symbols[index]!.filter(
      ({ type, binding, place }) => type === 'function' && binding !== 'local' && place !== 'undefined',
    )
    const own = new Set(shared.map(({ name }) => name))
    const lent = added.filter((name) => wanted.has(name) && own.has(name))
    if (lent.length > 0) found.set(unit, lent)
  }
  return found
}

/** The place of a live patch's source below the directory for results. */
export function sourceDirectoryOf(output: string, name: string): string {
  return path.join(output, `livepatch-${name}`)
}

/**
 * Writes the source of a live patch to `output`/livepatch-`name`.
 * @throws Fault `refused/*` with findings when the change can't be live patched, or there is none; and what
 *   `extractSource` throws
 */
export async function writeFixAsSource(job: Job, kernel: Kernel, fix: StudiedFix): Promise<WrittenSource> {
  const { names, request, compiled } = fix
  const contents = contentsOf(kernel, fix, await findSourceChanges(job, compiled.bench, fix.units))
  const { used, callbacks, states } = contents
  const rename = renaming(used)
  // Without trees nothing was compared, and there is nothing to write.
  const tree = await patchedTree(kernel, compiled.bench!, used, fix)
  const texts = await extractAll(job, kernel, fix, contents, tree, rename)
  const findings = [...contents.findings, ...texts.flatMap((one) => one.findings)]
  const positionFor = soonest(targetOf(kernel, names, request.bind))
  const objects = planObjects(used, callbacks, names, rename, positionFor, findings)
  refuseIfErrors(kernel, findings)
  const place = sourceDirectoryOf(request.output, fix.name)
  await writeSourceDirectory(place, textFiles(planOf(kernel, fix, contents, objects), texts, tree, fix))
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
}

/** @throws Fault `refused/*` with findings */
function contentsOf(kernel: Kernel, { compiled }: StudiedFix, found: readonly SourceChange[]): Contents {
  const findings: Finding[] = [
    ...compiled.findings,
    ...withOwnExports(
      found.map(({ compared }) => compared),
      found.flatMap((one) => one.findings),
    ),
  ]
  const units = found.map(({ compared, object }) => ({ change: compared, object }))
  const callbacks = declaredCallbacks(units, findings)
  const states = declaredStates(units, findings)
  refuseIfErrors(kernel, findings)
  const lent = lentFunctions(found)
  const used = found.filter(
    ({ functions, unit }) =>
      functions.length > 0 || callbacks.some((callback) => callback.unit === unit) || lent.has(unit),
  )
  if (used.length === 0) throw changesNothing(findings)
  return { used, callbacks, states, lent, findings }
}

/** The C file of each unit. */
async function extractAll(
  job: Job,
  kernel: Kernel,
  { units, names }: StudiedFix,
  { used, callbacks, lent }: Contents,
  tree: string,
  rename: Rename,
): Promise<ExtractedSource[]> {
  const called = (unit: string) => callbacks.filter((one) => one.unit === unit).map(({ name }) => name)
  return await job.journal.step('Extracting the source', async (step) => {
    const extracted: ExtractedSource[] = []
    for (const one of used) {
      step.progress(one.unit)
      const { unit } = units.find(({ change }) => change === one.compared)!
      const besides = { callbacks: called(one.unit), lent: lent.get(one.unit) ?? [] }
      extracted.push(await extractSource(job, requestFor(kernel, one, besides, unit, tree, names, rename)))
    }
    return extracted
  })
}

function planOf(
  kernel: Kernel,
  { request: { patches, replace }, name }: StudiedFix,
  { used, states }: Contents,
  objects: readonly PlannedObject[],
): Plan {
  const title = titleOf(patches)
  return {
    name,
    description: describe(patches),
    ...(title === undefined ? {} : { title }),
    kernel: { release: kernel.release, version: kernel.version },
    patches: patches.map((patch) => ({ file: path.basename(patch.file), sha256: patch.sha256 })),
    objects,
    states,
    replace,
    units: used.map(({ unit }) => ({ file: unitFileName(unit), source: unit })),
  }
}

function textFiles(plan: Plan, texts: readonly ExtractedSource[], tree: string, { changes }: StudiedFix) {
  return filesOf(
    plan,
    texts.map(({ text }, index) => ({
      licence: licenceOf(readFileSync(path.join(tree, plan.units[index]?.source ?? ''), 'latin1')),
      text,
    })),
    changes.filter(({ path: file, after }) => after !== undefined && !plan.units.some(({ source }) => source === file)),
  )
}

/** The patched source with its own line numbers, as people know it. */
async function patchedTree(
  kernel: Kernel,
  { known, climbed }: BuildTrees,
  used: readonly SourceChange[],
  { changes, dir }: StudiedFix,
): Promise<string> {
  const tree = path.join(dir, 'patched')
  const units = used.flatMap(({ unit }) => known.find(unit).slice(0, 1))
  const generated = (await Promise.all(units.map((unit) => generatedBefore(kernel, unit)))).flat()
  makeShadow(kernel.source, tree, [...shadowFiles(kernel, units, changes, false), ...generated], climbed)
  return tree
}
