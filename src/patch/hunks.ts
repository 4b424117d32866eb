// SPDX-License-Identifier: GPL-3.0-or-later
// Applies the hunks of one file. A hunk may stand at another line than it says, but every line of its context must be
// there: a fuzzy guess has no place in a kernel.
import { Fault } from '../ground/fault.ts'
import { inNumbers } from '../ground/in-numbers.ts'
import type { Line } from './overlay.ts'
import type { FilePatch, Hunk, Patch } from './patch.ts'
import { type Effort, Numbered } from './places.ts'

/** How the parts of one patch are applied. */
export interface Manner {
  readonly strip: number
  readonly nearest: boolean
  readonly notes: string[]
  readonly effort: Effort
}

interface Side {
  readonly text: string
  readonly patchLine: number
}

/** The lines that a hunk has on the side without those that are `added`, or `removed`. */
function sideWithout(kind: 'added' | 'removed', hunk: Hunk): Side[] {
  return hunk.lines
    .filter((line) => line.kind !== kind)
    .map((line) => ({ text: line.noNewline ? line.text : `${line.text}\n`, patchLine: line.patchLine }))
}

function matchesAt(lines: readonly Line[], side: readonly Side[], at: number): boolean {
  if (at < 0 || at + side.length > lines.length) return false
  for (let i = 0; i < side.length; i++) if (lines[at + i]!.text !== side[i]!.text) return false
  return true
}

/** A file's lines, and how to find others in them; numbered only when something must be searched for. */
class Searched {
  private made: Numbered | undefined

  constructor(
    readonly lines: readonly Line[],
    private readonly effort: Effort,
    private readonly where: string,
  ) {}

  private numbered(): Numbered {
    this.effort.spend(this.lines.length, this.where)
    this.made ??= new Numbered(this.lines)
    return this.made
  }

  places(side: readonly Side[], from: number): number[] {
    return this.numbered().places(side, from)
  }

  closest(side: readonly Side[], expected: number): number {
    return this.numbered().closest(side, expected)
  }
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

function findSpot(file: Searched, side: readonly Side[], expected: number, from: number): Spot | undefined {
  if (expected >= from && matchesAt(file.lines, side, expected)) return { at: expected }
  // Without a line to compare there is nothing to search by.
  if (side.length === 0) return undefined
  const all = file.places(side, from)
  if (all.length === 0) return undefined
  // Of two that are equally near, patch(1) takes the one further down.
  const nearest = all.reduce((a, b) => (Math.abs(b - expected) <= Math.abs(a - expected) ? b : a))
  return all.length === 1 ? { at: nearest } : { at: nearest, rivals: all }
}

function visible(text: string): string {
  return Buffer.from(text.replace(/\n$/, ''), 'latin1')
    .toString('utf8')
    .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** Rows of a hunk that are shown at most. */
const shown = 60

/** The hunk's old lines beside the file's, where they differ: `-` expected by the patch, `+` found. */
function showDifference(lines: readonly Line[], side: readonly Side[], at: number): string {
  const width = String(at + side.length).length
  const rows: string[] = ['  - the patch expects, + the source has']
  const differs = side.findIndex(({ text }, i) => lines[at + i]?.text !== text)
  const first = side.length <= shown ? 0 : Math.max(0, differs - 3)
  side.slice(first, first + shown).forEach((expected, index) => {
    const i = first + index
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
  const more = side.length - first - shown
  if (more > 0) rows.push(`    and ${inNumbers(more, 'line')} more`)
  return rows.join('\n')
}

/** Line numbers for a sentence: the first few. */
function someLines(places: readonly number[]): string {
  const first = places.slice(0, 5).map((at) => at + 1)
  const more = places.length - first.length
  return more > 0 ? `${first.join(', ')} and ${more} more` : first.join(', ')
}

function isApplied(file: Searched, hunks: readonly Hunk[]): boolean {
  let from = 0
  for (const hunk of hunks) {
    const side = sideWithout('removed', hunk)
    if (side.length === 0) return false
    const spot = findSpot(file, side, statedPlace(hunk.newStart, hunk.newCount), from)
    if (spot === undefined) return false
    from = spot.at + side.length
  }
  return hunks.length > 0
}

export function alreadyApplied(patch: Patch, part: FilePatch, file: string): Fault {
  return new Fault('patch', 'already-applied', `${patch.file}:${part.patchLine}: ${file} has this change already`, {
    remedy: "The kernel's source contains the fix: nothing is left to patch",
  })
}

/** The lines of the file after the patch. */
export function applyHunks(
  patch: Patch,
  part: FilePatch,
  file: string,
  original: readonly Line[],
  { nearest, notes, effort }: Manner,
): readonly Line[] {
  const where = `${patch.file}:${part.patchLine}`
  effort.spend(original.length, where)
  const searched = new Searched(original, effort, where)
  const result: Line[] = []
  let done = 0
  let drift = 0
  part.hunks.forEach((hunk, index) => {
    const side = sideWithout('added', hunk)
    const stated = statedPlace(hunk.oldStart, hunk.oldCount)
    const expected = stated + drift
    const name = `hunk ${index + 1} of ${part.hunks.length} for ${file}`
    if (side.length === 0 && original.length > 0)
      throw new Fault(
        'patch',
        'hunk-without-context',
        `${patch.file}:${hunk.patchLine}: ${name} has no line of the source, so nothing shows that line ` +
          `${stated + 1} is the right place`,
        { remedy: 'Make the patch with lines of context: `git diff`, or `diff -u`' },
      )
    const spot = findSpot(searched, side, expected, done)
    if (spot === undefined) {
      if (isApplied(searched, part.hunks)) throw alreadyApplied(patch, part, file)
      const at = searched.closest(side, expected)
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
        `${patch.file}:${hunk.patchLine}: ${name} fits at lines ${someLines(spot.rivals)}, but not at ` +
          `its own line ${stated + 1}`,
        { remedy: "Make the patch against this kernel's source, or with more lines of context" },
      )
    if (spot.at !== expected)
      notes.push(
        `${patch.file}: ${name} applies ${Math.abs(spot.at - stated)} lines ${spot.at < stated ? 'up' : 'down'}`,
      )
    drift = spot.at - stated
    for (let kept = done; kept < spot.at; kept++) result.push(original[kept]!)
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
  return result.concat(original.slice(done))
}
