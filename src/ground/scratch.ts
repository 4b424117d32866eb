// SPDX-License-Identifier: GPL-3.0-or-later
// Temporary places. A thing is made in a scratch directory and renamed to where it belongs, so that a
// crash leaves nothing half-made. Scratch directories live in the cache, on the same file system as
// their results; their names carry the maker's pid, so that those of a killed process can be swept.
import { readdirSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { onExit } from 'signal-exit'
import { cacheRoot, makeCacheDirectory } from './cache.ts'

const open = new Set<string>()
let watching = false

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Removes what killed processes left behind. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = Number(/^(\d+)-/.exec(name)?.[1])
    if (Number.isInteger(pid) && !alive(pid))
      try {
        rmSync(path.join(parent, name), { recursive: true, force: true })
      } catch {
        // A program that outlived its killed parent still writes there; the next process sweeps again.
      }
  }
}

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
  const dir = await mkdtemp(path.join(parent, `${process.pid}-`))
  open.add(dir)
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 3 })
    open.delete(dir)
  }
}
