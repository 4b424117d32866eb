// SPDX-License-Identifier: GPL-3.0-or-later
// The fetched kernels in the cache: one directory each, named by the release, whose kernel.json says
// what it is. A directory without a kernel.json of today's format counts as absent.
import { statSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import * as v from 'valibot'
import { cacheRoot } from '../ground/cache.ts'
import { command } from '../ground/command.ts'
import type { Kernel } from './kernel.ts'

/** Raised whenever the layout of a fetched kernel changes. */
const format = 2

const StoredKernel = v.object({
  format: v.literal(format),
  release: v.string(),
  version: v.string(),
  series: v.string(),
  flavour: v.string(),
  origin: v.picklist(['debian', 'local']),
  dir: v.string(),
  source: v.string(),
  image: v.string(),
  vmlinux: v.string(),
  systemMap: v.string(),
  modulesRoot: v.string(),
  symvers: v.string(),
  config: v.string(),
  compiler: v.object({ program: v.string(), versionText: v.string() }),
  toolchain: v.optional(v.string()),
  /** What the source takes on the disk; it never changes, and measuring it takes long. */
  sourceBytes: v.number(),
})

/** The directory that holds all fetched kernels. */
export function kernelsRoot(): string {
  return path.join(cacheRoot(), 'kernels')
}

/** The directory of one fetched kernel. `release` must be a plain name. */
export function kernelDir(release: string): string {
  return path.join(kernelsRoot(), release)
}

/** Where everything of a kernel lies that was made in a directory. */
export function layoutIn(dir: string) {
  return {
    dir,
    source: path.join(dir, 'source'),
    image: path.join(dir, 'image'),
    vmlinux: path.join(dir, 'vmlinux'),
    systemMap: path.join(dir, 'System.map'),
    modulesRoot: path.join(dir, 'modules'),
    symvers: path.join(dir, 'source/Module.symvers'),
    config: path.join(dir, 'source/.config'),
  }
}

/**
 * Whether the paths that are stored lead here. Those of a cache that was moved do not; those of one that has two names
 * (a link, another mount) do, and whoever comes by the other name must not make the kernel anew under somebody who uses
 * it.
 */
function leadsTo(stored: string, dir: string): boolean {
  if (stored === dir) return true
  const [there, here] = [stored, dir].map((one) => statSync(one, { throwIfNoEntry: false }))
  return there !== undefined && there.dev === here?.dev && there.ino === here.ino
}

async function readFormat(dir: string): Promise<v.InferOutput<typeof StoredKernel> | undefined> {
  try {
    const stored = v.parse(StoredKernel, JSON.parse(await readFile(path.join(dir, 'kernel.json'), 'utf8')))
    return leadsTo(stored.dir, dir) ? stored : undefined
  } catch {
    return undefined
  }
}

/** The kernel stored in `dir`, or undefined when there is none, or one of a foreign format or place. */
export async function readStored(dir: string): Promise<Kernel | undefined> {
  const stored = await readFormat(dir)
  if (stored === undefined) return undefined
  const { format: _format, sourceBytes: _bytes, ...kernel } = stored
  return kernel
}

/**
 * Writes `kernel.json` into `dir`, which need not yet be the place that the kernel names.
 * @param sourceBytes what the source tree takes on the disk
 */
export async function writeStored(dir: string, kernel: Kernel, sourceBytes: number): Promise<void> {
  await writeFile(path.join(dir, 'kernel.json'), `${JSON.stringify({ format, ...kernel, sourceBytes }, null, 2)}\n`)
}

/** Every fetched kernel, in no particular order. */
export async function storedKernels(): Promise<Kernel[]> {
  const names = await readdir(kernelsRoot()).catch(() => [])
  const kernels = await Promise.all(names.map((name) => readStored(path.join(kernelsRoot(), name))))
  return kernels.filter((kernel) => kernel !== undefined)
}

/** What the given files and directories take on the disk, bytes. */
export async function diskUsage(...paths: readonly string[]): Promise<number> {
  const { stdout } = await command('du', ['-sc', '-B1', '--', ...paths], { allowFailure: true })
  return Number(/(\d+)\ttotal\n$/.exec(stdout)?.[1] ?? 0)
}

/** What a directory of `kernelsRoot()` takes on the disk, bytes; quick for a stored kernel. */
export async function storedSize(dir: string): Promise<number> {
  const stored = await readFormat(dir)
  if (stored === undefined) return diskUsage(dir)
  const names = (await readdir(dir)).filter((name) => name !== 'source')
  return stored.sourceBytes + (await diskUsage(...names.map((name) => path.join(dir, name))))
}
