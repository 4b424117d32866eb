// SPDX-License-Identifier: GPL-3.0-or-later
// A shadow tree: the patched source without a copy of the source. Only the directories that lead to a
// changed file are real, all else is a link, so the original is never written to, relative paths (and
// with them `__FILE__`) stay what they are, and both sides can be compiled at the same time.
//
// A link to a directory ends its parent's shadow: `../x.h` seen from inside it is the original's. That
// is why a changed header needs more than this (see affected.ts).
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Fault } from '../ground/fault.ts'

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
  for (const [name, inner] of directory.directories)
    build(path.join(source, name), path.join(shadow, name), inner)
}

/**
 * Makes the shadow of `source` at `shadow`, which must not exist or be empty.
 * @throws Fault `unexpected/path-leaves-tree` when a file's path is not inside the tree
 */
export function makeShadow(source: string, shadow: string, files: readonly ShadowFile[]): void {
  const root = emptyDirectory()
  for (const file of files) {
    const parts = file.path.split('/')
    if (parts.some((part) => part === '' || part === '.' || part === '..'))
      throw new Fault('unexpected', 'path-leaves-tree', `The path ${file.path} leaves the source tree`)
    let directory = root
    for (const part of parts.slice(0, -1)) {
      let inner = directory.directories.get(part)
      if (inner === undefined) {
        inner = emptyDirectory()
        directory.directories.set(part, inner)
      }
      directory = inner
    }
    directory.files.set(parts.at(-1)!, file.text)
  }
  build(source, shadow, root)
}
