// SPDX-License-Identifier: GPL-3.0-or-later
// Takes fetched kernels out of the cache again.
import { readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { cacheRoot } from '../ground/cache.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { withLock } from '../ground/lock.ts'
import { withScratch } from '../ground/scratch.ts'
import { distributionOfRelease } from './distributions.ts'
import { diskUsage, kernelDir, kernelsRoot, storedKernels, storedSize } from './store.ts'
import { toolchainDir, toolchainsRoot } from './toolchain.ts'
import { compareVersions } from './version.ts'

export interface Pruned {
  /** A kernel's release, or what else was removed. */
  readonly name: string
  /** Freed, in bytes. */
  readonly bytes: number
}

export interface PruneOptions {
  /** Exactly these; without them all but the newest of each distribution, series and flavour. */
  readonly releases?: readonly string[]
  /** Every kernel, everything made from them, and the archive's lists. */
  readonly all?: boolean
  /** Only tell what would be removed. */
  readonly dryRun?: boolean
}

/** Names below `kernelsRoot()`. */
async function present(): Promise<string[]> {
  return await readdir(kernelsRoot()).catch(() => [])
}

async function superseded(): Promise<string[]> {
  const kernels = await storedKernels()
  const kept = new Set<string>()
  const newest = new Map<string, { version: string; release: string }>()
  for (const kernel of kernels) {
    const distribution = distributionOfRelease(kernel.release)?.codename ?? ''
    const kind = `${distribution} ${kernel.series} ${kernel.flavour}`
    const other = newest.get(kind)
    if (other === undefined || compareVersions(kernel.version, other.version) > 0) newest.set(kind, kernel)
  }
  for (const { release } of newest.values()) kept.add(release)
  return (await present()).filter((name) => !kept.has(name))
}

/**
 * Removes fetched kernels, by default all but the newest of each distribution, series and flavour.
 * @returns what was removed, or would be with `dryRun`
 * @throws Fault `usage/kernel-not-fetched`
 */
export async function prune(job: Job, options: PruneOptions = {}): Promise<Pruned[]> {
  const here = await present()
  const missing = options.releases?.find((release) => !here.includes(release))
  if (missing !== undefined)
    throw new Fault('usage', 'kernel-not-fetched', `The kernel ${missing} is not fetched`, {
      remedy: 'See `inarch kernels` for those that are',
    })
  const releases = options.all === true ? here : options.releases?.length ? [...options.releases] : await superseded()
  const kept = (await storedKernels()).filter(({ release }) => !releases.includes(release))
  const used = new Set(kept.map(({ toolchain }) => toolchain))
  const pruned: Pruned[] = []
  // A scratch directory also sweeps those that killed processes left.
  await withScratch(async (scratch) => {
    const remove = async (name: string, target: string, bytes: number) => {
      pruned.push({ name, bytes })
      if (options.dryRun === true) return
      // Renamed first, so that no half of it is ever found.
      const away = path.join(scratch, path.basename(target))
      const whole = await rename(target, away).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EXDEV') throw error
        // It has a file system of its own: without this file it counts as absent.
        await rm(path.join(target, 'kernel.json'), { force: true })
        return false
      })
      await rm(whole === false ? target : away, { recursive: true, force: true, maxRetries: 3 })
    }
    for (const release of releases) {
      job.signal.throwIfAborted()
      const dir = kernelDir(release)
      await job.journal.step(`${options.dryRun ? 'Measuring' : 'Removing'} ${release}`, () =>
        withLock(dir, { signal: job.signal }, async () => remove(release, dir, await storedSize(dir))),
      )
    }
    // A toolchain goes with the last of its kernels.
    if (options.all !== true)
      for (const name of (await readdir(toolchainsRoot()).catch(() => [])).filter((one) => !used.has(one)))
        await remove(name, toolchainDir(name), await diskUsage(toolchainDir(name)))
    if (options.all === true)
      for (const name of await readdir(cacheRoot())) {
        const target = path.join(cacheRoot(), name)
        if (target !== kernelsRoot() && name !== 'tmp' && name !== 'locks')
          await remove(name, target, await diskUsage(target))
      }
  })
  return pruned
}
