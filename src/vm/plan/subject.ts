// SPDX-License-Identifier: GPL-3.0-or-later
// What is to be proven: a live patch module and what is known about it. The manifest beside it says
// all; without one the module's own sections say enough to try it.
import { createHash } from 'node:crypto'
import path from 'node:path'
import { type ObjectFile, readObject } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'
import { inputKinds, readInput, readInputIfAny } from '../../ground/input.ts'
import { fittingJson } from '../../ground/schema.ts'
import { defined } from '../../ground/values/defined.ts'
import { type Model, modelIn } from '../../kernel/model.ts'
import { type Manifest, manifestSchema } from '../../module/manifest/manifest.ts'
import { splitSignature } from '../../module/manifest/signature.ts'
import { listedFunctions } from '../../module/structures/listed-functions.ts'
import type { ReplacedName } from '../../transition/sleeping-tasks.ts'

export interface Subject {
  /** Absolute path of the module file. */
  readonly file: string
  readonly bytes: Buffer
  /** Of the module without a signature that somebody appended. */
  readonly sha256: string
  /** The module's name as the kernel knows it. */
  readonly name: string
  /** `uname -r` of the kernel that it was built for. */
  readonly release: string
  readonly origin: 'debian' | 'local' | 'unknown'
  /** The kernel modules that it patches; vmlinux is not among them. */
  readonly targets: readonly string[]
  /** How tasks go over to its code, as the module itself says it. */
  readonly model: Model
  readonly manifest?: Manifest
  /** What its own tables tell the kernel to replace; undefined when they can't be understood. */
  readonly listed?: readonly ReplacedName[]
}

const kernelName = /^[A-Za-z0-9_-]{1,55}$/

async function readManifest(file: string): Promise<Manifest | undefined> {
  const text = await readInputIfAny(file, inputKinds.manifest)
  if (text === undefined) return undefined
  const bad = (what: string, detail?: string) =>
    new Fault('usage', 'bad-manifest', `The manifest ${file} ${what}`, {
      detail,
      remedy: 'Build the live patch again with `inarch build`',
    })
  return fittingJson(
    manifestSchema,
    text.toString('utf8'),
    (detail) => bad("can't be understood", detail),
    () => bad('is not JSON'),
  )
}

/** The `key=value` strings of a module's .modinfo section. */
function modinfo(data: Buffer): Map<string, string> {
  const info = new Map<string, string>()
  for (const entry of data.toString('latin1').split('\0')) {
    const at = entry.indexOf('=')
    if (at > 0 && !info.has(entry.slice(0, at))) info.set(entry.slice(0, at), entry.slice(at + 1))
  }
  return info
}

/**
 * Reads a live patch module and the manifest beside it.
 * @throws Fault `usage` when it is missing, no live patch, or differs from its manifest
 */
export async function readSubject(file: string): Promise<Subject> {
  const absolute = path.resolve(file)
  const bytes = await readInput(file, inputKinds.module)
  const sha256 = createHash('sha256').update(splitSignature(bytes).content).digest('hex')
  const section = readSections(bytes, file)
  const info = modinfo(section('.modinfo') ?? Buffer.alloc(0))
  if (info.get('livepatch') !== 'Y')
    throw new Fault('usage', 'not-a-live-patch', `${file} is a kernel object, but no live patch`, {
      remedy: 'Name a live patch module, such as the one that `inarch build fix.patch` makes',
    })
  const model = modelOf(bytes, file)
  const manifestFile = absolute.replace(/\.ko$/, '.json')
  const manifest = manifestFile === absolute ? undefined : await readManifest(manifestFile)
  if (manifest !== undefined) {
    if (manifest.sha256 !== sha256)
      throw new Fault('usage', 'manifest-differs', `${file} is not the module that its manifest describes`, {
        detail: `module    ${sha256}\nmanifest  ${manifest.sha256}`,
        remedy: 'Build the live patch again with `inarch build`',
      })
    compareFunctions(bytes, file, manifest)
    if ((manifest.model ?? 'kernel') !== model)
      throw new Fault('usage', 'manifest-differs', `${file} has the model ${model}, and its manifest says another`, {
        remedy: 'Build the live patch again with `inarch build`',
      })
    return {
      file: absolute,
      bytes,
      sha256,
      name: manifest.module,
      release: manifest.kernel.release,
      origin: manifest.kernel.origin,
      targets: manifest.objects.map(({ name }) => name).filter((name) => name !== 'vmlinux'),
      model,
      manifest,
    }
  }
  const name = info.get('name') ?? path.basename(absolute, '.ko').replaceAll('-', '_')
  const release = info.get('vermagic')?.split(' ')[0] ?? ''
  if (!kernelName.test(name) || !/^[A-Za-z0-9._+~-]{1,64}$/.test(release))
    throw new Fault('usage', 'not-a-live-patch', `${file} does not say its name and its kernel`)
  const object = parse(bytes, file)
  const listed = listedFunctions(object)?.map(
    (one): ReplacedName => ({ object: one.object, name: one.name, sympos: one.sympos }),
  )
  const objects = [...(listed ?? []).map((one) => one.object), ...klpTargets(object)]
  return {
    file: absolute,
    bytes,
    sha256,
    name,
    release,
    origin: 'unknown',
    model,
    targets: [...new Set(objects)].filter((target) => target !== 'vmlinux'),
    ...defined({ listed }),
  }
}

/** @throws Fault `usage/unknown-model` */
function modelOf(bytes: Buffer, file: string): Model {
  const told = modelIn(parse(bytes, file))
  if ('model' in told) return told.model
  throw new Fault('usage', 'unknown-model', `${file} does not say which model carries it: ${told.doubt}`, {
    remedy: 'Hand inarch_enable_patch() one of enum inarch_model, and build it again',
  })
}

/**
 * Compares what the module's own tables tell the kernel to replace with what the manifest says.
 * @throws Fault `usage/manifest-differs`
 */
function compareFunctions(bytes: Buffer, file: string, manifest: Manifest): void {
  const spell = (object: string, name: string, sympos: number) =>
    `${name} of ${object.replaceAll('-', '_')}${sympos > 1 ? `, number ${sympos}` : ''}`
  const listed = (listedFunctions(parse(bytes, file)) ?? []).map((one) => spell(one.object, one.name, one.sympos))
  const told = replacedNames({ manifest }).map((one) => spell(one.object, one.name, one.sympos))
  const without = (some: readonly string[], others: readonly string[]) =>
    some.filter((one, at) => !others.includes(one) || some.indexOf(one) !== at)
  const refuse = (says: string) =>
    new Fault('usage', 'manifest-differs', `${file} is not the module that its manifest describes: ${says}`, {
      remedy: 'Build the live patch again with `inarch build`',
    })
  const [untold] = without(listed, told)
  if (untold !== undefined) throw refuse(`it replaces ${untold}, of which the manifest does not tell`)
  const [absent] = without(told, listed)
  if (absent !== undefined) throw refuse(`it does not replace ${absent}`)
}

/**
 * The manifest, for who needs to know what the live patch replaces.
 * @throws Fault `usage/manifest-needed`
 */
export function manifestOf({ manifest, name, file }: Subject): Manifest {
  if (manifest !== undefined) return manifest
  throw new Fault('usage', 'manifest-needed', `The manifest of ${name} is missing, which says what it replaces`, {
    remedy: `Put the manifest that \`inarch build\` made beside ${file}`,
  })
}

/** The functions that a live patch replaces, by its manifest; without one, by its own tables. */
export function replacedNames({
  manifest,
  listed = [],
}: Pick<Subject, 'manifest' | 'listed'>): readonly ReplacedName[] {
  if (manifest === undefined) return listed
  return manifest.objects.flatMap(({ name: object, functions }) =>
    functions.map(({ name, sympos }) => ({ object, name, sympos })),
  )
}

/**
 * What a live patch without a manifest replaces.
 * @throws Fault `usage/manifest-needed` when its tables don't tell either
 */
export function listedOf({ listed, name, file }: Subject): readonly ReplacedName[] {
  if (listed !== undefined) return listed
  throw new Fault(
    'usage',
    'manifest-needed',
    `The manifest of ${name} is missing, and the module's own tables don't tell what it replaces`,
    { remedy: `Put the manifest that \`inarch build\` made beside ${file}` },
  )
}

function readSections(bytes: Buffer, file: string): (name: string) => Buffer | undefined {
  const object = parse(bytes, file)
  return (name) => object.sections.find((section) => section.name === name)?.data
}

/** Modules named by `.klp.rela.OBJECT.SECTION` (Documentation/livepatch/module-elf-format.rst). */
function klpTargets({ sections }: ObjectFile): string[] {
  const names = sections.flatMap(({ name }) => /^\.klp\.rela\.([^.]+)\./.exec(name)?.[1] ?? [])
  return [...new Set(names)].filter((name) => name !== 'vmlinux' && kernelName.test(name))
}

function parse(bytes: Buffer, file: string) {
  try {
    return readObject(bytes, file)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    throw new Fault('usage', 'not-a-live-patch', `${file} is not a kernel module`, { detail: error.message })
  }
}

/**
 * How the kernel is named on which `subject` is to be proven: by the user, else by what it was built for.
 * @throws Fault `usage/build-dir-needed` when it was built for a build tree that is not named
 */
export function kernelWish(
  subject: Subject,
  wanted: { readonly kernel?: string; readonly buildDir?: string },
): { readonly kernel?: string; readonly buildDir?: string } {
  if (wanted.kernel !== undefined || wanted.buildDir !== undefined) return wanted
  if (subject.origin === 'local')
    throw new Fault('usage', 'build-dir-needed', `The live patch was built for ${subject.release} from a build tree`, {
      remedy: 'Name the tree with --build-dir DIR',
    })
  return { kernel: subject.release }
}
