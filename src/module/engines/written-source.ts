// SPDX-License-Identifier: GPL-3.0-or-later
// A fix written as the C source of a live patch: what of it is needed, extracted from each unit, and the directory's
// files.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { shadowFiles } from '../../build/compiler/compile-unit.ts'
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
import type { FileChange } from '../../patch/patch.ts'
import { keptVariables } from '../../source/change/kept-variables.ts'
import type { SourceChange } from '../../source/change/source-change.ts'
import { findSourceChanges } from '../../source/change/unit-change.ts'
import { unitComment } from '../../source/directory/header-comment.ts'
import { renderKbuild } from '../../source/directory/kbuild-text.ts'
import {
  descriptionFile,
  headersDirectory,
  readSourceDirectory,
  renderDescription,
  type SourceDirectory,
  type SourceFile,
  unitFileName,
  wrapperFile,
  writeSourceDirectory,
} from '../../source/directory/layout.ts'
import type { Plan, PlannedFunction, PlannedObject } from '../../source/directory/plan.ts'
import { renderWrapper } from '../../source/directory/wrapper-text.ts'
import { extractSource } from '../../source/extract/extraction.ts'
import type { ExtractedSource } from '../../source/view/request.ts'
import { Binder } from '../bind/bind.ts'
import { soonest, targetOf } from '../link/target.ts'
import { describe, titleOf } from '../manifest/naming.ts'
import { changesNothing } from '../manifest/output.ts'
import { objectsOf } from '../structures/tables.ts'
import type { Provenance } from './directory.ts'
import type { StudiedFix } from './draft.ts'
import { type Rename, requestFor } from './source-request.ts'

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
export async function writeFixAsSource(job: Job, fix: StudiedFix): Promise<WrittenSource> {
  const { kernel, names, request, compiled } = fix
  const contents = contentsOf(fix, await findSourceChanges(job, compiled.bench, fix.units))
  const { used, states } = contents
  const rename = renaming(used)
  const tree = await patchedTree(fix, used)
  const texts = await extractAll(job, fix, contents, tree, rename)
  const findings = [...contents.findings, ...texts.flatMap((one) => one.findings)]
  const objects = planObjects(fix, contents, rename, soonest(targetOf(kernel, names, request.bind)), findings)
  refuseIfErrors(kernel, findings)
  const place = sourceDirectoryOf(request.output, fix.name)
  await writeSourceDirectory(place, filesOf(planOf(fix, contents, objects), texts, tree, fix.changes))
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
function contentsOf({ kernel, compiled }: StudiedFix, found: readonly SourceChange[]): Contents {
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
  fix: StudiedFix,
  { used, callbacks, lent }: Contents,
  tree: string,
  rename: Rename,
): Promise<ExtractedSource[]> {
  return await job.journal.step('Extracting the source', async (step) => {
    const extracted: ExtractedSource[] = []
    for (const one of used) {
      step.progress(one.unit)
      const called = callbacks.filter(({ unit }) => unit === one.unit).map(({ name }) => name)
      const besides = { callbacks: called, lent: lent.get(one.unit) ?? [] }
      extracted.push(await extractSource(job, requestFor(fix, one, besides, tree, rename)))
    }
    return extracted
  })
}

/** What each replaced function or callback is called; two units may each have one of the same name. */
function renaming(changes: readonly SourceChange[]): Rename {
  const units = new Map<string, Set<string>>()
  for (const { unit, functions, compared } of changes)
    for (const name of [
      ...functions.map((one) => one.name),
      ...compared.directives.callbacks.map(({ atom }) => atom.name),
    ])
      units.set(name, (units.get(name) ?? new Set()).add(unit))
  return (unit, name) =>
    (units.get(name)?.size ?? 0) < 2
      ? `livepatch_${name}`
      : `livepatch_${path.posix.basename(unit, '.c').replace(/\W/g, '_')}_${name}`
}

/**
 * The tables, by kernel object, vmlinux first.
 * @param positionFor the position by which the kernel is asked for a function of an object at another one
 * @param findings gets what keeps a function from being replaced
 */
function planObjects(
  { names }: StudiedFix,
  { used, callbacks }: Contents,
  rename: Rename,
  positionFor: (object: string, position: number) => number,
  findings: Finding[],
): PlannedObject[] {
  return objectsOf(used).map((object) => ({
    name: object,
    functions: used
      .filter((one) => one.object === object)
      .flatMap(({ unit, functions, compared: { before } }) =>
        functions.flatMap(({ name, symbol, reasons }) => {
          const atom = before.functions.find((one) =>
            [one.symbol, ...one.aliases].some((candidate) => candidate?.name === symbol),
          )
          const binder = new Binder(names)
          const position = atom && binder.replacement(object, atom, { unit, before })
          findings.push(...binder.findings.map(({ finding }) => finding))
          if (position === undefined) return []
          const replacement = rename(unit, name)
          return [{ oldName: symbol, replacement, position: positionFor(object, position), unit, reasons }]
        }),
      ),
    callbacks: callbacks
      .filter((one) => one.object === object)
      .map(({ kind, name, unit }) => ({ kind, name: rename(unit, name) })),
  }))
}

function planOf(
  { kernel, request: { patches, replace, model = 'kernel' }, name }: StudiedFix,
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
    model,
    replace,
    units: used.map(({ unit }) => ({ file: unitFileName(unit), source: unit })),
  }
}

/** The files of the directory. */
function filesOf(
  plan: Plan,
  texts: readonly ExtractedSource[],
  tree: string,
  changes: readonly FileChange[],
): SourceFile[] {
  const { name, kernel, patches, units } = plan
  const headers = changes.flatMap(({ path: file, after }) =>
    after === undefined || !/\.[ch]$/.test(file) || units.some(({ source }) => source === file)
      ? []
      : [{ path: file, text: after }],
  )
  return [
    {
      path: descriptionFile,
      text: renderDescription({
        name,
        kernel,
        patches: [...patches],
        units: [...units],
        headers: headers.map((one) => one.path),
      }),
    },
    { path: 'Kbuild', text: renderKbuild(plan, headers.length > 0) },
    { path: wrapperFile, text: renderWrapper(plan) },
    ...units.map(({ file, source }, index) => {
      const licence = licenceOf(readFileSync(path.join(tree, source), 'latin1'))
      return { path: file, text: `${licence}${unitComment(plan, source)}${texts[index]!.text}` }
    }),
    ...headers.map((one) => ({ path: `${headersDirectory}/${one.path}`, text: one.text })),
  ]
}

/** The line in which a C file names its licence; the kernel's own one when it has none. */
function licenceOf(text: string): string {
  const [, licence = 'GPL-2.0-only'] = /SPDX-License-Identifier: ([\w.+() -]*\w\)?)/.exec(text.slice(0, 500)) ?? []
  return `// SPDX-License-Identifier: ${licence}\n`
}

/** The patched source with its own line numbers, as people know it. */
async function patchedTree(
  { kernel, changes, dir, compiled: { bench } }: StudiedFix,
  used: readonly SourceChange[],
): Promise<string> {
  const tree = path.join(dir, 'patched')
  const units = used.flatMap(({ unit }) => bench.known.find(unit).slice(0, 1))
  const generated = (await Promise.all(units.map((unit) => generatedBefore(kernel, unit)))).flat()
  makeShadow(kernel.source, tree, [...shadowFiles(kernel, units, changes, false), ...generated], bench.climbed)
  return tree
}
