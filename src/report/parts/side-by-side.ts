// SPDX-License-Identifier: GPL-3.0-or-later
// Two texts side by side as tables. What is the same over many lines is folded; where a report would become too large,
// only what differs is kept, with some lines around it.
import { inNumbers } from '../../ground/in-numbers.ts'
import type { Row } from '../facts/align.ts'
import { type Content, Html, html } from '../html/html.ts'

export interface Side {
  /** The line with its colours. */
  line(index: number): Content
  /** Its number, or its place. */
  label(index: number): string
}

export interface Columns {
  readonly rows: readonly Row[]
  readonly before: Side
  readonly after: Side
  /** What a row is: `line`, `instruction`. */
  readonly unit: string
  /** Rows that may be shown in all; when there are more, what is the same is left out, and then the rest. */
  readonly room: number
}

/** Rows around a difference that stay in sight. */
const around = 3
/** Fewer rows than this are not worth folding. */
const fewest = 6

/** The rows in order, cut into those in sight and those to be folded. */
export function stretches(rows: readonly Row[]): { readonly folded: boolean; readonly rows: readonly Row[] }[] {
  const near = new Uint8Array(rows.length)
  for (const [index, { same }] of rows.entries())
    if (!same) near.fill(1, Math.max(0, index - around), index + around + 1)
  const parts: { folded: boolean; rows: Row[] }[] = []
  for (const [index, row] of rows.entries()) {
    const folded = near[index] === 0
    const last = parts.at(-1)
    if (last?.folded === folded) last.rows.push(row)
    else parts.push({ folded, rows: [row] })
  }
  const joined: typeof parts = []
  for (const part of parts) {
    const folded = part.folded && part.rows.length >= fewest
    const last = joined.at(-1)
    if (last?.folded === folded) for (const row of part.rows) last.rows.push(row)
    else joined.push({ folded, rows: [...part.rows] })
  }
  return joined
}

export function sideBySide(columns: Columns): Html {
  const parts = stretches(columns.rows)
  const brief = columns.rows.length > columns.room
  let room = columns.room
  return html`${parts.map(({ folded, rows }) => {
    if (!folded) {
      const shown = rows.slice(0, Math.max(0, room))
      room -= shown.length
      const rest = rows.length - shown.length
      return html`${shown.length > 0 && table(columns, shown)}${rest > 0 && html`<p class="left-out">${inNumbers(rest, `further ${columns.unit}`)} left out</p>`}`
    }
    const both = rows[0]?.before !== undefined && rows[0].after !== undefined
    const what = inNumbers(rows.length, both ? `equal ${columns.unit}` : columns.unit)
    if (brief) return html`<p class="left-out">${what} left out</p>`
    return html`<details class="fold"><summary>${what}</summary>${table(columns, rows)}</details>`
  })}`
}

function table({ before, after }: Columns, rows: readonly Row[]): Html {
  const side = (one: Side, index: number | undefined, kind: string) =>
    index === undefined
      ? '<td class=e><td class=e>'
      : `<td class="l${kind}">${html`${one.label(index)}`.text}<td class="x${kind}">${html`${one.line(index)}`.text}`
  const body = rows.map(({ before: old, after: now, same }) =>
    same
      ? `<tr class=q>${side(before, old, '')}${side(after, now, '')}`
      : `<tr>${side(before, old, ' del')}${side(after, now, ' add')}`,
  )
  return new Html(`<table class=d>${body.join('\n')}</table>`)
}
