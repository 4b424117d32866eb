// SPDX-License-Identifier: GPL-3.0-or-later
// The proof as a picture: over the time of each order of things, how many of the guest's tasks run the new code; below
// it the steps with what they printed, and the guest's console.
import { inNumbers } from '../../ground/in-numbers.ts'
import { sentence } from '../../ground/sentence.ts'
import type { Facts } from '../facts/facts.ts'
import type { ProofRecord, ProofStep } from '../facts/proof-file.ts'
import { seconds } from '../facts/verdict.ts'
import { type Html, html } from '../html/html.ts'

type Order = ProofRecord['orders'][number]

/** The picture's units. */
const [width, height, left, top] = [880, 150, 44, 12]
/** Lines of a console that a report keeps. */
const mostLines = 4000

export function proofPart({ proof, module }: Pick<Facts, 'proof' | 'module'>): Html {
  const name = module.file.replace(/\.ko$/, '')
  if (proof === undefined)
    return html`<p>It was not tried yet, or its proof was not given to this report. To try it in a virtual machine that boots the very kernel:</p>
<pre class="command">inarch prove --proof ${name}.proof.json ${module.file}
inarch report --proof ${name}.proof.json ${module.file}</pre>`
  const { machine } = proof
  const booted = proof.bootMs.filter((ms) => ms > 0).map(seconds)
  return html`<p>${verdicts[proof.verdict]} in ${seconds(proof.ms)} on ${proof.kernel.release} (${proof.kernel.version}), in a virtual machine with ${inNumbers(machine.cpus, 'CPU')}${machine.inTurn === true && ' in turn'} and ${machine.memory} MiB (${machine.accelerator}${machine.processor !== undefined && `, ${machine.processor}`})${booted.length > 0 && `, booted in ${booted.join(' and ')}`}.</p>
${proof.failures.length > 0 && html`<ul class="findings">${proof.failures.map(({ message, lines = [] }) => html`<li class="finding error"><p class="kind"><b>Failed</b></p><p>${sentence(message)}</p>${lines.length > 0 && html`<pre>${lines.join('\n')}</pre>`}</li>`)}</ul>`}
${proof.orders.filter(({ steps }) => steps.length > 0).map((order) => orderPart(order, proof))}
${coveragePart(proof)}
${proof.over.length > 0 && html`<p>Older live patches that were there before: ${proof.over.map(({ name, outcome }) => `${name} (${outcome})`).join(', ')}.</p>`}
${proof.notes.length > 0 && html`<ul>${proof.notes.map((note) => html`<li>${sentence(note)}</li>`)}</ul>`}
${proof.consoles.map((lines, index) => consolePart(lines, proof.consoles.length > 1 ? ` of boot ${index + 1}` : ''))}`
}

const verdicts = { proven: 'Proven', loaded: 'Loaded and reverted', failed: 'Failed' } as const

/** How often each replaced function ran. */
function coveragePart({ coverage }: ProofRecord): Html {
  const { functions, checked, exercises } = coverage
  if (functions.length === 0) return html``
  return html`<h3>What ran</h3>
<table class="steps"><thead><tr><th>Function<th>Ran while the live patch was at work</thead><tbody>${functions.map(({ object, name, ran, uncounted }) => html`<tr class="${ran ? 'ok' : 'bad'}"><td>${name} <span class="quiet">${object}</span><td>${ran === undefined ? `not counted: ${uncounted ?? ''}` : ran === 0 ? 'never' : inNumbers(ran, 'time')}`)}</tbody></table>
<p>${checked ? 'Its author says what is to be seen of it.' : 'Its author does not say what is to be seen of it.'}${exercises.length > 0 && ` So that it runs: ${exercises.join('; ')}.`}</p>`
}

interface Placed {
  readonly step: ProofStep
  /** ms since the first step began. */
  readonly from: number
  readonly to: number
}

function place(steps: readonly ProofStep[]): Placed[] {
  let at = 0
  return steps.map((step) => {
    const from = at
    at += Math.max(0, step.ms)
    return { step, from, to: at }
  })
}

function orderPart(order: Order, proof: ProofRecord): Html {
  const placed = place(order.steps)
  const failed = new Set(proof.failures.flatMap(({ step }) => step ?? []))
  return html`<h3>${order.title}</h3>
${timeline(placed)}
<table class="steps"><thead><tr><th>Step<th>Time<th>Outcome</thead><tbody>${placed.map(({ step }, index) => stepRow(step, index + 1, failed.has(step.id)))}</tbody></table>`
}

function stepRow(step: ProofStep, number: number, isFailed: boolean): Html {
  const outcome = isFailed ? 'failed' : step.outcome === 'done' ? 'ok' : step.outcome
  const samples = step.samples ?? []
  const most = samples.reduce((sum, { left: rest }) => Math.max(sum, rest), 0)
  const total = samples.at(-1)?.total
  const tasks =
    total === undefined
      ? ''
      : most === 0
        ? `${total} tasks, all switched at once`
        : `at first ${most} of ${total} tasks left`
  const output = step.output?.text.trimEnd()
  const said = output === undefined ? '' : `\n${output}`
  const shown = [
    tasks !== '' && html`<div class="quiet">${tasks}</div>`,
    step.reason !== undefined && html`<div>${sentence(step.reason)}</div>`,
    step.command !== undefined && html`<pre class="output">$ ${step.command}${said}</pre>`,
    step.stuck !== undefined && html`<pre class="output">${step.stuck}</pre>`,
  ]
  const title = html`<td><span class="nr">${number}</span> ${step.title}${shown}`
  const kind = outcome === 'ok' ? 'ok' : 'bad'
  return html`<tr class="${kind}">${title}<td class="ms">${seconds(step.ms)}<td>${outcome}`
}

/** True for the steps in which tasks go to the new code, or back. */
const goes = ({ id }: ProofStep) => /\.transition$/.test(id)
const returns = ({ id }: ProofStep) => /\.return$/.test(id)

/** The share of tasks in the new code over time: points of a staircase. */
function curve(placed: readonly Placed[]): { at: number; share: number }[] {
  const points: { at: number; share: number }[] = [{ at: 0, share: 0 }]
  const apart = (placed.at(-1)?.to ?? 0) / (2 * width)
  let share = 0
  for (const { step, from, to } of placed) {
    const back = returns(step)
    if (!goes(step) && !back) continue
    const end = back ? 0 : 1
    for (const { ms, left: rest, total } of step.samples ?? []) {
      const remaining = total > 0 ? Math.min(1, rest / total) : 0
      const next = back ? remaining : 1 - remaining
      if (next === share) continue
      share = next
      const at = from + Math.max(0, ms)
      const last = points.at(-1)
      // Nobody sees two that are half a pixel apart.
      if (points.length > 1 && last !== undefined && at - last.at < apart) last.share = share
      else points.push({ at, share })
    }
    // Where it was too quick for a sample, its end is what is known.
    if (step.outcome === 'done' && share !== end) {
      share = end
      points.push({ at: to, share })
    }
  }
  return points
}

function timeline(placed: readonly Placed[]): Html {
  const end = placed.at(-1)?.to ?? 0
  if (end === 0) return html``
  const x = (ms: number) => left + (ms / end) * (width - left - 8)
  const y = (share: number) => top + (1 - share) * (height - top)
  const points = curve(placed)
  let line = ''
  for (const { at, share } of points)
    line +=
      line === '' ? `M${x(at).toFixed(1)} ${y(share).toFixed(1)}` : ` H${x(at).toFixed(1)} V${y(share).toFixed(1)}`
  const area = `${line} H${x(end).toFixed(1)} V${y(0)} H${x(0)} Z`
  let peak = 0
  for (const { step } of placed) for (const { total } of step.samples ?? []) peak = Math.max(peak, total)
  const bars = placed.map(({ step, from, to }, index) => {
    const wide = x(to) - x(from)
    const kind = goes(step) || returns(step) ? 'move' : index % 2 === 0 ? 'even' : 'odd'
    const place = html`x="${x(from).toFixed(1)}" y="${height + 8}"`
    const size = html`width="${Math.max(1, wide - 1).toFixed(1)}" height="18" rx="2"`
    const title = html`<title>${step.title}, ${seconds(step.ms)}</title>`
    const middle = ((x(from) + x(to)) / 2).toFixed(1)
    const number = wide > 16 && html`<text class="nr" x="${middle}" y="${height + 21}">${index + 1}</text>`
    return html`<rect class="${kind}" ${place} ${size}>${title}</rect>${number}`
  })
  const step = tick(end)
  const ticks = Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => index * step)
  return html`<div class="wide"><svg class="timeline" viewBox="0 0 ${width} ${height + 52}" width="${width}" height="${height + 52}" role="img" aria-label="How many tasks run the new code, over time">
<g class="axis"><path d="M${left} ${top} H${width - 8} M${left} ${height} H${width - 8}"/>
<text x="${left - 8}" y="${top + 4}" class="end">${peak > 0 ? peak : 'all'}</text><text x="${left - 8}" y="${height + 4}" class="end">0</text>
<text x="${left + 8}" y="${top + 16}">tasks in the new code</text>
${ticks.map((ms) => html`<text class="nr" x="${x(ms).toFixed(1)}" y="${height + 44}">${ms === 0 ? '0' : `${ms / 1000} s`}</text>`)}</g>
<path class="area" d="${area}"/><path class="line" d="${line} H${x(end).toFixed(1)}"/>
${bars}</svg></div>`
}

/** ms between two ticks, so that there are at most ten. */
function tick(end: number): number {
  const steps = [100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000, 300_000, 600_000]
  return steps.find((step) => end / step <= 9) ?? 600_000 * Math.ceil(end / (9 * 600_000))
}

function consolePart(lines: readonly string[], which: string): Html {
  const shown = lines.length > mostLines ? lines.slice(-mostLines) : lines
  const cut = shown.length < lines.length ? `, the last ${shown.length} of ${lines.length} lines` : ''
  const length = `${inNumbers(lines.length, 'line')}${cut}`
  const summary = html`<summary>Console${which} <small>${length}</small></summary>`
  return html`<details class="console">${summary}<pre>${shown.join('\n')}</pre></details>`
}
