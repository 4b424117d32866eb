// SPDX-License-Identifier: GPL-3.0-or-later
// Where Inarch keeps what can be made again. The layout is the XDG base directory specification's.
import { mkdirSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Fault } from './fault.ts'
import { isDirectory } from './is-directory.ts'

/** `$XDG_CACHE_HOME/inarch`, absolute. */
export function cacheRoot(): string {
  const xdg = process.env['XDG_CACHE_HOME']
  const base = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(os.homedir(), '.cache')
  return path.join(base, 'inarch')
}

const reasons: Readonly<Record<string, string>> = {
  EEXIST: 'a file is in its way',
  ENOTDIR: 'a file is in its way',
  ENOENT: 'no directory can be made there',
  ELOOP: 'a link leads to itself',
  ENAMETOOLONG: 'its name is too long',
}

/**
 * Makes a directory of the cache, and those that it is to be in. Node's own `recursive` tries for ever where a
 * directory says that what is to be made in it does not exist, as /proc does.
 * @param dir the cache, or a path below it
 * @throws Fault `environment/cache-place`; the system's error where the disk is full or the user may not
 */
export function makeCacheDirectory(dir: string): void {
  try {
    makeEach(dir)
  } catch (error) {
    const reason = reasons[(error as NodeJS.ErrnoException).code ?? '']
    if (reason === undefined) throw error
    throw new Fault('environment', 'cache-place', `The cache ${JSON.stringify(cacheRoot())} can't be made: ${reason}`, {
      remedy: 'Set XDG_CACHE_HOME to a directory that can be written to',
      detail: String((error as Error).message),
    })
  }
}

function makeEach(dir: string): void {
  if (isDirectory(dir)) return
  const above = path.dirname(dir)
  if (above !== dir) makeEach(above)
  try {
    mkdirSync(dir)
  } catch (error) {
    // Another process may have made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !isDirectory(dir)) throw error
  }
}
