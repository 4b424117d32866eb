// SPDX-License-Identifier: GPL-3.0-or-later
// Applies patches to a source tree, in memory: the tree is only read. A hunk may stand at another line
// than it says, but every line of its context must be there: a fuzzy guess has no place in a kernel.
import { lstat, readFile, realpath } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../ground/fault.ts'
import type { FileChange, FilePatch, Hunk, Origin, Patch } from './patch.ts'

export interface ApplyOptions {
  /** How many leading parts of each path to remove (`patch -p`); detected when undefined. */
  readonly strip?: number
  /**
   * A hunk that fits at several lines, and not at its own, goes to the nearest one, as patch(1) does it. Only
   * for patches that are known to be for this very source; otherwise such a hunk is refused.
   */
  readonly nearest?: boolean
}

/** How the parts of one patch are applied. */
interface Manner {
  readonly strip: number
  readonly nearest: boolean
  readonly notes: string[]
}

export interface Applied {
  /** The files that differ in the end, ordered by path. */
  readonly changes: readonly FileChange[]
  /** What a person may want to know, such as hunks that stood at other lines. */
  readonly notes: readonly string[]
}

/** A line of a file in the making. `text` holds its newline, if it has one. */
interface Line {
  readonly text: string
  /** 1-based line in the original file; 0 when a patch wrote it. */
  readonly from: number
  readonly origin?: Origin
}

interface Draft {
  readonly before: string | undefined
  /** Undefined while the file does not exist. */
  lines: readonly Line[] | undefined
}

function splitLines(text: string): string[] {
  const lines = text.split(/(?<=\n)/)
  return lines.length === 1 && lines[0] === '' ? [] : lines
}

/** The tree with the changes so far on top. */
class Overlay {
  private readonly drafts = new Map<string, Draft>()
  private readonly root: string

  constructor(root: string) {
    this.root = root
  }

  /** @throws Fault when the path is not an ordinary file inside the tree */
  private async load(file: string): Promise<string | undefined> {
    const full = path.join(this.root, file)
    let ancestor = full
    for (;;) {
      try {
        const real = await realpath(ancestor)
        if (real !== ancestor)
          throw new Fault('patch', 'path-through-link', `The path ${file} goes through a symbolic link`, {
            remedy: 'Write the patch against the file itself',
          })
        break
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
        ancestor = path.dirname(ancestor)
      }
    }
    if (ancestor !== full) return undefined
    if (!(await lstat(full)).isFile())
      throw new Fault('patch', 'not-a-regular-file', `${file} is not a file in the kernel's source`)
    return await readFile(full, 'latin1')
  }

  async open(file: string): Promise<Draft> {
    let draft = this.drafts.get(file)
    if (draft === undefined) {
      const before = await this.load(file)
      draft = {
        before,
        lines:
          before === undefined ? undefined : splitLines(before).map((text, i) => ({ text, from: i + 1 })),
      }
      this.drafts.set(file, draft)
    }
    return draft
  }

  async exists(file: string): Promise<boolean> {
    const draft = this.drafts.get(file)
    if (draft !== undefined) return draft.lines !== undefined
    try {
      return (await lstat(path.join(this.root, file))).isFile()
    } catch {
      return false
    }
  }

  async hasDirectory(dir: string): Promise<boolean> {
    try {
      return (await lstat(path.join(this.root, dir))).isDirectory()
    } catch {
      return false
    }
  }

  changes(): FileChange[] {
    const changes: FileChange[] = []
    for (const [file, { before, lines }] of this.drafts) {
      const after = lines?.map((line) => line.text).join('')
      if (after === before) continue
      const origins = new Map<number, Origin>()
      lines?.forEach((line, i) => {
        if (line.origin !== undefined) origins.set(i + 1, line.origin)
      })
      changes.push({
        path: file,
        ...(before === undefined ? {} : { before }),
        ...(after === undefined ? {} : { after }),
        origins,
        lineage: lines?.map((line) => line.from) ?? [],
      })
    }
    return changes.sort((a, b) => (a.path < b.path ? -1 : 1))
  }
}

/** The path without its first `count` parts, as `patch -p` does it; undefined when nothing is left. */
function stripped(file: string, count: number): string | undefined {
  const parts = file.split('/').filter((part, i) => part !== '.' && (part !== '' || i === 0))
  // An absolute path is told by its empty first part, which -p1 removes.
  const rest = parts.slice(count)
  return rest.length === 0 || rest[0] === '' ? undefined : rest.join('/')
}

/** A file's part of a patch, with the paths of the tree. */
interface Target {
  readonly oldPath: string | undefined
  readonly newPath: string | undefined
}

async function resolveTarget(tree: Overlay, part: FilePatch, strip: number): Promise<Target | undefined> {
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

/** How many of the patch's files are where the tree has them when `strip` parts are removed. */
async function fitting(tree: Overlay, patch: Patch, strip: number): Promise<number> {
  let count = 0
  const made = new Set<string>()
  for (const part of patch.files) {
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

async function detectStrip(tree: Overlay, patch: Patch): Promise<number> {
  const paths = patch.files.flatMap((part) => [part.oldPath ?? '', part.newPath ?? ''])
  const deepest = Math.min(32, Math.max(...paths.map((file) => file.split('/').length - 1)))
  // A new file fits wherever there is a directory, so it alone is no reason to strip more than usual.
  const hasOld = patch.files.some((part) => part.oldPath !== undefined)
  const unusual = hasOld ? Array.from({ length: Math.max(0, deepest - 1) }, (_, i) => i + 2) : []
  let best = { strip: 1, count: 0 }
  for (const strip of [1, 0, ...unusual]) {
    const count = await fitting(tree, patch, strip)
    if (count === patch.files.length) return strip
    if (count > best.count) best = { strip, count }
  }
  return best.strip
}

interface Side {
  readonly text: string
  readonly patchLine: number
}

function oldSide(hunk: Hunk): Side[] {
  return hunk.lines
    .filter((line) => line.kind !== 'added')
    .map((line) => ({ text: line.noNewline ? line.text : `${line.text}\n`, patchLine: line.patchLine }))
}

function newSide(hunk: Hunk): Side[] {
  return hunk.lines
    .filter((line) => line.kind !== 'removed')
    .map((line) => ({ text: line.noNewline ? line.text : `${line.text}\n`, patchLine: line.patchLine }))
}

function matchesAt(lines: readonly Line[], side: readonly Side[], at: number): boolean {
  if (at < 0 || at + side.length > lines.length) return false
  for (let i = 0; i < side.length; i++) if (lines[at + i]!.text !== side[i]!.text) return false
  return true
}

/** Every place, from `from` on, where `side` stands in `lines`. */
function places(lines: readonly Line[], side: readonly Side[], from: number): number[] {
  const found: number[] = []
  for (let at = from; at + side.length <= lines.length; at++) if (matchesAt(lines, side, at)) found.push(at)
  return found
}

/** 0-based place that the hunk says its lines have. An empty side names the line before it. */
function statedPlace(start: number, count: number): number {
  return count === 0 ? start : start - 1
}

interface Spot {
  readonly at: number
  /** Set when the hunk can stand at several places and at none of them by its own line number. */
  readonly rivals?: readonly number[]
}

function findSpot(
  lines: readonly Line[],
  side: readonly Side[],
  expected: number,
  from: number,
): Spot | undefined {
  if (expected >= from && matchesAt(lines, side, expected)) return { at: expected }
  // Without a line to compare there is nothing to search by.
  if (side.length === 0) return undefined
  const all = places(lines, side, from)
  if (all.length === 0) return undefined
  // Of two that are equally near, patch(1) takes the one further down.
  const nearest = all.reduce((a, b) => (Math.abs(b - expected) <= Math.abs(a - expected) ? b : a))
  return all.length === 1 ? { at: nearest } : { at: nearest, rivals: all }
}

/** The place where most of the hunk's lines stand, to show what differs there. */
function closestPlace(lines: readonly Line[], side: readonly Side[], expected: number): number {
  const score = (at: number) => {
    let same = 0
    for (let i = 0; i < side.length; i++) if (lines[at + i]?.text === side[i]!.text) same++
    return same
  }
  let best = Math.max(0, Math.min(expected, lines.length))
  let bestScore = score(best)
  for (let at = 0; at < lines.length && bestScore < side.length; at++) {
    const here = score(at)
    if (here > bestScore || (here === bestScore && Math.abs(at - expected) < Math.abs(best - expected))) {
      best = at
      bestScore = here
    }
  }
  return best
}

function visible(text: string): string {
  return Buffer.from(text.replace(/\n$/, ''), 'latin1')
    .toString('utf8')
    .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** The hunk's old lines beside the file's, where they differ: `-` expected by the patch, `+` found. */
function showDifference(lines: readonly Line[], side: readonly Side[], at: number): string {
  const width = String(at + side.length).length
  const rows: string[] = ['  - the patch expects, + the source has']
  side.forEach((expected, i) => {
    const number = String(at + i + 1).padStart(width)
    const found = lines[at + i]
    if (found?.text === expected.text) rows.push(`    ${number} | ${visible(expected.text)}`)
    else {
      rows.push(`  - ${number} | ${visible(expected.text)}`)
      if (found === undefined) rows.push(`  + ${number}   (the file ends before this line)`)
      else if (found.text === `${expected.text}\n` || `${found.text}\n` === expected.text)
        rows.push(`  + ${number} | ${visible(found.text)}   (one of the two has no newline at its end)`)
      else rows.push(`  + ${number} | ${visible(found.text)}`)
    }
  })
  return rows.join('\n')
}

function isApplied(lines: readonly Line[], hunks: readonly Hunk[]): boolean {
  let from = 0
  for (const hunk of hunks) {
    const side = newSide(hunk)
    if (side.length === 0) return false
    const spot = findSpot(lines, side, statedPlace(hunk.newStart, hunk.newCount), from)
    if (spot === undefined) return false
    from = spot.at + side.length
  }
  return hunks.length > 0
}

function alreadyApplied(patch: Patch, part: FilePatch, file: string): Fault {
  return new Fault(
    'patch',
    'already-applied',
    `${patch.file}:${part.patchLine}: ${file} has this change already`,
    { remedy: "The kernel's source contains the fix: nothing is left to patch" },
  )
}

function applyHunks(
  patch: Patch,
  part: FilePatch,
  file: string,
  original: readonly Line[],
  { nearest, notes }: Manner,
): readonly Line[] {
  const result: Line[] = []
  let done = 0
  let drift = 0
  part.hunks.forEach((hunk, index) => {
    const side = oldSide(hunk)
    const stated = statedPlace(hunk.oldStart, hunk.oldCount)
    const expected = stated + drift
    const spot = findSpot(original, side, expected, done)
    const name = `hunk ${index + 1} of ${part.hunks.length} for ${file}`
    if (spot === undefined) {
      if (isApplied(original, part.hunks)) throw alreadyApplied(patch, part, file)
      const at = closestPlace(original, side, expected)
      throw new Fault(
        'patch',
        'hunk-does-not-apply',
        `${patch.file}:${hunk.patchLine}: ${name} does not apply at line ${at + 1}`,
        {
          detail: showDifference(original, side, at),
          remedy: "Make the patch against this kernel's source, or choose the kernel it was made for",
        },
      )
    }
    if (spot.rivals !== undefined && !nearest)
      throw new Fault(
        'patch',
        'hunk-ambiguous',
        `${patch.file}:${hunk.patchLine}: ${name} fits at lines ${spot.rivals.map((at) => at + 1).join(', ')}, but not at its own line ${stated + 1}`,
        { remedy: "Make the patch against this kernel's source, or with more lines of context" },
      )
    if (spot.at !== expected)
      notes.push(
        `${patch.file}: ${name} applies ${Math.abs(spot.at - stated)} lines ${spot.at < stated ? 'up' : 'down'}`,
      )
    drift = spot.at - stated
    result.push(...original.slice(done, spot.at))
    let at = spot.at
    for (const line of hunk.lines) {
      if (line.kind === 'added')
        result.push({
          text: line.noNewline ? line.text : `${line.text}\n`,
          from: 0,
          origin: { patch: patch.file, line: line.patchLine },
        })
      else {
        if (line.kind === 'context') result.push(original[at]!)
        at++
      }
    }
    done = at
  })
  // Not spread into push: a file can have more lines than a call can have arguments.
  return result.concat(original.slice(done))
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
      throw new Fault(
        'patch',
        'file-not-emptied',
        `${where}: the patch removes ${oldPath}, but not all of its lines`,
      )
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
 * @throws Fault of kind `patch`: `hunk-does-not-apply`, `hunk-ambiguous`, `already-applied`,
 *   `file-missing`, `file-exists`, `file-not-emptied`, `path-leaves-tree`, `path-outside`,
 *   `path-through-link`, `not-a-regular-file`
 */
export async function applyPatches(
  sourceDir: string,
  patches: readonly Patch[],
  options: ApplyOptions = {},
): Promise<Applied> {
  const tree = new Overlay(await realpath(sourceDir))
  const notes: string[] = []
  for (const patch of patches) {
    const strip = options.strip ?? (await detectStrip(tree, patch))
    const manner = { strip, nearest: options.nearest === true, notes }
    for (const part of patch.files) await applyPart(tree, patch, part, manner)
  }
  return { changes: tree.changes(), notes }
}
