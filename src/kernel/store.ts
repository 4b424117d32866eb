// SPDX-License-Identifier: GPL-3.0-or-later
// The fetched kernels in the cache: one directory each, named by the release, whose kernel.json says
// what it is. A directory without a kernel.json of today's format counts as absent.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import * as v from 'valibot'
import { cacheRoot } from '../ground/cache.ts'
import type { Kernel } from './kernel.ts'

/** Raised whenever the layout of a fetched kernel changes. */
const format = 1

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
})

/** The directory that holds all fetched kernels. */
export function kernelsRoot(): string {
  return path.join(cacheRoot(), 'kernels')
}

/** The directory of one fetched kernel. `release` must be a plain name. */
export function kernelDir(release: string): string {
  return path.join(kernelsRoot(), release)
}

/** The kernel stored in `dir`, or undefined when there is none, or one of a foreign format or place. */
export async function readStored(dir: string): Promise<Kernel | undefined> {
  let text: string
  try {
    text = await readFile(path.join(dir, 'kernel.json'), 'utf8')
  } catch {
    return undefined
  }
  try {
    const { format: _, ...kernel } = v.parse(StoredKernel, JSON.parse(text))
    // A cache that was moved has paths that lead elsewhere.
    return kernel.dir === dir ? kernel : undefined
  } catch {
    return undefined
  }
}

/** Writes `kernel.json` into `dir`, which need not yet be the place that the kernel names. */
export async function writeStored(dir: string, kernel: Kernel): Promise<void> {
  await writeFile(path.join(dir, 'kernel.json'), `${JSON.stringify({ format, ...kernel }, null, 2)}\n`)
}

/** Every fetched kernel, in no particular order. */
export async function storedKernels(): Promise<Kernel[]> {
  const names = await readdir(kernelsRoot()).catch(() => [])
  const kernels = await Promise.all(names.map((name) => readStored(path.join(kernelsRoot(), name))))
  return kernels.filter((kernel) => kernel !== undefined)
}
