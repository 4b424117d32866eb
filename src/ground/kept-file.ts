// SPDX-License-Identifier: GPL-3.0-or-later
// Files that are found out once and kept in the cache. Each is written in a scratch directory, which is swept when its
// owner dies, and moved: readers see all of it or nothing, and two writers do not meet.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { move } from './move.ts'
import { withScratch } from './scratch.ts'

/** Puts `content` at `file`, a path in the cache whose directory exists. */
export async function keepFile(file: string, content: Uint8Array | string): Promise<void> {
  await withScratch(async (dir) => {
    const made = path.join(dir, path.basename(file))
    await writeFile(made, content)
    await move(made, file)
  })
}
