// SPDX-License-Identifier: GPL-3.0-or-later
// Lets one process at a time do a piece of work that others may ask for as well. The lock is a
// directory whose time its holder keeps fresh, so that the lock of a killed process opens by itself.
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import lockfile from 'proper-lockfile'
import { Fault } from './fault.ts'

export interface LockOptions {
  readonly signal?: AbortSignal
  /** Called once when another process holds the lock. */
  readonly onWait?: () => void
}

/** ms after which the lock of a process that no longer keeps it fresh counts as abandoned. */
const stale = 6000

/**
 * Runs `work` while holding the lock of `target`, a path that need not exist; waits for other holders.
 * @throws the signal's reason when the job was stopped while waiting
 */
export async function withLock<T>(target: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  mkdirSync(path.dirname(target), { recursive: true })
  let release: (() => Promise<void>) | undefined
  let told = false
  while (release === undefined) {
    options.signal?.throwIfAborted()
    try {
      release = await lockfile.lock(target, {
        realpath: false,
        stale,
        update: stale / 4,
        // A holder that slept longer than `stale` may meet a second one; both rename finished work.
        onCompromised() {},
      })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOCKED')
        throw new Fault('environment', 'cannot-lock', `Could not lock ${target}`, {
          detail: (error as Error).message,
          cause: error,
        })
      if (!told) options.onWait?.()
      told = true
      await sleep(150, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(
        () => {},
      )
    }
  }
  try {
    return await work()
  } finally {
    await release().catch(() => {})
  }
}
