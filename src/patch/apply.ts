// SPDX-License-Identifier: GPL-3.0-or-later
// Applies patches to a source tree, in memory: the tree is only read.
import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../ground/fault.ts'
import { alreadyApplied, applyHunks, type Manner } from './hunks.ts'
import { Overlay } from './overlay.ts'
import type { FileChange, FilePatch, Patch } from './patch.ts'
import { Effort } from './places.ts'
import { detectStrip, resolveTarget } from './strip.ts'

export interface ApplyOptions {
  /** How many leading parts of each path to remove (`patch -p`); detected when undefined. */
  readonly strip?: number
  /**
   * A hunk that fits at several lines, and not at its own, goes to the nearest one, as patch(1) does it. Only
   * for patches that are known to be for this very source; otherwise such a hunk is refused.
   */
  readonly nearest?: boolean
}

export interface Applied {
  /** The files that differ in the end, ordered by path. */
  readonly changes: readonly FileChange[]
  /** What a person may want to know, such as hunks that stood at other lines. */
  readonly notes: readonly string[]
}

async function applyPart(tree: Overlay, patch: Patch, part: FilePatch, manner: Manner) {
  const { strip } = manner
  const target = await resolveTarget(tree, part, strip)
  const where = `${patch.file}:${part.patchLine}`
  const leaves = (file: string) =>
    new Fault('patch', 'path-leaves-tree', `${where}: the path ${file} leaves the source tree`)
  const absolute = [part.oldPath, part.newPath].find((file) => file?.startsWith('/'))
  if (absolute !== undefined && strip === 0) throw leaves(absolute)
  if (target === undefined)
    throw new Fault(
      'patch',
      'path-outside',
      `${where}: with -p${strip} nothing is left of the path ${part.newPath ?? part.oldPath}`,
      {
        remedy: 'Say how many leading parts the paths have with `-p N`',
      },
    )
  const { oldPath, newPath } = target
  for (const file of [oldPath, newPath])
    if (file !== undefined && (path.isAbsolute(file) || file.split('/').includes('..'))) throw leaves(file)
  if (oldPath === undefined) {
    const made = applyHunks(patch, part, newPath!, [], manner)
    const draft = await tree.open(newPath!)
    if (draft.lines !== undefined) {
      if (draft.lines.map((line) => line.text).join('') === made.map((line) => line.text).join(''))
        throw alreadyApplied(patch, part, newPath!)
      throw new Fault('patch', 'file-exists', `${where}: the patch makes ${newPath}, which is there already`)
    }
    draft.lines = made
    return
  }
  const draft = await tree.open(oldPath)
  if (draft.lines === undefined)
    throw new Fault('patch', 'file-missing', `${where}: there is no ${oldPath} in the kernel's source`, {
      remedy: 'Is the patch for another kernel series, or do its paths need `-p N`?',
    })
  const lines = applyHunks(patch, part, oldPath, draft.lines, manner)
  if (newPath === undefined) {
    if (lines.length > 0 && part.hunks.length > 0)
      throw new Fault('patch', 'file-not-emptied', `${where}: the patch removes ${oldPath}, but not all of its lines`)
    draft.lines = undefined
  } else if (newPath === oldPath) {
    draft.lines = lines
  } else {
    const renamed = await tree.open(newPath)
    if (renamed.lines !== undefined)
      throw new Fault('patch', 'file-exists', `${where}: the patch makes ${newPath}, which is there already`)
    draft.lines = undefined
    renamed.lines = lines.map((line) => ({ ...line, from: 0 }))
  }
}

/**
 * Applies patches in order; each sees what the former made. Nothing is written.
 * @param sourceDir the kernel's source tree
 * @throws Fault of kind `patch`: `hunk-does-not-apply`, `hunk-ambiguous`, `hunk-without-context`, `already-applied`,
 *   `file-missing`, `file-exists`, `file-not-emptied`, `path-leaves-tree`, `path-outside`,
 *   `path-through-link`, `not-a-regular-file`, `too-much-to-search`
 */
export async function applyPatches(
  sourceDir: string,
  patches: readonly Patch[],
  options: ApplyOptions = {},
): Promise<Applied> {
  const tree = new Overlay(await realpath(sourceDir))
  const notes: string[] = []
  const effort = new Effort()
  for (const patch of patches) {
    const strip = options.strip ?? (await detectStrip(tree, patch))
    const manner = { strip, nearest: options.nearest === true, notes, effort }
    for (const part of patch.files) await applyPart(tree, patch, part, manner)
  }
  return { changes: tree.changes(), notes }
}
