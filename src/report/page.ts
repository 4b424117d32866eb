// SPDX-License-Identifier: GPL-3.0-or-later
// The report of a live patch that has a manifest.
import { sentence } from '../ground/sentence.ts'
import { titleOf } from '../module/manifest/naming.ts'
import type { Facts } from './facts/facts.ts'
import { verdictOf } from './facts/verdict.ts'
import { type Chapter, documentPage, mark } from './html/document.ts'
import { type Html, html } from './html/html.ts'
import { buildPart, carriedPart, manifestPart, signPart } from './parts/build-facts.ts'
import { findingsPart } from './parts/findings.ts'
import { forecastPart } from './parts/forecast.ts'
import { functionsPart } from './parts/functions.ts'
import { graphPart } from './parts/graph.ts'
import { patchPart } from './parts/patch.ts'
import { proofPart } from './parts/proof.ts'

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
    { id: 'sign', title: 'Sign', content: signPart(manifest.sha256) },
  ]
  return documentPage({
    title,
    subtitle: `live patch for ${manifest.kernel.release}`,
    generator: `inarch ${manifest.tool.version}`,
    header: head(facts, title),
    chapters,
    footer: html`Made by Inarch ${manifest.tool.version} from <code>${facts.module.file}</code> and its manifest.`,
  })
}

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
