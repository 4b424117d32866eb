// SPDX-License-Identifier: GPL-3.0-or-later
// The source engine: patches in, a directory with the live patch's C source out, and the module that it compiles to.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { CompiledPairs } from '../build/compile.ts'
import { generatedBefore } from '../build/generated.ts'
import { macroHeaders } from '../build/macros.ts'
import { makeShadow } from '../build/shadow.ts'
import { shadowFiles } from '../build/sides.ts'
import { openUnits, type Unit } from '../build/units.ts'
import type { Anatomy, Piece } from '../diff/anatomy.ts'
import { stem } from '../diff/names.ts'
import { declaredCallbacks, declaredStates } from '../extract/callbacks.ts'
import { Fault } from '../ground/fault.ts'
import type { Finding } from '../ground/finding.ts'
import { isDirectory } from '../ground/is-directory.ts'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { FileChange } from '../patch/patch.ts'
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
} from '../source/directory.ts'
import { type ExtractedSource, extractSource, type SourceRequest } from '../source/extraction.ts'
import { unitComment } from '../source/header-comment.ts'
import { renderKbuild } from '../source/kbuild-text.ts'
import type { Plan, PlannedFunction, PlannedObject } from '../source/plan.ts'
import { runningNames } from '../source/running-names.ts'
import { findSourceChanges, type SourceChange } from '../source/unit-change.ts'
import { renderWrapper } from '../source/wrapper-text.ts'
import { binder } from './bind.ts'
import { makeDirectoryModule, type Provenance } from './directory.ts'
import { changesNothing, type MadeModule, refuseIfErrors } from './made.ts'
import { type Names, namesOf } from './names.ts'
import { describe, titleOf } from './naming.ts'
import type { MakeRequest } from './request.ts'
import type { SourceObject } from './source-objects.ts'

/** A module made from source, with what it was made of. */
export interface SourceModule extends MadeModule {
  readonly directory: string
  readonly source: WrittenSource
  /** The compiled files of the units. */
  readonly objects: readonly SourceObject[]
}

export interface WrittenSource {
  readonly source: SourceDirectory
  readonly provenance: Provenance
  readonly replacements: readonly PlannedFunction[]
  readonly changes: readonly SourceChange[]
}

/** New data of the fix, and data of which it asks for a copy, by their names without the compiler's numbers. */
export function ownData({ data, compared }: SourceChange): ReadonlySet<string> {
  return new Set([
    ...data.filter(({ change }) => change === 'added').map(({ name }) => name.replace(/^.*\./, '')),
    ...[...compared.copied].map(({ name }) => stem(name)),
  ])
}

/** The place of a live patch's source below the directory for results. */
export function sourceDirectoryOf(output: string, name: string): string {
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
export async function makeSource(
  job: Job,
  kernel: Kernel,
  request: MakeRequest,
  name: string,
  changes: readonly FileChange[],
  compiled: CompiledPairs,
  dir: string,
): Promise<SourceModule> {
  const written = await writeSource(job, kernel, request, name, changes, compiled, dir)
  const { source, provenance } = written
  try {
    const { bytes, manifest, objects } = await makeDirectoryModule(job, kernel, source, provenance)
    const inputs = request.patches.map(({ file, sha256 }) => ({ file: path.basename(file), sha256 }))
    return {
      bytes,
      manifest: { ...manifest, inputs: [...inputs, ...manifest.inputs] },
      objects,
      directory: source.dir,
      source: written,
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
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
 * Writes the source of a live patch to `output`/livepatch-`name`.
 * @param compiled from `compilePairs`, whose directory must still be there
 * @param dir a directory for what is needed meanwhile
 * @throws Fault `refused/*` with findings when the change can't be live patched, or there is none; and what `extractSource`
 *   throws
 */
export async function writeSource(
  job: Job,
  kernel: Kernel,
  request: MakeRequest,
  name: string,
  changes: readonly FileChange[],
  compiled: CompiledPairs,
  dir: string,
): Promise<WrittenSource> {
  const found = await findSourceChanges(job, compiled)
  const findings: Finding[] = [...compiled.findings, ...found.flatMap((one) => one.findings)]
  const callbacks = declaredCallbacks(
    found.map(({ compared, object }) => ({ change: compared, object })),
    findings,
  )
  const states = declaredStates(
    found.map(({ compared }) => compared),
    findings,
  )
  refuseIfErrors(kernel, findings)
  const used = found.filter(
    ({ functions, unit }) => functions.length > 0 || callbacks.some((callback) => callback.unit === unit),
  )
  if (used.length === 0) throw changesNothing(findings)
  const names = await namesOf(
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
          await extractSource(job, requestFor(kernel, one, called(one), unit, tree, names, rename)),
        )
      }
      return extracted
    })
    for (const { findings: more } of texts) findings.push(...more)
    const objects = planObjects(used, callbacks, names, rename, findings)
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
    }
  } finally {
    names.close()
  }
}

/** What stands for a unit, and the line that names the unit's licence. */
interface UnitText {
  readonly licence: string
  readonly text: string
}

/** The files of the directory. @param texts of the units, in their order @param others what else the fix changes */
function filesOf(plan: Plan, texts: readonly UnitText[], others: readonly FileChange[]): SourceFile[] {
  const headers = others.filter(({ path: file }) => /\.[ch]$/.test(file))
  const { name, kernel, patches, units } = plan
  return [
    {
      path: descriptionFile,
      text: renderDescription({
        name,
        kernel,
        patches: [...patches],
        units: [...units],
        headers: headers.map(({ path: file }) => file),
      }),
    },
    { path: 'Kbuild', text: renderKbuild(plan, headers.length > 0) },
    { path: wrapperFile, text: renderWrapper(plan) },
    ...units.map(({ file, source }, index) => {
      const { licence, text } = texts[index]!
      return { path: file, text: `${licence}${unitComment(plan, source)}${text}` }
    }),
    ...headers.map(({ path: file, after = '' }) => ({ path: `${headersDirectory}/${file}`, text: after })),
  ]
}

/** The line in which a C file names its licence; the kernel's own one when it has none. */
function licenceOf(text: string): string {
  const [, licence = 'GPL-2.0-only'] =
    /SPDX-License-Identifier: ([\w.+() -]*\w\)?)/.exec(text.slice(0, 500)) ?? []
  return `// SPDX-License-Identifier: ${licence}\n`
}

/** What each replaced function or callback is called; two units may each have one of the same name. */
function renaming(changes: readonly SourceChange[]): (unit: string, name: string) => string {
  const units = new Map<string, Set<string>>()
  for (const { unit, functions, compared } of changes)
    for (const name of [
      ...functions.map((one) => one.name),
      ...compared.directives.callbacks.map(({ piece }) => piece.name),
    ])
      units.set(name, (units.get(name) ?? new Set()).add(unit))
  return (unit, name) =>
    (units.get(name)?.size ?? 0) < 2
      ? `livepatch_${name}`
      : `livepatch_${path.posix.basename(unit, '.c').replace(/\W/g, '_')}_${name}`
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

function requestFor(
  kernel: Kernel,
  change: SourceChange,
  callbacks: readonly string[],
  unit: Unit,
  cwd: string,
  names: Names,
  rename: (unit: string, name: string) => string,
): SourceRequest {
  const { compared, object, functions, changed, added, data } = change
  const roots = new Set([...functions.map(({ name }) => name), ...callbacks])
  // What the fix makes anew is carried, and of what it changes the running kernel has only the old one.
  const carried = new Set([
    ...added,
    ...changed.filter((name) => !roots.has(name)),
    ...data.map(({ name }) => name),
    ...[...compared.copied].map(({ name }) => stem(name)),
  ])
  const running = runningNames({
    object,
    code: compared.before.object,
    count: (symbol) => names.symbols(object, symbol).length,
    positionOf: (before, piece) => positionOf(names, object, change.unit, before, piece),
    extracted: { names: [...roots], inlining: change.inlining },
  })
  return {
    unit: {
      file: unit.argument,
      cwd,
      compiler: kernel.compiler.program,
      flags: [...(unit.flags ?? []).filter((flag) => !/^-g/.test(flag)), ...macroHeaders().flags],
    },
    functions: [...roots],
    externalize: (name, kind) => (carried.has(name) ? undefined : running.externalize(name, kind)),
    rename: (name) => (roots.has(name) ? rename(change.unit, name) : name),
    includes: 'keep',
    carry: (name) => carried.has(name),
  }
}

/** Which of several symbols of its name a piece of a unit is; undefined when its code does not tell. */
function positionOf(
  names: Names,
  object: string,
  unit: string,
  before: Anatomy,
  piece: Piece,
): number | undefined {
  const binding = binder(names).bind({
    name: piece.name,
    from: object,
    unit,
    definition: piece,
    change: { unit, before },
    needed: true,
  })
  return binding?.kind === 'livepatch' && binding.sympos > 0 ? binding.sympos : undefined
}

/** The tables, with each function's position told by its code. */
function planObjects(
  used: readonly SourceChange[],
  callbacks: ReturnType<typeof declaredCallbacks>,
  names: Names,
  rename: (unit: string, name: string) => string,
  findings: Finding[],
): PlannedObject[] {
  const objects = [...new Set(used.map(({ object }) => object))].sort(
    (a, b) => Number(b === 'vmlinux') - Number(a === 'vmlinux') || (a < b ? -1 : 1),
  )
  return objects.map((object) => ({
    name: object,
    functions: used
      .filter((one) => one.object === object)
      .flatMap(({ unit, functions, compared: { before } }) =>
        functions.flatMap(({ name, symbol, reasons }) => {
          const piece = before.functions.find((one) =>
            [one.symbol, ...one.aliases].some((candidate) => candidate?.name === symbol),
          )
          const bind = binder(names)
          const position = piece && bind.replacement(object, piece, { unit, before })
          findings.push(...bind.findings)
          if (position === undefined) return []
          return [{ oldName: symbol, replacement: rename(unit, name), position, unit, reasons }]
        }),
      ),
    callbacks: callbacks
      .filter((one) => one.object === object)
      .map(({ kind, name, unit }) => ({ kind, name: rename(unit, name) })),
  }))
}
