// SPDX-License-Identifier: GPL-3.0-or-later
// Puts what was made in a scratch directory to where it lasts. Parts of the cache may lie on file systems of their own
// (kernels on a large disk): then it is copied beside its place first, so that readers still see all of it or nothing.
import { cp, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { ownerMark, sweep } from './owner-mark.ts'

/** Renames a file or a directory; the directory of `to` must exist. What a rename throws, but EXDEV, is thrown. */
export async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    const prefix = `.${path.basename(to)}.`
    sweep(path.dirname(to), prefix)
    const beside = path.join(path.dirname(to), `${prefix}${ownerMark()}`)
    try {
      await cp(from, beside, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
      await rename(beside, to)
    } finally {
      await rm(beside, { recursive: true, force: true, maxRetries: 3 })
    }
    await rm(from, { recursive: true, force: true, maxRetries: 3 })
  }
}
