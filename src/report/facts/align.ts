// SPDX-License-Identifier: GPL-3.0-or-later
// Two texts side by side: which lines of the one stand beside which lines of the other. Instructions are the same when
// they read the same and their jumps lead to instructions that stand beside each other, wherever these lie.
import { diffArrays } from 'diff'
import type { Instruction } from './assembly.ts'

/** One row: indices of the lines before and after; one of them may be missing. */
export interface Row {
  readonly before?: number
  readonly after?: number
  readonly same: boolean
}

/** Edits that are looked for: what it costs to find them grows with their square. */
const mostEdits = 1500

/**
 * Rows of two lists of texts. Removed and added lines that stand together share rows. Of texts that have next to
 * nothing in common, only what begins and ends alike is told to be the same.
 */
export function align(before: readonly string[], after: readonly string[]): Row[] {
  let first = 0
  while (first < before.length && first < after.length && before[first] === after[first]) first++
  let [endBefore, endAfter] = [before.length, after.length]
  while (endBefore > first && endAfter > first && before[endBefore - 1] === after[endAfter - 1]) {
    endBefore--
    endAfter--
  }
  const rows: Row[] = []
  let [b, a] = [0, 0]
  const equal = (count: number) => {
    for (let at = 0; at < count; at++) rows.push({ before: b++, after: a++, same: true })
  }
  let removed = 0
  let added = 0
  const flush = () => {
    for (let at = 0; at < Math.max(removed, added); at++)
      rows.push({
        ...(at < removed ? { before: b + at } : {}),
        ...(at < added ? { after: a + at } : {}),
        same: false,
      })
    b += removed
    a += added
    removed = 0
    added = 0
  }
  equal(first)
  const [old, now] = [before.slice(first, endBefore), after.slice(first, endAfter)]
  const parts = diffArrays(old, now, { maxEditLength: mostEdits })
  if (parts === undefined) [removed, added] = [old.length, now.length]
  for (const part of parts ?? []) {
    if (part.removed) removed += part.count
    else if (part.added) added += part.count
    else {
      flush()
      equal(part.count)
    }
  }
  flush()
  equal(before.length - endBefore)
  return rows
}

/** Rows of two functions' instructions. */
export function alignCode(before: readonly Instruction[], after: readonly Instruction[]): Row[] {
  const key = ({ text, target }: Instruction) => (target === undefined ? text : `${text} →`)
  const rows = align(before.map(key), after.map(key))
  // Of two jumps that read the same, those are different that lead to instructions which are no counterparts.
  const atBefore = new Map(before.map(({ at }, index) => [at, index]))
  const atAfter = new Map(after.map(({ at }, index) => [at, index]))
  const partner = new Map(
    rows.flatMap((row) => (row.before === undefined || row.after === undefined ? [] : [[row.before, row.after]])),
  )
  return rows.map((row) => {
    if (!row.same || row.before === undefined || row.after === undefined) return row
    const [from, to] = [before[row.before]?.target, after[row.after]?.target]
    if (from === undefined || to === undefined) return row
    const [old, now] = [atBefore.get(from), atAfter.get(to)]
    return { ...row, same: old !== undefined && partner.get(old) === now }
  })
}
