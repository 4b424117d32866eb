// SPDX-License-Identifier: GPL-3.0-or-later
// The patches as their author wrote them: what they say about themselves, and each hunk with colours.
import type { FilePatch, Hunk, Patch } from '../../patch/patch.ts'
import type { Facts } from '../facts/facts.ts'
import { highlightC } from '../html/highlight.ts'
import { type Content, Html, html, joined } from '../html/html.ts'

export function patchPart({ inputs }: Facts): Html {
  const among = inputs.reduce((sum, { patch, source = patch?.text }) => sum + (source?.length ?? 0), 0)
  return html`${inputs.map(({ file, sha256, patch, source }) =>
    source !== undefined
      ? html`<details class="console"><summary><code>${file}</code> <small>a C file of the live patch’s own</small></summary><pre>${joined(highlightC(source, among), '\n')}</pre></details>`
      : patch === undefined
        ? html`<p class="quiet">The text of <code>${file}</code> (SHA-256 <code class="hash">${sha256}</code>) is not kept in the manifest.</p>`
        : html`<article class="patch">
${inputs.length > 1 && html`<h3><code>${file}</code></h3>`}
${message(patch) !== '' && html`<pre class="message">${message(patch)}</pre>`}
${patch.files.map((one) => fileDiff(one, among))}
</article>`,
  )}`
}

/** What stands before the first diff, without the line that separates them. */
function message({ preamble }: Patch): string {
  // Behind the separator stand git's lines about what changes, if any.
  const lines = preamble.split('\n')
  const separator = lines.lastIndexOf('---')
  const behind = lines.slice(separator + 1)
  const cut = separator > 0 && behind.every((line) => line.startsWith(' ') || line.trim() === '')
  return lines.slice(0, cut ? separator : undefined).join('\n')
}

/** The path without what `-p` strips, when it looks like git's. */
export function pathOf({ oldPath, newPath }: FilePatch): string {
  return (newPath ?? oldPath ?? '').replace(/^[ab]\//, '')
}

function fileDiff(file: FilePatch, among: number): Html {
  const what = file.oldPath === undefined ? 'new file' : file.newPath === undefined ? 'removed' : ''
  return html`<figure class="diff"><figcaption><code>${pathOf(file)}</code>${what !== '' && html` <small>${what}</small>`}</figcaption>
${file.hunks.map((hunk) => hunkTable(hunk, /\.(c|h|S|lds)$/.test(pathOf(file)), among))}</figure>`
}

/** A hunk in one column. Each side is coloured as a whole, since a comment can go over many lines. */
function hunkTable({ lines, oldStart, newStart }: Hunk, isC: boolean, among: number): Html {
  const textOf = (latin1: string) => Buffer.from(latin1, 'latin1').toString('utf8')
  const marked = (kind: 'removed' | 'added'): Content[] => {
    const side = lines.filter((line) => line.kind === 'context' || line.kind === kind).map(({ text }) => textOf(text))
    return isC ? highlightC(side.join('\n'), among) : side
  }
  const [old, now] = [marked('removed'), marked('added')]
  let [before, after] = [0, 0]
  const rows = lines.map(({ kind }) => {
    if (kind === 'removed') return row('del', String(oldStart + before), '', '−', old[before++])
    if (kind === 'added') return row('add', '', String(newStart + after), '+', now[after++])
    return row('', String(oldStart + before++), String(newStart + after), '', now[after++])
  })
  return new Html(`<table class=u>${rows.join('\n')}</table>`)
}

function row(kind: string, before: string, after: string, sign: string, line: Content): string {
  const lines = html`<td class="l">${before}<td class="l">${after}`
  return html`<tr class="${kind}">${lines}<td class="g">${sign}<td class="x">${line}`.text
}
