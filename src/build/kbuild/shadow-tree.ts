// SPDX-License-Identifier: GPL-3.0-or-later
// A shadow tree: the patched source without a copy of the source. Only the directories that lead to a
// changed file are real, all else is a link, so the original is never written to, relative paths (and
// with them `__FILE__`) stay what they are, and both sides can be compiled at the same time.
//
// A link to a directory ends its parent's shadow: `../x.h` seen from inside it is the original's. So where
// a header changes, the directories through which such paths lead are made real too.
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Fault } from '../../ground/fault.ts'
import { getOrInsertComputed } from '../../ground/values/remembered.ts'

/** A file of the shadow: its path in the tree and its new text (latin1), or undefined when it is removed. */
export interface ShadowFile {
  readonly path: string
  readonly text: string | undefined
}

interface Directory {
  readonly files: Map<string, string | undefined>
  readonly directories: Map<string, Directory>
}

function emptyDirectory(): Directory {
  return { files: new Map(), directories: new Map() }
}

function entries(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch (error) {
    // A directory that only the patch has.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function build(source: string, shadow: string, directory: Directory): void {
  mkdirSync(shadow, { recursive: true })
  for (const name of entries(source))
    if (!directory.files.has(name) && !directory.directories.has(name))
      symlinkSync(path.join(source, name), path.join(shadow, name))
  for (const [name, text] of directory.files)
    if (text !== undefined) writeFileSync(path.join(shadow, name), text, 'latin1')
  for (const [name, inner] of directory.directories) build(path.join(source, name), path.join(shadow, name), inner)
}

/**
 * Makes the shadow of `source` at `shadow`, which must not exist or be empty.
 * @param real directories that should be no links, though no file in them differs
 * @throws Fault `unexpected/path-leaves-tree` when a file's path is not inside the tree
 */
export function makeShadow(
  source: string,
  shadow: string,
  files: readonly ShadowFile[],
  real: readonly string[] = [],
): void {
  const root = emptyDirectory()
  const directoryAt = (parts: readonly string[]): Directory => {
    let directory = root
    for (const part of parts) {
      if (part === '' || part === '.' || part === '..')
        throw new Fault('unexpected', 'path-leaves-tree', `The path ${parts.join('/')} leaves the source tree`)
      directory = getOrInsertComputed(directory.directories, part, emptyDirectory)
    }
    return directory
  }
  for (const file of files) {
    const parts = file.path.split('/')
    const name = parts.pop()!
    if (name === '' || name === '.' || name === '..')
      throw new Fault('unexpected', 'path-leaves-tree', `The path ${file.path} leaves the source tree`)
    directoryAt(parts).files.set(name, file.text)
  }
  for (const dir of real) if (dir !== '.') directoryAt(dir.split('/'))
  build(source, shadow, root)
}
