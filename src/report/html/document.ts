// SPDX-License-Identifier: GPL-3.0-or-later
// A report is one page that needs nothing else, neither a network nor a script. Its policy forbids both, so that
// nothing that stands in a patch or on a console can bring them in.
import { createHash } from 'node:crypto'
import { Html, html } from './html.ts'
import { style } from './style.ts'

export interface Chapter {
  readonly id: string
  readonly title: string
  readonly content: Html
  /** True when it begins a sheet of paper. */
  readonly page?: boolean
}

export interface Document {
  readonly title: string
  /** Behind the title, where a browser shows it. */
  readonly subtitle: string
  readonly generator: string
  readonly header: Html
  readonly chapters: readonly Chapter[]
  readonly footer: Html
}

/** A graft: a branch that joins a stock. */
export const mark = new Html(
  '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M10 22V3M10 16c0-5 3-8 8-9M18 7l-4-1.5M18 7l-2 3.6"/></svg>',
)

/** The report as an HTML document. */
export function documentPage({ title, subtitle, generator, header, chapters, footer }: Document): string {
  const css = new Html(style)
  const hash = createHash('sha256').update(style).digest('base64')
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${new Html(hash)}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${generator}">
<meta name="referrer" content="no-referrer">
<title>${title} · ${subtitle}</title>
<style>${css}</style>
</head>
<body>
${header}
<nav aria-label="Contents"><ol>${chapters.map(({ id, title: name }, index) => html`<li><a href="#${id}"><span class="no">${index + 1}</span>${name}</a></li>`)}</ol></nav>
<main>
${chapters.map(
  (
    { id, title: name, content, page },
    index,
  ) => html`<section id="${id}"${new Html(page === true ? ' class="page"' : '')}>
<h2><span class="no">${index + 1}</span>${name}</h2>
${content}
</section>
`,
)}</main>
<footer>${footer}</footer>
</body>
</html>
`.text
}
