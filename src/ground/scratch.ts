// SPDX-License-Identifier: GPL-3.0-or-later
// Temporary places. A thing is made in a scratch directory and renamed to where it belongs, so that a
// crash leaves nothing half-made. Scratch directories live in the cache, on the same file system as
// their results; their names carry the maker's pid and where that pid counts, so that those of a killed process
// can be swept, and those of a container or of another host that shares the cache are left alone.
import { createHash } from 'node:crypto'
import { readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { onExit } from 'signal-exit'
import { bootIdentity } from './boot-identity.ts'
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

/** ms after which what nobody here can ask about is taken for left behind. */
const longAgo = 24 * 60 * 60 * 1000

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return 'unknown'
  }
}

let here: string | undefined
/** This machine, since it was booted, and the pid namespace: where a pid means the same process. */
function whereabouts(): string {
  here ??= createHash('sha256').update(bootIdentity()).update(pidNamespace()).digest('hex').slice(0, 8)
  return here
}

/** Whether the maker of this scratch directory is gone. */
function isLeft(file: string): boolean {
  const [, pid, where] = /^(\d+)-(?:([0-9a-f]{8})-)?/.exec(path.basename(file)) ?? []
  if (pid === undefined) return false
  if (where === whereabouts()) return !alive(Number(pid))
  const status = statSync(file, { throwIfNoEntry: false })
  return status !== undefined && status.mtimeMs < Date.now() - longAgo
}

/** Removes what killed processes left behind. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent))
    try {
      const file = path.join(parent, name)
      if (isLeft(file)) rmSync(file, { recursive: true, force: true })
    } catch {
      // A program that outlived its killed parent still writes there; the next process sweeps again.
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
  const dir = await mkdtemp(path.join(parent, `${process.pid}-${whereabouts()}-`))
  open.add(dir)
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 3 })
    open.delete(dir)
  }
}
