// SPDX-License-Identifier: GPL-3.0-or-later
// What kbuild's answers come from: the configuration, the makefiles of each directory, and kbuild's own.
import { readdirSync } from 'node:fs'
import path from 'node:path'

const configuration = [
  '.config',
  'include/config/auto.conf',
  'include/config/auto.conf.cmd',
  'include/config/kernel.release',
]

const isMakefile = /^(?:Makefile|Kbuild|Kconfig\.include|Platform)|\.(?:mk|include)$/

/** The makefiles of a directory (`all`: every file of it), by their paths in the tree. */
export function makefilesIn(root: string, dir: string, all: boolean): string[] {
  try {
    return readdirSync(path.join(root, dir), { withFileTypes: true })
      .filter((entry) => entry.isFile() && (all || isMakefile.test(entry.name)))
      .map((entry) => path.posix.join(dir, entry.name))
  } catch {
    return []
  }
}

/**
 * Paths, sorted, in the tree of all files that decide how units are compiled.
 * @param read those that make names itself
 * @param objects the units' objects: the makefiles of all directories above them count
 */
export function decisiveFiles(root: string, read: readonly string[], objects: readonly string[]): string[] {
  const dirs = new Set<string>(['.'])
  for (const object of objects)
    for (let dir = path.posix.dirname(object); dir !== '.' && !dirs.has(dir); dir = path.posix.dirname(dir))
      dirs.add(dir)
  const found = [...dirs].flatMap((dir) => makefilesIn(root, dir, false))
  // Makefiles run scripts that lie there to find out what the compiler can do.
  return [...new Set([...configuration, ...read, ...found, ...makefilesIn(root, 'scripts', true)])].sort()
}
