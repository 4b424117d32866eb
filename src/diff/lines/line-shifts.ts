// SPDX-License-Identifier: GPL-3.0-or-later
// Of two objects whose lines may have moved: which of the numbers that differ are lines. A number next to a name says
// nothing by itself: it counts as a line only where the function that gets it is known to take one there, and, as that
// depends on the kernel, where others have moved by the same distance: lines move together. When in doubt it is a
// change.

import { addToSet } from '../../ground/values/grouped.ts'
import { lazy } from '../../ground/values/remembered.ts'
import type { Correlation } from '../correlation/correlate.ts'
import type { Atom, SplitObject } from '../object/split-object.ts'
import { lineOf, type TableEntry } from '../object/tables.ts'
import { type MovedNumber, movedNumbers } from './line-numbers.ts'

export interface LineShifts {
  /**
   * True when the code of two functions of the same size differs in line numbers only; relocations are the caller's.
   */
  differOnlyInLines(before: Atom, after: Atom): boolean
  /**
   * True when two texts differ only in the line behind a file's name, as in those that FORTIFY_SOURCE makes
   * (fortify-string.h).
   */
  differOnlyInLineText(before: string, after: string): boolean
  /** True when a number that may be a line was not taken for one: with more to look at, it might have been. */
  readonly leftInDoubt: boolean
}

/** How far lines have moved, by what says so. */
interface Shifts {
  /** Distances of numbers that can be nothing but lines. */
  readonly told: ReadonlySet<number>
  /** Numbers that are handed to who may take a line, by their distance. */
  readonly likely: ReadonlyMap<number, ReadonlySet<number>>
}

export function lineShifts(before: SplitObject, after: SplitObject, correlation: Correlation): LineShifts {
  const shifts = lazy(() => readShifts(before, after, correlation))
  let leftInDoubt = false
  const isLine = (number: MovedNumber): boolean => {
    const distance = number.after - number.before
    if (number.by === 'told') return true
    // Another one that moved as far; the same number twice is one.
    return shifts().told.has(distance) || (shifts().likely.get(distance)?.size ?? 0) > 1
  }
  return {
    differOnlyInLines(b, a) {
      const numbers = movedNumbers(before, b, after, a)
      if (numbers === undefined) return false
      // Nothing more to look at makes a line of a number that nobody is known to take for one.
      if (numbers.some(({ by }) => by === 'near')) return false
      const found = numbers.every(isLine)
      leftInDoubt ||= !found
      return found
    },
    differOnlyInLineText(b, a) {
      const place = /([\w./+-]+\/[\w.+-]+\.[ch]:)(\d+)/g
      if (b === a || b.replace(place, '$1') !== a.replace(place, '$1')) return false
      const lines = [b, a].map((text) => [...text.matchAll(place)].map(([, , line]) => Number(line)))
      const found = lines[0]!.every((line, nth) => {
        const distance = (lines[1]![nth] ?? 0) - line
        return distance === 0 || shifts().told.has(distance) || shifts().likely.has(distance)
      })
      leftInDoubt ||= !found
      return found
    },
    get leftInDoubt() {
      return leftInDoubt
    },
  }
}

function readShifts(before: SplitObject, after: SplitObject, correlation: Correlation): Shifts {
  const told = new Set<number>()
  const likely = new Map<number, Set<number>>()
  for (const a of after.functions) {
    const b = correlation.counterpartOf(a)
    if (b === undefined) continue
    for (const distance of tableDistances(before.tellingEntries(b), after.tellingEntries(a))) told.add(distance)
    if (b.end - b.start !== a.end - a.start) continue
    for (const { before: line, after: now, by } of movedNumbers(before, b, after, a) ?? []) {
      const distance = now - line
      if (by === 'told') told.add(distance)
      else if (by === 'known') addToSet(likely, distance, line)
    }
  }
  return { told, likely }
}

/** How far the lines of WARN and BUG have moved. */
function tableDistances(before: readonly TableEntry[], after: readonly TableEntry[]): number[] {
  const linesOf = (entries: readonly TableEntry[]) => entries.flatMap((entry) => lineOf(entry) ?? [])
  const [linesBefore, linesAfter] = [linesOf(before), linesOf(after)]
  if (linesBefore.length !== linesAfter.length) return []
  return linesBefore.map((line, nth) => (linesAfter[nth] ?? 0) - line).filter((distance) => distance !== 0)
}
