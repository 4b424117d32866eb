// SPDX-License-Identifier: GPL-3.0-or-later
// How it looks in a terminal what a live patch meets on the host that is to load it.
import { inNumbers } from '../../ground/in-numbers.ts'
import type { VerifiedFunction } from '../../livepatch/functions.ts'
import type { RunningReport, Verdict } from '../../livepatch/verify-running.ts'
import { bold, dim, green, red, yellow } from './colour.ts'
import { findingLines } from './findings.ts'

const verdicts: Readonly<Record<Verdict, string>> = {
  ready: green('can be loaded: the code is the one that it was made for'),
  'at-work': green('is loaded and at work'),
  forbidden: red('can’t be loaded here'),
  differs: red('must not be loaded: the code is another one'),
  unseen: yellow('could not be compared'),
}

const codes: Readonly<Record<VerifiedFunction['code'], string>> = {
  matches: green('matches'),
  differs: red('differs'),
  missing: red('missing'),
  absent: dim('not on this host'),
  unseen: yellow('not seen'),
}

/** How the core leads calls away. */
const leads = { jump: 'a jump', ftrace: 'ftrace' } as const

function functionLine(one: VerifiedFunction, own: string): string {
  const where =
    one.comparedWith === 'file' ? 'in the module’s file' : one.address === undefined ? '' : `at ${one.address}`
  const led = one.led === 'jump' || one.led === 'ftrace' ? `, led away by ${leads[one.led]}` : ''
  const rewritten = one.rewritten ? `, ${inNumbers(one.rewritten, 'place')} rewritten by the kernel` : ''
  const unit = one.unit === undefined ? '' : `(${one.unit}) `
  const size = one.size === undefined ? '' : `, ${one.size} bytes`
  const taken = one.hooks.some(({ kind, name }) => kind === 'live-patch' && name === own) ? ', replaced by it now' : ''
  return (
    `  ${codes[one.code]} ${bold(one.name)} of ${one.object} ` + dim(`${unit}${where}${size}${rewritten}${led}${taken}`)
  )
}

function patchLine({ name, enabled, moving, model }: RunningReport['host']['patches'][number]): string {
  const carrier = model === 'kernel' ? '' : ` [${model}]`
  return `${name}${carrier}${moving ? ' (in transition)' : enabled ? '' : ' (disabled)'}`
}

/** With each reference when `verbose` is set. */
export function renderRunning(
  { module, host, verdict, functions, references, lookedUp, findings }: RunningReport,
  verbose: boolean,
): string[] {
  const weight = { error: 0, warning: 1, note: 2 }
  const sorted = findings.toSorted((a, b) => weight[a.severity] - weight[b.severity])
  return [
    `${bold(module.name)} on this host: ${verdicts[verdict]}`,
    `  ${dim(`kernel ${host.release} ${host.build}`)}`,
    ...(host.taint.length > 0 ? [`  ${dim(`tainted: ${host.taint.join(', ')}`)}`] : []),
    ...(host.patches.length > 0 ? [`  ${dim(`live patches: ${host.patches.map(patchLine).join(', ')}`)}`] : []),
    ...(functions.length > 0 ? ['', ...functions.map((one) => functionLine(one, module.name))] : []),
    ...(references > 0
      ? [dim(`  ${references} symbols that are not exported, to which it refers, were looked up`)]
      : []),
    ...(verbose ? lookedUp.map((one) => dim(`    ${one}`)) : []),
    ...sorted.flatMap((finding) => ['', ...findingLines(finding)]),
  ]
}
