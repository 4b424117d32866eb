// SPDX-License-Identifier: GPL-3.0-or-later
// Patch files from the disk.
import { readFile } from 'node:fs/promises'
import { Fault } from '../ground/fault.ts'
import { parsePatch } from './parse.ts'
import type { Patch } from './patch.ts'

/**
 * Reads and parses patch files.
 * @param files their paths; the patches come in the same order
 * @throws Fault `usage/no-such-patch`, and all that `parsePatch` throws
 */
export async function readPatches(files: readonly string[]): Promise<Patch[]> {
  return await Promise.all(
    files.map(async (file) => {
      try {
        return parsePatch(await readFile(file), file)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT' || code === 'EISDIR')
          throw new Fault('usage', 'no-such-patch', `There is no patch file ${file}`, {
            remedy: 'Name a unified diff, as git diff or quilt make it',
          })
        throw error
      }
    }),
  )
}
