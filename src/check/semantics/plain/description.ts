// SPDX-License-Identifier: GPL-3.0-or-later
// What reaches beyond a call, as lines for people.
import type { Beyond } from './judgement.ts'

/** So many things of one function are shown without being asked for. */
const mostShown = 4

/** @param all every thing that lives, also when there are many */
export function beyondLines(beyond: Beyond, all: boolean): string[] {
  if (beyond.verdict === 'plain') return [`plain: ${beyond.why}`]
  if (beyond.verdict === 'untold') return [`not told: ${beyond.why}`]
  const { living } = beyond
  const shown = all ? living : living.slice(0, mostShown)
  const lines = shown.map(
    ({ object, member, before, after }) =>
      `lives: ${member === undefined ? object : `${member} of ${object}`}: ${before} → ${after}`,
  )
  return shown.length < living.length ? [...lines, `and ${living.length - shown.length} more`] : lines
}
