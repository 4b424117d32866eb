// SPDX-License-Identifier: GPL-3.0-or-later
// Each function that is replaced: why, what its code refers to, and its source and machine code before and after.
import { inNumbers } from '../../ground/in-numbers.ts'
import { align, alignCode, type Row } from '../facts/align.ts'
import type { Instruction } from '../facts/assembly.ts'
import type { Facts, ReportedFunction } from '../facts/facts.ts'
import { highlightC, highlightInstruction } from '../html/highlight.ts'
import { Html, html, joined } from '../html/html.ts'
import { sideBySide } from './side-by-side.ts'

/** Rows of code in the whole report; when there are more, each function has its share. */
const mostRows = 8000
const leastShare = 40
/** With more functions than this, each is closed until somebody wants to see it. */
const mostOpen = 6

export function functionsPart({ functions }: Pick<Facts, 'functions'>): Html {
  const aligned = functions.map((one) => ({ one, source: sourceRows(one), code: codeRows(one) }))
  const sizes = aligned.flatMap(({ source, code, one }) => [
    source?.rows.length ?? 0,
    code?.length ?? (one.before ?? one.after)?.length ?? 0,
  ])
  const room = shareOf(sizes)
  const among = aligned.reduce((sum, { source }) => sum + (source?.before.length ?? 0) + (source?.after.length ?? 0), 0)
  const open = functions.length <= mostOpen
  return html`${aligned.map(
    ({ one, source, code }, index) =>
      html`<details class="function"${new Html(open ? ' open' : '')}>
<summary><h3><code>${one.name}</code> <small>${one.object === 'vmlinux' ? 'vmlinux' : `module ${one.object}`} · ${one.unit}${one.sympos > 0 && ` · symbol ${one.sympos} of this name`}</small></h3></summary>
<ul class="reasons" id="f${index + 1}">${one.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>
${beyondOf(one)}
${matchOf(one)}
${sourceOf(one, source, room, among)}
${codeOf(one, code, room)}
${touchesOf(one)}
</details>`,
  )}`
}

/** How many rows each listing may have so that all of them together keep to the limit. */
function shareOf(sizes: readonly number[]): number {
  let rest = mostRows
  const sorted = [...sizes].sort((a, b) => a - b)
  for (const [index, size] of sorted.entries()) {
    const share = rest / (sorted.length - index)
    if (size > share) return Math.max(leastShare, Math.floor(share))
    rest -= size
  }
  return mostRows
}

function beyondOf({ beyond }: ReportedFunction): Html | undefined {
  if (beyond === undefined) return undefined
  if (beyond.verdict !== 'lives')
    return html`<p class="match">${beyond.verdict === 'plain' ? 'Plain' : 'Not told'}: ${beyond.why}.</p>`
  return html`<h4>Lives longer than a call</h4>
<table class="living"><thead><tr><th>object</th><th>member</th><th>before</th><th>after</th></tr></thead>
<tbody>${beyond.living.map(
    ({ object, member, before, after }) =>
      html`<tr><td><code>${object}</code></td><td>${member !== undefined && html`<code>${member}</code>`}</td><td>${before}</td><td>${after}</td></tr>`,
  )}</tbody></table>`
}

/** How a function was recognised among the kernel's. */
const recognised = {
  name: 'Its name is unique in the kernel',
  code: 'Of several functions with this name, this one has its code',
  surroundings: 'Of several functions with this name and this code, what lies around it tells which it is',
} as const

function matchOf({ match }: ReportedFunction): Html | undefined {
  if (match === undefined) return undefined
  const { by, address, fields, unconfirmed } = match
  const led = unconfirmed === 0 ? 'all lead' : `${fields - unconfirmed} lead`
  const rest = unconfirmed === 0 ? '' : `, ${unconfirmed} to what has no name`
  const place = address !== undefined && html` (<code>${address}</code> as linked)`
  const references = fields > 0 && `Of its ${inNumbers(fields, 'reference')}, ${led} to what they name${rest}.`
  const source = 'The kernel runs what the compiler makes of its source.'
  return html`<p class="match">${source} ${recognised[by]}${place}. ${references}</p>`
}

interface SourceRows {
  readonly rows: readonly Row[]
  readonly before: string
  readonly after: string
}

function sourceRows({ source }: ReportedFunction): SourceRows | undefined {
  if (source === undefined) return undefined
  const before = source.before?.text ?? ''
  const after = source.after?.text ?? before
  if (source.before !== undefined && source.after === undefined)
    return { rows: before.split('\n').map((_, at) => ({ before: at, after: at, same: true })), before, after }
  return { rows: align(before === '' ? [] : before.split('\n'), after.split('\n')), before, after }
}

function codeRows({ before, after }: ReportedFunction): Row[] | undefined {
  return before === undefined || after === undefined ? undefined : alignCode(before, after)
}

function sourceOf(
  { source }: ReportedFunction,
  aligned: SourceRows | undefined,
  room: number,
  among: number,
): Html | undefined {
  if (source === undefined || aligned === undefined) return undefined
  const { rows } = aligned
  const unchanged = source.before !== undefined && source.after === undefined
  const [before, after] = [highlightC(aligned.before, among), highlightC(aligned.after, among)]
  const first = source.before?.line ?? 1
  const now = source.after?.line ?? first
  const table = sideBySide({
    rows,
    before: { line: (index) => before[index], label: (index) => String(first + index) },
    after: { line: (index) => after[index], label: (index) => String(now + index) },
    unit: 'line',
    room,
  })
  const same = unchanged && ' · the function’s own text is the same'
  return html`<h4>Source <small>${source.file}${same}</small></h4>${table}`
}

const label = (at: number) => at.toString(16)

function codeOf({ before, after }: ReportedFunction, rows: readonly Row[] | undefined, room: number): Html | undefined {
  if (before === undefined && after === undefined) return undefined
  if (before === undefined || after === undefined || rows === undefined) {
    const only = before ?? after ?? []
    const which = before === undefined ? 'the live patch’s; what the kernel has is in no manifest' : 'the kernel’s'
    const single = only.map((_, at) => (before === undefined ? { after: at, same: true } : { before: at, same: true }))
    return html`<h4>Machine code <small>${which}</small></h4>
${sideBySide({ rows: single, before: sideOf(before ?? []), after: sideOf(after ?? []), unit: 'instruction', room })}`
  }
  const different = rows.filter(({ same }) => !same).length
  return html`<h4>Machine code <small>before: the kernel’s, after: the live patch’s · ${different === 0 ? 'the same instructions' : `${different} of ${inNumbers(rows.length, 'row')} differ`}</small></h4>
${sideBySide({ rows, before: sideOf(before), after: sideOf(after), unit: 'instruction', room })}`
}

function sideOf(list: readonly Instruction[]) {
  return {
    label: (index: number) => label(list[index]?.at ?? 0),
    line: (index: number) => {
      const { text = '', target } = list[index] ?? {}
      return html`${highlightInstruction(text)}${target !== undefined && html` <i class="to">→ ${label(target)}</i>`}`
    },
  }
}

function touchesOf({ touches }: ReportedFunction): Html | undefined {
  if (touches.length === 0) return undefined
  const own = touches.filter(({ of }) => of === 'own')
  const others = [...new Set(touches.filter(({ of }) => of !== 'own').map(({ of }) => of))]
  const names = (of: string) =>
    joined(
      touches.filter((touch) => touch.of === of).map(({ name }) => html`<code>${name}</code>`),
      ', ',
    )
  return html`<h4>Refers to</h4>
<dl class="touches">${own.length > 0 && html`<dt>the live patch</dt><dd>${names('own')}</dd>`}${others.map((of) => html`<dt>${of}</dt><dd>${names(of)}</dd>`)}</dl>`
}
