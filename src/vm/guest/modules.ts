// SPDX-License-Identifier: GPL-3.0-or-later
// Which of the kernel's own modules the guest gets, and the indexes with which its modprobe finds them
// when the kernel itself asks for one (request_module).
import path from 'node:path'
import { Fault } from '../../ground/fault.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { depmodLines, findModule, readModule } from '../../kernel/modules.ts'
import type { Entry } from './cpio.ts'

export interface GuestModule {
  readonly name: string
  /** Where it lies inside the guest; never compressed. */
  readonly path: string
  readonly bytes: Uint8Array
  /** Names of the modules that must be loaded before it. */
  readonly before: readonly string[]
}

const plain = (file: string) => file.replace(/\.(xz|zst|gz)$/, '')
const kernelName = (name: string) => name.replaceAll('-', '_')
const nameOf = (file: string) => kernelName(path.basename(plain(file), '.ko'))

/** True when the module is part of vmlinux in this kernel. */
async function isBuiltIn(kernel: Kernel, name: string): Promise<boolean> {
  return (await depmodLines(kernel, 'modules.builtin')).some((line) => nameOf(line) === kernelName(name))
}

/** Names of modules that a soft dependency can mean: a module, or what a `request_module` alias finds. */
async function meant(kernel: Kernel, names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return []
  const wanted = new Set(names.flatMap((name) => [kernelName(name), `crypto_${kernelName(name)}`]))
  const aliased = (await depmodLines(kernel, 'modules.alias')).flatMap((line) => {
    const [word, alias = '', module = ''] = line.split(/\s+/)
    return word === 'alias' && wanted.has(kernelName(alias)) ? [module] : []
  })
  return [...new Set([...names, ...aliased])]
}

/**
 * The modules called `names` with all that they depend on, in an order in which they can be loaded.
 * What is built into the kernel is left out.
 * @param wishes when given, also these, and what a module merely likes to have (soft dependencies),
 *   as far as the kernel has them
 * @throws Fault `environment/no-such-module` when this kernel has no such module
 */
export async function gatherModules(
  kernel: Kernel,
  names: readonly string[],
  wishes?: readonly string[],
): Promise<GuestModule[]> {
  const gathered = new Map<string, GuestModule>()
  const take = async (file: string, before: readonly string[]) => {
    const name = nameOf(file)
    if (gathered.has(name)) return
    gathered.set(name, {
      name,
      path: path.relative(kernel.modulesRoot, plain(file)),
      bytes: await readModule(file),
      before: before.map(nameOf),
    })
  }
  const gather = async (name: string, needed: boolean): Promise<void> => {
    const found = await findModule(kernel, name)
    if (found === undefined) {
      if (!needed || (await isBuiltIn(kernel, name))) return
      throw new Fault('environment', 'no-such-module', `The kernel ${kernel.release} has no module ${name}`)
    }
    if (wishes !== undefined)
      for (const wish of await meant(kernel, [...found.softdeps.pre, ...found.softdeps.post]))
        if (!gathered.has(kernelName(wish)) && kernelName(wish) !== found.name) await gather(wish, false)
    for (const [at, file] of found.dependencies.entries()) await take(file, found.dependencies.slice(0, at))
    await take(found.file, found.dependencies)
  }
  for (const name of names) await gather(name, true)
  for (const name of wishes ?? []) await gather(name, false)
  return [...gathered.values()]
}

/** The modules as files of an initramfs, with modprobe's indexes for just these. */
export async function moduleEntries(kernel: Kernel, modules: readonly GuestModule[]): Promise<Entry[]> {
  const base = `lib/modules/${kernel.release}`
  const paths = new Map(modules.map(({ name, path }) => [name, path]))
  const names = new Set(paths.keys())
  const relative = (name: string) => path.posix.relative(base, paths.get(name) ?? '')
  const dep = modules.map(
    ({ name, before }) =>
      `${relative(name)}:${before
        .toReversed()
        .map((needed) => ` ${relative(needed)}`)
        .join('')}\n`,
  )
  const alias = (await depmodLines(kernel, 'modules.alias')).filter((line) => names.has(line.split(/\s+/)[2] ?? ''))
  const files: Entry[] = [
    { kind: 'file', path: `${base}/modules.dep`, bytes: Buffer.from(dep.join('')) },
    {
      kind: 'file',
      path: `${base}/modules.alias`,
      bytes: Buffer.from(alias.map((line) => `${line}\n`).join('')),
    },
    ...modules.map(({ path, bytes }): Entry => ({ kind: 'file', path, bytes })),
  ]
  return files
}
