// SPDX-License-Identifier: GPL-3.0-or-later
// From a directory with a live patch's C source (src/source/directory/layout.ts) to the module and its manifest. The
// wrapper's own tables are what the kernel gets; here they are only read.
import { createHash } from 'node:crypto'
import path from 'node:path'
import { openUnits } from '../../build/kbuild/units.ts'
import { refuseIfErrors, withConsent } from '../../check/consent.ts'
import type { ObjectFile } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import type { Finding } from '../../ground/finding.ts'
import { inNumbers } from '../../ground/in-numbers.ts'
import type { Job } from '../../ground/job.ts'
import { withScratch } from '../../ground/scratch.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { type KernelNames, kernelNames } from '../../match/names.ts'
import { type SourceDirectory, wrapperFile } from '../../source/directory/layout.ts'
import type { BindMode } from '../bind/distance.ts'
import { missingEndbr } from '../bind/ibt-endbr.ts'
import { explainMismatches } from '../bind/mismatch.ts'
import { assemble } from '../link/assemble.ts'
import { boundTo, type Target, targetOf } from '../link/finish.ts'
import { packEvidence, textsOf } from '../manifest/evidence.ts'
import type { Manifest } from '../manifest/manifest.ts'
import { manifestHead, moduleNameOf, originInfo, type WrittenModule, writeModule } from '../manifest/output.ts'
import { openTemplate, type Template } from '../structures/template.ts'
import { readWrapper, type Wrapper } from '../structures/wrapper.ts'
import { auditDirectory } from './audited.ts'
import { carriedBy, inputsOf, objectsOf, type Provenance, statesOf } from './directory-manifest.ts'
import { type DirectoryObject, type KeptConstants, linkDirectory } from './directory-object.ts'
import { knownData } from './known-data.ts'
import { livepatchSymbolObjects } from './livepatch-symbol.ts'
import { type CompiledDirectory, compileDirectory, type SourceObject } from './source-objects.ts'
import { checkTables, type TabledFunction } from './wrapper-checks.ts'

export interface DirectoryModule {
  readonly bytes: Buffer
  readonly manifest: Manifest
  /** The compiled files of the units, before they were joined. */
  readonly objects: readonly SourceObject[]
}

/**
 * Builds the live patch of a directory, in memory.
 * @throws Fault `usage/*` when the directory is not as it must be, `patch/compile-error` with a file's line,
 * `refused/*` with
 *   findings
 */
export async function makeDirectoryModule(
  job: Job,
  kernel: Kernel,
  source: SourceDirectory,
  bind: BindMode | undefined,
  provenance?: Provenance,
): Promise<DirectoryModule> {
  checkKernel(kernel, source)
  return await withScratch(async (dir) => {
    const units = await openUnits(job, kernel)
    const template = await openTemplate(job, kernel, units, 'own')
    const compiled = await compileDirectory(job, kernel, source, template, units, dir)
    refuseIfErrors(kernel, compiled.findings)
    return await job.journal.step('Making the module', async (step) => {
      const wrapper = readWrapper(compiled.wrapper, template.layout, wrapperFile)
      const names = await kernelNames(kernel, [
        ...compiled.units.map(({ object }) => object),
        ...wrapper.objects.map(({ name }) => name),
        ...livepatchSymbolObjects(compiled),
      ])
      try {
        const linked = await linkAndCheck(job, kernel, compiled, wrapper, template, names, provenance)
        const target = targetOf(kernel, names, bind)
        const built = await moduleOf(job, kernel, source, linked, template, target, provenance)
        step.result(`${inNumbers(linked.tabled.length, 'function')} replaced`)
        return { ...built, objects: compiled.units }
      } finally {
        names.close()
      }
    })
  })
}

/** A compiled directory whose names are bound and whose tables hold. */
interface LinkedDirectory {
  readonly compiled: CompiledDirectory
  readonly wrapper: Wrapper
  readonly object: DirectoryObject
  readonly tabled: readonly TabledFunction[]
  readonly keptIn: KeptConstants
  readonly findings: readonly Finding[]
}

/** @throws Fault `refused/*` with findings */
async function linkAndCheck(
  job: Job,
  kernel: Kernel,
  compiled: CompiledDirectory,
  wrapper: Wrapper,
  template: Template,
  names: KernelNames,
  provenance: Provenance | undefined,
): Promise<LinkedDirectory> {
  const tables = checkTables(wrapper, compiled, names, wrapperFile)
  const data = new Map(
    compiled.units.map((one) => {
      const own = provenance && (provenance.own.get(one.unit) ?? new Set())
      return [one, knownData(one, names, own)] as const
    }),
  )
  const keptIn: KeptConstants = (one) => data.get(one)?.kept ?? new Map()
  const object = linkDirectory(compiled, template.object, names, keptIn)
  const unreachable = missingEndbr(object, object.bindings, names)
  const findings = [
    ...(provenance?.findings ?? []),
    ...compiled.findings,
    ...(await explainMismatches(job, kernel, names, [...tables.findings, ...object.findings])),
    ...unreachable,
    ...[...data.values()].flatMap((one) => one.findings),
  ]
  refuseIfErrors(kernel, findings)
  if (wrapper.objects.every(({ functions, callbacks }) => functions.length + callbacks.length === 0))
    throw new Fault('refused', 'nothing-to-patch', `${wrapperFile} replaces nothing and has no callback`)
  return { compiled, wrapper, object, tabled: tables.functions, keptIn, findings }
}

/** @throws Fault `refused/*` with findings */
async function moduleOf(
  job: Job,
  kernel: Kernel,
  source: SourceDirectory,
  { compiled, wrapper, object, tabled, keptIn, findings: known }: LinkedDirectory,
  template: Template,
  target: Target,
  provenance: Provenance | undefined,
): Promise<Pick<DirectoryModule, 'bytes' | 'manifest'>> {
  const info = modinfoOf(compiled.wrapper)
  const description = info.find(([key]) => key === 'description')?.[1] ?? `Live patch ${source.name}`
  const assembled = await assemble(job, kernel, template, object, object.bindings, () => [], target, {
    name: moduleNameOf(source.name),
    description,
    replace: wrapper.replace,
    objects: wrapper.objects.map(({ name }) => name),
    info: [
      ...info.filter(([key]) => key !== 'description').map(([key, value]) => `${key}=${value}`),
      ...originInfo(source.patches),
    ],
  })
  const findings = [...known, ...assembled.findings]
  refuseIfErrors(kernel, findings)
  const manifest: Manifest = {
    ...manifestHead(kernel, source.name, description),
    engine: 'source',
    replace: wrapper.replace,
    inputs: await inputsOf(source),
    sha256: createHash('sha256').update(assembled.bytes).digest('hex'),
    objects: objectsOf(wrapper, tabled, provenance),
    binding: boundTo(target, assembled),
    carried: compiled.units.flatMap((one) => carriedBy(one, wrapper, keptIn(one))),
    states: statesOf(wrapper, provenance),
    findings: findings.map((finding) => ({ ...finding })),
    timings: [],
  }
  return { bytes: assembled.bytes, manifest }
}

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
  const { bytes, manifest, objects } = await makeDirectoryModule(job, kernel, source, bind)
  const audited = await auditDirectory(job, kernel, source.name, bytes, objects, manifest.findings)
  const findings = withConsent([...manifest.findings, ...audited], new Set(allow))
  const timings = job.journal.timings.map(({ step, ms }) => ({ step, ms: Math.round(ms) }))
  const evidence = packEvidence({ inputs: await textsOf(source.dir, manifest.inputs), functions: [] })
  return await writeModule(output, bytes, { ...manifest, findings, evidence, timings })
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

/** `key=value` lines of the wrapper's `.modinfo`. */
function modinfoOf(wrapper: ObjectFile): [key: string, value: string][] {
  const data = wrapper.sections.find(({ name }) => name === '.modinfo')?.data ?? Buffer.alloc(0)
  return data
    .toString('utf8')
    .split('\0')
    .flatMap((line): [string, string][] => {
      const at = line.indexOf('=')
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]]
    })
}
