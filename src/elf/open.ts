// SPDX-License-Identifier: GPL-3.0-or-later
// An object file that somebody names.
import { inputKinds, readInputSync } from '../ground/input.ts'
import { type ObjectFile, readObject } from './read.ts'

/** A file in memory. */
export interface FileBytes {
  readonly name: string
  readonly bytes: Buffer
}

/**
 * Reads an object file.
 * @throws what `readInputSync` throws; Fault `patch/bad-object` when it is not a usable object
 */
export function openObject(file: string): ObjectFile {
  return readObject(openBytes(file).bytes, file)
}

/** @throws what `readInputSync` throws */
export function openBytes(file: string): FileBytes {
  return { name: file, bytes: readInputSync(file, inputKinds.object) }
}
