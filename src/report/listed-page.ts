// SPDX-License-Identifier: GPL-3.0-or-later
// The report of a live patch without a manifest: what its tables and its proof tell, and what nobody knows.
import { inNumbers } from '../ground/in-numbers.ts'
import { sentence } from '../ground/sentence.ts'
import { version } from '../ground/version.ts'
import type { ListedFacts } from './facts/listed-facts.ts'
import { proofStamp } from './facts/verdict.ts'
import { type Chapter, documentPage, mark } from './html/document.ts'
import { type Html, html } from './html/html.ts'
import { signPart } from './parts/build-facts.ts'
import { measured } from './parts/forecast.ts'
import { functionsPart } from './parts/functions.ts'
import { proofPart } from './parts/proof.ts'

/** The report as an HTML document. */
export function listedPage(facts: ListedFacts): string {
  const { subject, module, proof } = facts
  const chapters: Chapter[] = [
    { id: 'unknown', title: 'What is not known', content: unknownPart(facts) },
    { id: 'functions', title: 'What is replaced', content: html`${functionsPart(facts)}${callbacksPart(facts)}` },
    { id: 'forecast', title: 'Forecast', content: forecastPart(facts), page: true },
    { id: 'proof', title: 'Proof', content: proofPart({ module, ...(proof === undefined ? {} : { proof }) }) },
    { id: 'module', title: 'Module', content: modulePart(facts) },
    { id: 'sign', title: 'Sign', content: signPart(subject.sha256) },
  ]
  return documentPage({
    title: subject.name,
    subtitle: `live patch for ${subject.release}`,
    generator: `inarch ${version}`,
    header: head(facts),
    chapters,
    footer: html`Made by Inarch ${version} from <code>${module.file}</code> alone: it has no manifest.`,
  })
}

function head({ subject, functions, proof }: ListedFacts): Html {
  const stamps = [
    { mark: 'open', title: 'Code that runs', text: 'No record of a comparison with the kernel' },
    { mark: 'open', title: 'Safety rules', text: 'No rule has seen it' },
    proofStamp(proof),
  ]
  const objects = [...new Set(functions.map(({ object }) => (object === 'vmlinux' ? 'vmlinux' : `module ${object}`)))]
  const bad = proof?.verdict === 'failed'
  const verdict = bad ? 'Not fit to be applied: its proof failed' : 'There is no manifest, so little is known of it'
  return html`<header>
<p class="eyebrow">${mark}<span>Live patch <code>${subject.name}</code> for ${subject.release}</span></p>
<h1>${subject.name}</h1>
<p class="verdict ${bad ? 'bad' : 'open'}">${verdict}. It replaces ${inNumbers(functions.length, 'function')}.</p>
<ul class="stamps">${stamps.map((stamp) => html`<li class="${stamp.mark}"><b>${stamp.title}</b><span>${sentence(stamp.text)}</span></li>`)}</ul>
<dl class="facts">
<dt>Kernel</dt><dd>${subject.release}, by the module’s own words</dd>
<dt>Patches</dt><dd>${objects.join(', ')}</dd>
<dt>SHA-256</dt><dd><code class="hash">${subject.sha256}</code> <small class="quiet">of the module</small></dd>
</dl>
</header>`
}

function unknownPart({ missing }: ListedFacts): Html {
  const items = missing.map((one) => html`<li class="finding warning"><p>${sentence(one)}</p></li>`)
  return html`<ul class="findings">${items}</ul>`
}

function callbacksPart({ callbacks }: ListedFacts): Html | undefined {
  if (callbacks.length === 0) return undefined
  return html`<h3>Callbacks</h3><div class="wide"><table class="plain"><thead><tr><th>Object<th>When<th>Function</thead><tbody>
${callbacks.map(({ object, kind, name }) => html`<tr><td>${object}<td>${kind}<td><code>${name ?? 'without a name'}</code>`)}
</tbody></table></div>`
}

function forecastPart({ proof, module }: ListedFacts): Html {
  return html`${proof?.orders.map(measured) ?? html`<p>Nothing is known before it is tried.</p>`}
<p class="quiet">On the system that is to be patched, <code>inarch forecast ${module.file}</code> looks at every task’s stack.</p>`
}

function modulePart({ module, subject, signed }: ListedFacts): Html {
  return html`<dl class="facts">
<dt>File</dt><dd><code>${module.file}</code>, ${inNumbers(module.bytes, 'byte')}${signed && ', with a signature'}</dd>
<dt>SHA-256</dt><dd><code class="hash">${subject.sha256}</code></dd>
</dl>`
}
