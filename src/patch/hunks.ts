// SPDX-License-Identifier: GPL-3.0-or-later
// Applies the hunks of one file. A hunk may stand at another line than it says, but every line of its context must be
// there: a fuzzy guess has no place in a kernel.
import { Fault } from '../ground/fault.ts'
import type { Line } from './overlay.ts'
import type { FilePatch, Hunk, Patch } from './patch.ts'

/** How the parts of one patch are applied. */
export interface Manner {
  readonly strip: number
  readonly nearest: boolean
  readonly notes: string[]
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

export function alreadyApplied(patch: Patch, part: FilePatch, file: string): Fault {
  return new Fault(
    'patch',
    'already-applied',
    `${patch.file}:${part.patchLine}: ${file} has this change already`,
    { remedy: "The kernel's source contains the fix: nothing is left to patch" },
  )
}

/** The lines of the file after the patch. */
export function applyHunks(
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
