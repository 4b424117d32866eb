// SPDX-License-Identifier: GPL-3.0-or-later
// Which file of the tree a patch means: how many leading parts of its paths are to be removed (`patch -p`), and what is
// left of them.
import path from 'node:path'
import type { Overlay } from './overlay.ts'
import type { FilePatch, Patch } from './patch.ts'

/** The path without its first `count` parts, as `patch -p` does it; undefined when nothing is left. */
function stripped(file: string, count: number): string | undefined {
  const parts = file.split('/').filter((part, i) => part !== '.' && (part !== '' || i === 0))
  // An absolute path is told by its empty first part, which -p1 removes.
  const rest = parts.slice(count)
  return rest.length === 0 || rest[0] === '' ? undefined : rest.join('/')
}

/** A file's part of a patch, with the paths of the tree. */
export interface Target {
  readonly oldPath: string | undefined
  readonly newPath: string | undefined
}

/** @returns undefined when nothing is left of the paths */
export async function resolveTarget(tree: Overlay, part: FilePatch, strip: number): Promise<Target | undefined> {
  const oldPath = part.oldPath === undefined ? undefined : stripped(part.oldPath, strip)
  const newPath = part.newPath === undefined ? undefined : stripped(part.newPath, strip)
  if (part.oldPath !== undefined && part.newPath !== undefined) {
    if (part.renamed) return oldPath === undefined || newPath === undefined ? undefined : { oldPath, newPath }
    // Two names of one file (`inode.c.orig`, `inode.c`): the one that is there.
    const names = [newPath, oldPath].filter((name) => name !== undefined)
    for (const name of names) if (await tree.exists(name)) return { oldPath: name, newPath: name }
    return names[0] === undefined ? undefined : { oldPath: names[0], newPath: names[0] }
  }
  return oldPath === undefined && newPath === undefined ? undefined : { oldPath, newPath }
}

/** How many of the files are where the tree has them when `strip` parts are removed. */
async function fitting(tree: Overlay, files: readonly FilePatch[], strip: number): Promise<number> {
  let count = 0
  const made = new Set<string>()
  for (const part of files) {
    const target = await resolveTarget(tree, part, strip)
    if (target === undefined) continue
    if (target.oldPath === undefined) {
      made.add(target.newPath!)
      if (await tree.hasDirectory(path.dirname(target.newPath!))) count++
    } else if (made.has(target.oldPath) || (await tree.exists(target.oldPath))) {
      if (target.newPath !== undefined) made.add(target.newPath)
      count++
    }
  }
  return count
}

/** The number of parts with which most of the patch's files are there: 1 and 0 first. */
export async function detectStrip(tree: Overlay, patch: Patch): Promise<number> {
  // Enough to tell by: each is looked for in many places.
  const files = patch.files.slice(0, 500)
  const paths = files.flatMap((part) => [part.oldPath ?? '', part.newPath ?? ''])
  const deepest = Math.min(32, Math.max(...paths.map((file) => file.split('/').length - 1)))
  // A new file fits wherever there is a directory, so it alone is no reason to strip more than usual.
  const hasOld = files.some((part) => part.oldPath !== undefined)
  const unusual = hasOld ? Array.from({ length: Math.max(0, deepest - 1) }, (_, i) => i + 2) : []
  let best = { strip: 1, count: 0 }
  for (const strip of [1, 0, ...unusual]) {
    const count = await fitting(tree, files, strip)
    if (count === files.length) return strip
    if (count > best.count) best = { strip, count }
  }
  return best.strip
}
