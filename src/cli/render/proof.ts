// SPDX-License-Identifier: GPL-3.0-or-later
// How a proof looks in the end: its steps with their times, and the verdict. The steps were already
// seen live; this is what a person keeps, or what a pipe gets.

import { inNumbers } from '../../ground/in-numbers.ts'
import type { OrderRecord, Proof } from '../../vm/proof.ts'
import { type CoveredFunction, uncoveredWords } from '../../vm/verdict/coverage.ts'
import type { Failure } from '../../vm/verdict/judge.ts'
import { type StepRecord, waitsFor } from '../../vm/verdict/record.ts'
import { bold, dim, green, red, yellow } from './colour.ts'
import { proofForecastLines } from './forecast.ts'

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

/** A transition in a few words: how many tasks were left, and for how long. */
function curve(step: StepRecord): string {
  const samples = step.samples ?? []
  const most = samples.reduce((top, { left }) => Math.max(top, left), 0)
  const total = samples.at(-1)?.total ?? 0
  const free = samples.find(({ left }) => left === 0)
  if (samples.length === 0) return ''
  if (free === undefined) return waitsFor(samples.at(-1)?.left ?? 0, total)
  return most === 0 ? `${total} tasks, none left at once` : `at first ${most} of ${total} tasks left`
}

/** What became of an older live patch. */
const fates = { replaced: 'replaced', kept: 'still there after the revert', unknown: 'not known' } as const

function mark(step: StepRecord, failures: readonly Failure[]): string {
  if (failures.some((failure) => failure.step === step.id)) return red('failed')
  if (step.outcome === 'unfinished') return red('unfinished')
  if (step.outcome === 'kept') return yellow('stays loaded')
  if (step.outcome === 'refused') return yellow('refused by the kernel')
  return green('ok')
}

function orderTable(order: OrderRecord, proof: Proof): string[] {
  const width = Math.min(60, Math.max(0, ...order.steps.map(({ title }) => title.length)))
  const rows = order.steps.map((step) => {
    const title = step.title.length > width ? `${step.title.slice(0, width - 1)}…` : step.title.padEnd(width)
    const shape = curve(step)
    const tail = shape === '' ? '' : `  ${dim(shape)}`
    return `  ${title}  ${seconds(step.ms).padStart(7)}  ${mark(step, proof.failures)}${tail}`
  })
  return [bold(order.title), ...rows]
}

/** The forecast, where there was something to say beforehand or afterwards. */
function forecastOfOrder({ forecast }: OrderRecord): string[] {
  if (forecast === undefined || (forecast.verdict === 'will-finish' && forecast.held !== false)) return []
  return proofForecastLines(forecast).map((line) => `  ${dim(line)}`)
}

/** The lines of a finished proof. `verbose` adds what every check printed. */
export function renderProof(proof: Proof, verbose: boolean): string[] {
  const { machine, kernel, module } = proof
  const booted = proof.bootMs.filter((ms) => ms > 0).map(seconds)
  const boot = booted.length > 0 ? `, booted in ${booted.join(' and ')}` : ''
  const orders = proof.orders.filter(({ steps }) => steps.length > 0)
  const lines = [
    `${bold(module.name)} on ${kernel.release} (${kernel.version}), ${machine.accelerator}, ` +
      `${machine.cpus} CPUs${machine.inTurn ? ' in turn' : ''}${boot}`,
    ...orders.flatMap((order) => ['', ...orderTable(order, proof), ...forecastOfOrder(order)]),
    '',
  ]
  if (verbose) {
    for (const { steps } of proof.orders)
      for (const { title, output } of steps)
        if (output)
          lines.push(
            dim(`${title}:`),
            ...output.text
              .trimEnd()
              .split('\n')
              .map((line) => `  ${line}`),
          )
    lines.push('')
  }
  lines.push(...coverageLines(proof))
  if (proof.over.length > 0)
    lines.push(`over: ${proof.over.map(({ name, outcome }) => `${name} (${fates[outcome]})`).join(', ')}`)
  if (proof.loads.length > 0) lines.push(`background load: ${proof.loads.join(', ')} rounds`)
  for (const note of proof.notes) lines.push(`note: ${note}`)
  lines.push(`${verdictWords(proof)} in ${seconds(proof.ms)}`)
  return lines
}

/** How often what is replaced ran: those that never did come first. */
function coverageLines({ replaced, coverage }: Proof): string[] {
  const ran = ({ name, sympos, object }: Proof['replaced'][number]) =>
    coverage.functions.find((one) => one.object === object && one.name === name && (one.sympos || 1) === sympos)
  const all = replaced
    .map((one) => ({ ...one, covered: ran(one) }))
    .sort((a, b) => (a.covered?.ran ?? -1) - (b.covered?.ran ?? -1))
  const names = all.map(({ name, object, covered }) => `${name} (${object}) ${timesWords(covered)}`)
  const more = names.length > 8 ? [`  ${dim(`and ${names.length - 8} more (--json has all)`)}`] : []
  const [only, ...others] = names
  if (only === undefined) return []
  if (others.length === 0) return [`replaced: ${only}`]
  return ['replaced:', ...names.slice(0, 8).map((name) => `  ${name}`), ...more]
}

function timesWords(covered: CoveredFunction | undefined): string {
  if (covered?.ran === 0) return yellow('never ran')
  if (covered?.ran !== undefined) return dim(`ran ${inNumbers(covered.ran, 'time')}`)
  return yellow(`not counted${covered?.uncounted === undefined ? '' : `: ${covered.uncounted}`}`)
}

/** The verdict, with what it does not say. */
export function verdictWords({ verdict, coverage }: Pick<Proof, 'verdict' | 'coverage'>): string {
  if (verdict === 'failed') return red(bold('failed'))
  const uncovered = uncoveredWords(coverage)
  if (verdict === 'loaded') return `${yellow(bold('loaded and reverted'))}, ${uncovered ?? ''}`
  const byChecks = uncovered === undefined || coverage.functions.length === 0 ? '' : ` by its checks (${uncovered})`
  return `${green(bold('proven'))}${byChecks}`
}

/** The lines of several finished proofs: one for each, or all of each when `verbose`. */
export function renderProofs(proofs: readonly Proof[], verbose: boolean): string[] {
  if (verbose) return proofs.flatMap((proof) => [...renderProof(proof, true), ''])
  const width = Math.max(0, ...proofs.map(({ module }) => module.name.length))
  const rows = proofs.map((proof) => {
    const count = dim(inNumbers(proof.replaced.length, 'function'))
    return `${proof.module.name.padEnd(width)}  ${seconds(proof.ms).padStart(7)}  ${count}  ${verdictWords(proof)}`
  })
  const proven = proofs.filter(({ verdict }) => verdict === 'proven').length
  const [{ kernel, machine }] = proofs as [Proof, ...Proof[]]
  const where = `${kernel.release} (${kernel.version}), ${machine.accelerator}`
  const loaded = proofs.filter(({ verdict }) => verdict === 'loaded').length
  const only = loaded === 0 ? '' : `, ${loaded} only loaded and reverted,`
  return [...rows, '', `${proven} of ${proofs.length} proven${only} on ${where}`]
}

/** Lines of one failure that a person is shown at once. */
const shownLines = 30

/** The lines that show a failure, the first of them when there are many. */
export function failureLines({ lines = [] }: Failure): string[] {
  if (lines.length <= shownLines + 1) return [...lines]
  return [...lines.slice(0, shownLines), `… and ${lines.length - shownLines} more lines (--json has all)`]
}

/** Everything that went wrong, with the lines that show it. */
export function renderFailures(failures: readonly Failure[]): string {
  return failures
    .map((failure) => [`${failure.message}.`, ...failureLines(failure).map((line) => `  ${line}`)].join('\n'))
    .join('\n\n')
}
