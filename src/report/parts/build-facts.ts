// SPDX-License-Identifier: GPL-3.0-or-later
// How the live patch was made, what else it carries, its whole manifest, and a place to sign.
import { inNumbers } from '../../ground/in-numbers.ts'
import type { Model } from '../../kernel/model.ts'
import type { Facts } from '../facts/facts.ts'
import { seconds } from '../facts/verdict.ts'
import { type Html, html } from '../html/html.ts'

export function carriedPart({ manifest: { carried, objects, states } }: Facts): Html | undefined {
  const callbacks = objects.flatMap((object) => object.callbacks.map((one) => ({ ...one, object: object.name })))
  if (carried.length + callbacks.length + states.length === 0) return undefined
  return html`<h3>Besides the functions</h3><div class="wide"><table class="plain"><thead><tr><th>Name<th>What<th>Unit<th>Why</thead><tbody>
${carried.map(({ name, kind, unit, reason }) => html`<tr><td><code>${name}</code><td>${kind}<td><code>${unit}</code><td>${reason}`)}
${callbacks.map(({ name, kind, unit, object }) => html`<tr><td><code>${name}</code><td>callback<td><code>${unit}</code><td>the ${kind} callback of ${object}`)}
${states.map(({ name, id, version, unit }) => html`<tr><td><code>${name}</code><td>state<td><code>${unit}</code><td>system state ${id}, version ${version}`)}
</tbody></table></div>`
}

/** How tasks go over to the new code. */
const models: Readonly<Record<Model, string>> = {
  kernel: 'the kernel’s own livepatch',
  kgraft: 'kgraft: each task when it crosses the border of the kernel (inarch_core.ko carries it)',
  kpatch: 'kpatch: all tasks at one instant (inarch_core.ko carries it)',
  hybrid: 'hybrid: each task at that border, or while it sleeps in no replaced function (inarch_core.ko carries it)',
}

export function buildPart({ manifest, inputs, module }: Facts): Html {
  const { kernel, tool, units, timings } = manifest
  const engine = manifest.engine === 'source' ? 'written as C source and compiled' : 'cut out of the compiled objects'
  return html`<dl class="facts">
<dt>Tool</dt><dd>Inarch ${tool.version}; the code was ${engine}</dd>
<dt>Kernel</dt><dd>${kernel.release}, version ${kernel.version} (${kernel.origin === 'debian' ? 'Debian’s archive' : 'a local build'})</dd>
<dt>Compiler</dt><dd>${kernel.compiler}</dd>
${units !== undefined && html`<dt>Units</dt><dd>${units.considered} considered, ${units.preprocessed} preprocessed, ${units.compiled} compiled on both sides, ${units.changed} changed</dd>`}
<dt>Applying it</dt><dd>${manifest.replace ? 'replaces every earlier live patch at once' : 'is stacked on earlier live patches'}</dd>
<dt>Consistency model</dt><dd>${models[manifest.model ?? 'kernel']}</dd>
<dt>Module</dt><dd><code>${module.file}</code>, ${inNumbers(module.bytes, 'byte')}<br>SHA-256 <code class="hash">${manifest.sha256}</code></dd>
<dt>Inputs</dt><dd>${inputs.map(({ file, sha256 }) => html`<code>${file}</code><br>SHA-256 <code class="hash">${sha256}</code><br>`)}</dd>
</dl>
${timings.length > 0 && html`<table class="plain narrow"><thead><tr><th>Step<th>Time</thead><tbody>${timings.map(({ step, ms }) => html`<tr><td>${step}<td class="ms">${seconds(ms)}`)}</tbody></table>`}`
}

/** The manifest as it is, without what is machine code or packed text. */
export function manifestPart({ manifest }: Facts): Html {
  const text = JSON.stringify(
    manifest,
    (key, value: unknown) => {
      if (key === 'evidence' && typeof value === 'string') return `${value.length} characters, shown above`
      if (key === 'expected' && typeof value === 'string') return `${value.length} characters: the code, shown above`
      return value
    },
    2,
  )
  const summary = html`<summary>Manifest <small>livepatch-${manifest.name}.json</small></summary>`
  return html`<details class="console">${summary}<pre>${text}</pre></details>`
}

export function signPart(sha256: string): Html {
  return html`<p>I have read this report of the module with the SHA-256 <code class="hash">${sha256}</code>.</p>
<table class="sign"><tbody>${['Author', 'Reviewer', 'Operator'].map((who) => html`<tr><th>${who}<td><span>Name</span><td><span>Date</span><td><span>Signature</span>`)}</tbody></table>`
}
