// SPDX-License-Identifier: GPL-3.0-or-later
// Who makes something that is not finished, as a part of its name: the process, and where its pid counts. So what a
// killed process left can be swept, and what belongs to a container or to another host that shares the place is left
// alone.
import { createHash } from 'node:crypto'
import { readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { bootIdentity } from './boot-identity.ts'
import { lazy } from './values/remembered.ts'

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

/** This machine, since it was booted, and the pid namespace: where a pid means the same process. */
const whereabouts = lazy(() =>
  createHash('sha256').update(bootIdentity()).update(pidNamespace()).digest('hex').slice(0, 8),
)

/** `PID-WHERE-`, to begin a name with. */
export function ownerMark(): string {
  return `${process.pid}-${whereabouts()}-`
}

/** In the cache all that begins with a pid is ours; in a user's directory only what nobody else would name so. */
const marks = { begin: /^(\d+)-(?:([0-9a-f]{8})-)?/, whole: /^(\d+)-([0-9a-f]{8})-$/ }

/** Whether the maker of this file or directory is gone. @param mark its name from the mark on */
function isLeft(file: string, mark: string, how: RegExp): boolean {
  const [, pid, where] = how.exec(mark) ?? []
  if (pid === undefined) return false
  if (where === whereabouts()) return !alive(Number(pid))
  const status = statSync(file, { throwIfNoEntry: false })
  return status !== undefined && status.mtimeMs < Date.now() - longAgo
}

/**
 * Removes what killed processes left in a directory.
 * @param prefix what stands before the mark, which is the rest of the name then
 */
export function sweep(dir: string, prefix = ''): void {
  const how = prefix === '' ? marks.begin : marks.whole
  for (const name of readdirSync(dir))
    try {
      const file = path.join(dir, name)
      if (name.startsWith(prefix) && isLeft(file, name.slice(prefix.length), how))
        rmSync(file, { recursive: true, force: true })
    } catch {
      // A program that outlived its killed parent still writes there; the next process sweeps again.
    }
}
