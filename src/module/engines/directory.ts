// SPDX-License-Identifier: GPL-3.0-or-later
// From a directory with a live patch's C source (src/source/directory/layout.ts) to the module and its manifest. The
// wrapper's own tables are what the kernel gets; here they are only read.
import { createHash } from 'node:crypto'
import path from 'node:path'
import type { PatchedUnit } from '../../audit/audit.ts'
import { openUnits } from '../../build/kbuild/units.ts'
import { refuseIfErrors, withConsent } from '../../check/consent.ts'
import { isNumbered } from '../../diff/object/compiler-names.ts'
import { type Atom, isCode } from '../../diff/object/split-object.ts'
import type { ObjectFile } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import { inNumbers } from '../../ground/in-numbers.ts'
import { inputKinds, readInput } from '../../ground/input.ts'
import type { Job } from '../../ground/job.ts'
import { withScratch } from '../../ground/scratch.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { type Model, modelIn } from '../../kernel/model.ts'
import { exportersFor, type KernelTables, kernelNames, readTables } from '../../match/names.ts'
import { headersDirectory, type SourceDirectory, wrapperFile } from '../../source/directory/layout.ts'
import type { BindMode } from '../bind/distance.ts'
import { missingEndbr } from '../bind/ibt-endbr.ts'
import { explainMismatches } from '../bind/mismatch.ts'
import { assemble } from '../link/assemble.ts'
import { modinfoIn } from '../link/modinfo.ts'
import { boundTo, targetOf } from '../link/target.ts'
import { packEvidence, textsOf } from '../manifest/evidence.ts'
import type { Manifest } from '../manifest/manifest.ts'
import { type BuiltModule, manifestHead, originInfo, type WrittenModule, writeModule } from '../manifest/output.ts'
import { openTemplate } from '../structures/template.ts'
import { readWrapper, type Wrapper } from '../structures/wrapper.ts'
import { auditMade } from './audited.ts'
import { linkDirectory } from './directory-object.ts'
import { knownData } from './known-data.ts'
import { livepatchSymbolObjects } from './livepatch-symbol.ts'
import { compileDirectory, type SourceObject } from './source-objects.ts'
import { checkTables, type TabledFunction } from './wrapper-checks.ts'

/** How the live patch of a directory is built. */
export interface DirectoryRequest {
  readonly output: string
  /** Rules to whose warnings the author consents; the manifest records it. */
  readonly allow?: readonly string[]
  readonly bind?: BindMode | undefined
}

/**
 * Builds the live patch of a directory and writes the module and its manifest to `output`.
 * @throws as `makeDirectoryModule`
 */
export async function buildDirectory(
  job: Job,
  kernel: Kernel,
  source: SourceDirectory,
  { output, allow, bind }: DirectoryRequest,
): Promise<WrittenModule> {
  const tables = readTables(kernel)
  const { bytes, layout, manifest, objects } = await makeDirectoryModule(job, kernel, source, bind, tables)
  const { findings: told } = manifest
  const audited = await auditMade(job, kernel, source.name, {
    bytes,
    structures: layout,
    units: partsOf(objects),
    code: 'from-directory',
    model: manifest.model ?? 'kernel',
    told,
    tables,
  })
  const findings = withConsent([...told, ...audited], new Set(allow))
  const timings = job.journal.timings.map(({ step, ms }) => ({ step, ms: Math.round(ms) }))
  const evidence = packEvidence({ inputs: await textsOf(source.dir, manifest.inputs), functions: [] })
  return await writeModule(output, bytes, { ...manifest, findings, evidence, timings })
}

/** A directory's files, compiled, and the units that they stand for as the kernel has them. */
export function partsOf(objects: readonly SourceObject[]): PatchedUnit[] {
  return objects.map(({ unit, object, before, compiled }) => ({ unit, object, before: before.object, after: compiled }))
}

/** What is known of a directory that was just made, and that its files can't tell. */
export interface Provenance {
  /** Why a function is replaced, by `unit name`. */
  readonly reasons: ReadonlyMap<string, readonly string[]>
  /**
   * What each unit may have of its own although it can be written, by name: new data, and copies that the fix asks for.
   */
  readonly own: ReadonlyMap<string, ReadonlySet<string>>
  /** What a state is called, by its id. */
  readonly states: ReadonlyMap<number, { readonly name: string; readonly unit: string }>
  readonly findings: readonly Finding[]
}

export interface DirectoryModule extends BuiltModule {
  /** The compiled files of the units, before they were joined. */
  readonly objects: readonly SourceObject[]
}

/**
 * Builds the live patch of a directory, in memory.
 * @param tables what the kernel says of itself
 * @throws Fault `usage/*` when the directory is not as it must be, `patch/compile-error` with a file's line,
 * `refused/*` with
 *   findings
 */
export async function makeDirectoryModule(
  job: Job,
  kernel: Kernel,
  source: SourceDirectory,
  bind: BindMode | undefined,
  tables: Promise<KernelTables>,
  provenance?: Provenance,
): Promise<DirectoryModule> {
  checkKernel(kernel, source)
  return await withScratch(async (dir) => {
    const units = await openUnits(job, kernel)
    const template = await openTemplate(job, kernel, units)
    const { layout } = template
    const inputs = await inputsOf(source)
    const compiled = await compileDirectory(job, kernel, source, template, units, dir)
    await refuseIfChanged(source, inputs)
    const { units: objects, findings: compilerFindings } = compiled
    refuseIfErrors(kernel, compilerFindings)
    return await job.journal.step('Making the module', async (step) => {
      const wrapper = readWrapper(compiled.wrapper, layout, wrapperFile)
      const model = modelOf(compiled.wrapper)
      const inModules = objects.flatMap(({ object, compiled }) => (object === 'vmlinux' ? [] : compiled))
      const named = [
        ...objects.map(({ object }) => object),
        ...exportersFor(await tables, inModules),
        ...wrapper.objects.map(({ name }) => name),
        ...livepatchSymbolObjects(compiled),
      ]
      const names = await kernelNames(kernel, named, tables)
      try {
        const tabled = checkTables(wrapper, compiled, names, wrapperFile, model)
        const data = new Map(
          objects.map((one) => [one, knownData(one, names, provenance && (provenance.own.get(one.unit) ?? new Set()))]),
        )
        const keptIn = (one: SourceObject) => data.get(one)?.kept ?? new Map<string, Atom>()
        const object = linkDirectory(compiled, template.object, names, keptIn)
        const unreachable = missingEndbr(object, names)
        const known = [
          ...(provenance?.findings ?? []),
          ...compilerFindings,
          ...(await explainMismatches(job, kernel, names, [...tabled.findings, ...object.findings])),
          ...unreachable,
          ...[...data.values()].flatMap((one) => one.findings),
        ]
        refuseIfErrors(kernel, known)
        if (wrapper.objects.every(({ functions, callbacks }) => functions.length + callbacks.length === 0))
          throw new Fault('refused', 'nothing-to-patch', `${wrapperFile} replaces nothing and has no callback`)
        const info = modinfoIn([compiled.wrapper])
        const head = manifestHead(kernel, source.name, info.description ?? `Live patch ${source.name}`)
        const target = targetOf(kernel, names, bind)
        const { bytes, bound, findings } = await assemble(job, kernel, template, object, target, {
          ...head,
          objects: wrapper.objects.map(({ name }) => name),
          info: [...info.lines, ...originInfo(source.patches)],
        })
        const all = [...known, ...findings]
        refuseIfErrors(kernel, all)
        const manifest: Manifest = {
          ...head,
          engine: 'source',
          ...(model === 'kernel' ? {} : { model }),
          replace: wrapper.replace,
          inputs,
          sha256: createHash('sha256').update(bytes).digest('hex'),
          objects: objectsOf(wrapper, tabled.functions, provenance),
          binding: boundTo(target, bound),
          carried: objects.flatMap((one) => carriedBy(one, wrapper, keptIn(one))),
          states: statesOf(wrapper, provenance),
          findings: all.map((finding) => ({ ...finding })),
          timings: [],
        }
        step.result(`${inNumbers(tabled.functions.length, 'function')} replaced`)
        return { bytes, manifest, layout, objects }
      } finally {
        names.close()
      }
    })
  })
}

/** @throws Fault `usage/unknown-model` */
function modelOf(wrapper: ObjectFile): Model {
  const told = modelIn(wrapper)
  if ('model' in told) return told.model
  throw new Fault('usage', 'unknown-model', `${wrapperFile} does not say which model carries it: ${told.doubt}`, {
    remedy: 'Let its init function call klp_enable_patch(), or inarch_enable_patch() with one of enum inarch_model',
  })
}

/** The source was cut out of one exact kernel; another one's private functions may differ. */
function checkKernel(kernel: Kernel, { kernel: wanted, dir }: SourceDirectory): void {
  if (kernel.release === wanted.release && kernel.version === wanted.version) return
  throw new Fault(
    'usage',
    'other-kernel',
    `${path.basename(dir)} is source for ${wanted.release} (${wanted.version}), not for ` +
      `${kernel.release} (${kernel.version})`,
    {
      remedy: 'Make it again from the fix with --kernel; or compare by hand, and change the kernel in inarch.json',
    },
  )
}

/** What the module was made of, by content. */
async function inputsOf({ dir, units, headers }: SourceDirectory): Promise<Manifest['inputs']> {
  const files = [
    wrapperFile,
    ...units.map(({ file }) => file),
    ...headers.map((one) => path.join(headersDirectory, one)),
  ]
  return await Promise.all(
    files.map(async (file) => ({
      file,
      sha256: createHash('sha256')
        .update(await readInput(path.join(dir, file), inputKinds.source))
        .digest('hex'),
    })),
  )
}

/** What the compiler has read must be what the manifest names. @throws Fault `usage/changed-meanwhile` */
async function refuseIfChanged(source: SourceDirectory, inputs: Manifest['inputs']): Promise<void> {
  const now = await inputsOf(source)
  const changed = inputs.find(({ sha256 }, index) => sha256 !== now[index]?.sha256)
  if (changed === undefined) return
  throw new Fault('usage', 'changed-meanwhile', `${changed.file} was changed while it was compiled`, {
    remedy: 'Build again',
  })
}

function objectsOf(
  { objects }: Wrapper,
  functions: readonly TabledFunction[],
  provenance: Provenance | undefined,
): Manifest['objects'] {
  return objects.map(({ name, callbacks }) => ({
    name,
    functions: functions
      .filter(({ object }) => object === name)
      .map(({ oldName, position, file, match }) => ({
        name: oldName,
        sympos: position,
        unit: file.unit,
        reasons: [...(provenance?.reasons.get(`${file.unit} ${oldName}`) ?? [`${file.file} replaces it`])],
        ...(match === undefined ? {} : { match }),
      })),
    callbacks: callbacks.map((callback) => ({ ...callback, unit: wrapperFile })),
  }))
}

function statesOf({ states }: Wrapper, provenance: Provenance | undefined): Manifest['states'] {
  return states.map(({ id, version }) => {
    const known = provenance?.states.get(id)
    return { name: known?.name ?? `state ${id}`, id, version, unit: known?.unit ?? wrapperFile }
  })
}

/** What a file defines besides the functions of the tables, and what is the kernel's. */
function carriedBy(
  { compiled, unit, file }: SourceObject,
  { objects }: Wrapper,
  kept: ReadonlyMap<string, Atom>,
): Manifest['carried'] {
  const tabled = new Set(
    objects.flatMap(({ functions, callbacks }) => [
      ...functions.map(({ replacement }) => replacement),
      ...callbacks.map(({ name }) => name),
    ]),
  )
  return compiled.symbols.flatMap(({ name, section, type }) => {
    if (section === undefined || tabled.has(name) || kept.has(name) || isNumbered(name) || name.startsWith('.'))
      return []
    if (type !== 'function' && type !== 'object') return []
    if (/\.(cold|part|isra|constprop)\b/.test(name)) return []
    const kind = isCode(section) ? ('function' as const) : ('data' as const)
    return [{ name, kind, unit, reason: `${file} defines it` }]
  })
}
