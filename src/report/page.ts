// SPDX-License-Identifier: GPL-3.0-or-later
// The report: one page that needs nothing else, neither a network nor a script. Its policy forbids both, so that
// nothing that stands in a patch or on a console can bring them in.
import { createHash } from 'node:crypto'
import { sentence } from '../ground/sentence.ts'
import { titleOf } from '../module/manifest/naming.ts'
import type { Facts } from './facts/facts.ts'
import { verdictOf } from './facts/verdict.ts'
import { Html, html } from './html/html.ts'
import { style } from './html/style.ts'
import { buildPart, carriedPart, manifestPart, signPart } from './parts/build-facts.ts'
import { findingsPart } from './parts/findings.ts'
import { forecastPart } from './parts/forecast.ts'
import { functionsPart } from './parts/functions.ts'
import { graphPart } from './parts/graph.ts'
import { patchPart } from './parts/patch.ts'
import { proofPart } from './parts/proof.ts'

interface Chapter {
  readonly id: string
  readonly title: string
  readonly content: Html
  /** True when it begins a sheet of paper. */
  readonly page?: boolean
}

/** The report as an HTML document. */
export function reportPage(facts: Facts): string {
  const { manifest } = facts
  const title = titleOf(facts.inputs.flatMap(({ patch }) => patch ?? [])) ?? manifest.description
  const chapters: Chapter[] = [
    { id: 'findings', title: 'Findings', content: findingsPart(facts) },
    { id: 'patch', title: 'Patch', content: patchPart(facts) },
    {
      id: 'replaced',
      title: 'What is replaced',
      content: html`${graphPart(facts)}${carriedPart(facts)}`,
    },
    { id: 'functions', title: 'Functions, before and after', content: functionsPart(facts), page: true },
    { id: 'forecast', title: 'Forecast', content: forecastPart(facts), page: true },
    { id: 'proof', title: 'Proof', content: proofPart(facts) },
    {
      id: 'made',
      title: 'How it was made',
      content: html`${buildPart(facts)}${manifestPart(facts)}`,
      page: true,
    },
    { id: 'sign', title: 'Sign', content: signPart(facts) },
  ]
  const css = new Html(style)
  const hash = createHash('sha256').update(style).digest('base64')
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${new Html(hash)}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="inarch ${manifest.tool.version}">
<meta name="referrer" content="no-referrer">
<title>${title} · live patch for ${manifest.kernel.release}</title>
<style>${css}</style>
</head>
<body>
${head(facts, title)}
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
<footer>Made by Inarch ${manifest.tool.version} from <code>${facts.module.file}</code> and its manifest.</footer>
</body>
</html>
`.text
}

/** A graft: a branch that joins a stock. */
const mark = new Html(
  '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M10 22V3M10 16c0-5 3-8 8-9M18 7l-4-1.5M18 7l-2 3.6"/></svg>',
)

function head(facts: Facts, title: string): Html {
  const { manifest, missing } = facts
  const { mark: state, text, stamps } = verdictOf(facts)
  const objects = manifest.objects.map(({ name }) => (name === 'vmlinux' ? 'vmlinux' : `module ${name}`))
  return html`<header>
<p class="eyebrow">${mark}<span>Live patch <code>${manifest.module}</code> for ${manifest.kernel.release}</span></p>
<h1>${title}</h1>
<p class="verdict ${state}">${text}</p>
<ul class="stamps">${stamps.map((stamp) => html`<li class="${stamp.mark}"><b>${stamp.title}</b><span>${sentence(stamp.text)}</span></li>`)}</ul>
<dl class="facts">
<dt>Kernel</dt><dd>${manifest.kernel.release}, version ${manifest.kernel.version}</dd>
<dt>Patches</dt><dd>${objects.join(', ')}</dd>
<dt>From</dt><dd>${manifest.inputs.map(({ file }, index) => html`${index > 0 && ', '}<code>${file}</code>`)}</dd>
<dt>SHA-256</dt><dd><code class="hash">${manifest.sha256}</code> <small class="quiet">of the module</small></dd>
</dl>
${missing.length > 0 && html`<p class="quiet">${missing.map((one) => `${sentence(one)} `)}</p>`}
</header>`
}
