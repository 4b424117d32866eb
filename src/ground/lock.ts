// SPDX-License-Identifier: GPL-3.0-or-later
// Lets one process at a time do a piece of work that others may ask for as well. The lock is the
// kernel's own (flock), held by a small child that lives as long as our pipe to it: when we are
// killed, however hard, the lock is free at once.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { cacheRoot, makeCacheDirectory } from './cache.ts'
import { Fault } from './fault.ts'

export interface LockOptions {
  readonly signal?: AbortSignal
  /** Called once when another process holds the lock. */
  readonly onWait?: () => void
}

/** ms after which a lock that we have not got is held by somebody else. */
const patience = 300

/**
 * Runs `work` while holding the lock of `target`, a path below the cache that need not exist; waits for
 * other holders.
 * @throws the signal's reason when the job was stopped while waiting; Fault `environment/cannot-lock`
 */
export async function withLock<T>(target: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  options.signal?.throwIfAborted()
  const locks = path.join(cacheRoot(), 'locks')
  makeCacheDirectory(locks)
  const file = path.join(locks, path.relative(cacheRoot(), target).replaceAll('/', '!'))
  // cat gives back what it is sent, but only once flock has the lock and has started it.
  const holder = spawn('flock', ['--no-fork', file, 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] })
  const stop = () => holder.kill()
  options.signal?.addEventListener('abort', stop, { once: true })
  const waiting = setTimeout(() => options.onWait?.(), patience)
  try {
    holder.stdin.on('error', () => {})
    holder.stdin.write('.')
    const failed = Promise.race([once(holder, 'exit'), once(holder, 'error')])
    const held = await Promise.race([once(holder.stdout, 'data').then(() => true), failed.then(() => false)])
    options.signal?.throwIfAborted()
    if (!held)
      throw new Fault('environment', 'cannot-lock', `Could not lock ${target}`, {
        remedy: 'Check that util-linux is installed (it has flock) and that the cache can be written to',
      })
    clearTimeout(waiting)
    return await work()
  } finally {
    clearTimeout(waiting)
    options.signal?.removeEventListener('abort', stop)
    holder.stdin.end()
    holder.kill()
  }
}
