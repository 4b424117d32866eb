// SPDX-License-Identifier: GPL-3.0-or-later
// An object file that somebody names.
import { readFileSync } from 'node:fs'
import { Fault } from '../ground/fault.ts'
import { type ObjectFile, readObject } from './read.ts'

/** A file in memory. */
export interface FileBytes {
  readonly name: string
  readonly bytes: Buffer
}

/**
 * Reads an object file.
 * @throws Fault `usage/no-such-file` when it can't be read; `patch/bad-object` when it is not a usable object
 */
export function openObject(file: string): ObjectFile {
  return readObject(openBytes(file).bytes, file)
}

/** @throws Fault `usage/no-such-file` when the file can't be read */
export function openBytes(file: string): FileBytes {
  try {
    return { name: file, bytes: readFileSync(file) }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT'
        ? 'it does not exist'
        : code === 'EISDIR'
          ? 'it is a directory'
          : (error as Error).message
    throw new Fault('usage', 'no-such-file', `${file} can't be read: ${why}`)
  }
}
