// SPDX-License-Identifier: GPL-3.0-or-later
// Patch files from the disk.
import { inputKinds, readInput } from '../ground/input.ts'
import { parsePatch } from './parse.ts'
import type { Patch } from './patch.ts'

/**
 * Reads and parses patch files.
 * @param files their paths; the patches come in the same order
 * @throws Fault `usage/no-such-patch`, and all else that `readInput` and `parsePatch` throw
 */
export async function readPatches(files: readonly string[]): Promise<Patch[]> {
  return await Promise.all(files.map(async (file) => parsePatch(await readInput(file, inputKinds.patch), file)))
}
