// SPDX-License-Identifier: GPL-3.0-or-later
// Temporary places. A thing is made in a scratch directory and renamed to where it belongs, so that a
// crash leaves nothing half-made. Scratch directories live in the cache, on the same file system as
// their results; those of a killed process are swept by the next.
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { onExit } from 'signal-exit'
import { cacheRoot, makeCacheDirectory } from './cache.ts'
import { ownerMark, sweep } from './owner-mark.ts'

const open = new Set<string>()
let watching = false

/** The directory below which all scratch directories are made. */
export function scratchRoot(): string {
  return path.join(cacheRoot(), 'tmp')
}

/**
 * Hands `work` a new empty directory and removes it afterwards, also when the process is told to end.
 * What should last must be renamed out of it.
 */
export async function withScratch<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const parent = scratchRoot()
  makeCacheDirectory(parent)
  if (!watching) {
    watching = true
    sweep(parent)
    onExit(() => {
      for (const dir of open) rmSync(dir, { recursive: true, force: true })
    })
  }
  const dir = await mkdtemp(path.join(parent, ownerMark()))
  open.add(dir)
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 3 })
    open.delete(dir)
  }
}
