// SPDX-License-Identifier: GPL-3.0-or-later
// Judges what a guest told: whatever is not as it should be is a failure, in one sentence, with the lines
// that show it.

import type { LogFinding } from '../guest/log.ts'
import type { MachineEnd } from '../guest/qemu.ts'
import { type Check, expectedIn } from '../plan/check.ts'
import type { Phase } from '../plan/scenario.ts'
import { actionOf, type BootRecord, type PartRecord, type StepRecord, waitsFor } from './record.ts'

/** Why the proof failed. */
export interface Failure {
  /** `boot`, `hang`, `crash`, `lost`, `unseen`, `step`, `check`, `log`, `taint`, `replaces`, `coverage`. */
  readonly code: string
  /** One sentence without a full stop. */
  readonly message: string
  readonly step?: string
  readonly lines?: readonly string[]
}

/** How many of a console's last lines a failure shows. */
const shownLines = 25

/**
 * What went wrong in the machine itself, if anything did while `part` was tried: no boot, a hang, a crash.
 * @param part undefined when the boot came to none of the proofs
 * @param timeout seconds
 */
export function machineFailure(
  record: BootRecord,
  part: PartRecord | undefined,
  end: MachineEnd,
  console: readonly string[],
  timeout: number,
): Failure | undefined {
  const lines = console.slice(-shownLines)
  const last = part?.steps.at(-1) ?? record.boot
  if (record.release === undefined) {
    const what = end.timedOut ? `did not come up within ${timeout} s` : 'ended before its init ran'
    return { code: 'boot', message: `The guest ${what}`, lines: [...end.messages, ...lines] }
  }
  if (record.done || part !== record.parts.at(-1)) return undefined
  if (part?.stays !== undefined || last.outcome === 'failed') return undefined
  const sample = last.samples?.at(-1)
  const waiting = sample === undefined ? '' : ` (${waitsFor(sample.left, sample.total)})`
  const where = ` during "${last.title}"${waiting}`
  const overdue = end.timedOut || console.some((line) => line.includes('inarch: the time is over'))
  if (overdue)
    return {
      code: 'hang',
      message: `The guest hung${where} and was killed after ${timeout} s`,
      step: last.id,
      lines,
    }
  return { code: 'crash', message: `The guest died${where}`, step: last.id, lines }
}

/**
 * Steps that the guest itself says have failed.
 * @param refused as in `logFailures`: nobody's fault
 */
export function stepFailures(steps: readonly StepRecord[], refused: ReadonlySet<string>): Failure[] {
  return steps.flatMap((step): Failure[] => {
    if (step.outcome !== 'failed' && (step.outcome !== 'refused' || refused.has(step.id))) return []
    const [first = '', ...rest] = (step.reason ?? '').split('\n')
    const lines = [...rest, ...(step.stuck ?? '').split('\n')].filter((line) => line !== '')
    const left = step.samples?.at(-1)?.left
    const tasks = left === undefined ? '' : `; ${left} ${left === 1 ? 'task is' : 'tasks are'} left`
    return [{ code: 'step', message: `"${step.title}" failed: ${first}${tasks}`, step: step.id, lines }]
  })
}

/** What busybox's timeout(1) ends with when it has killed a command. */
const killedCode = 137

/** Checks that did not print what they should, or of which nothing was seen. @param restores as in `expectedIn` */
export function checkFailures(steps: readonly StepRecord[], checks: readonly Check[], restores: boolean): Failure[] {
  /** Where a check without expectations came to its end, by the order and its index. */
  const ended = new Map<string, boolean>()
  return steps.flatMap((step): Failure[] => {
    const [action, phase, index] = /^check\.(before|after|reverted)\.(\d+|script)$/.exec(actionOf(step.id)) ?? []
    if (action === undefined || phase === undefined || step.output === undefined) return []
    const { exitCode, text } = step.output
    const lines = text.trimEnd().split('\n').slice(-shownLines)
    const killed = exitCode === killedCode ? ' (it was killed at its time limit)' : ''
    const failure = (what: string): Failure[] => [
      { code: 'check', message: `"${step.title}" ${what}`, step: step.id, lines },
    ]
    if (index === 'script') return exitCode === 0 ? [] : failure(`ended with exit code ${exitCode}${killed}`)
    const check = checks[Number(index)]
    if (check === undefined) return []
    const expectation = expectedIn(check, phase as Phase, restores)
    if (expectation !== undefined)
      return expectation.matches(text) ? [] : failure(`did not print ${JSON.stringify(expectation.text)}${killed}`)
    if (check.before !== undefined || check.after !== undefined || check.reverted !== undefined) return []
    // What hangs with or without the live patch shows something; what never ends shows nothing.
    const run = `${step.id.slice(0, -action.length)}${index}`
    ended.set(run, ended.get(run) === true || exitCode !== killedCode)
    return phase === 'reverted' && ended.get(run) === false
      ? failure('and the same before were killed at their time limit: nothing is known of what it does')
      : []
  })
}

/** How a person calls what a rule of the kernel log finds. */
const named: Readonly<Record<string, string>> = {
  warning: 'a warning',
  bug: 'a bug',
  oops: 'an oops',
  panic: 'a panic',
  lockup: 'a lockup',
  stall: 'an RCU stall',
  'hung-task': 'a hung task',
  lockdep: 'a locking problem',
  livepatch: 'a livepatch error',
  module: 'a module error',
  'file-system': 'a file system error',
  trace: 'a call trace',
}

/** The rules that find what a kernel says when it refuses a module under a live patch. */
const refusal: readonly string[] = ['livepatch', 'module']

/**
 * What the log shows and nobody expected.
 * @param refused steps in which the kernel refused a module, and said so
 */
export function logFailures(
  log: readonly LogFinding[],
  titleOf: (step: string) => string,
  refused: ReadonlySet<string>,
): Failure[] {
  return log
    .filter(({ step, expected }) => step !== undefined && !expected)
    .filter(({ step = '', rule }) => !(refused.has(step) && refusal.includes(rule)))
    .map(({ rule, step = '', lines }, index, all) => ({
      code: 'log',
      message: `The kernel log shows ${named[rule] ?? rule} during "${titleOf(step)}"`,
      step,
      // Trouble brings trouble: what follows in the same step is told in one line.
      lines: all.findIndex((other) => other.step === step) === index ? lines : lines.slice(0, 1),
    }))
}

/** Steps in which the kernel's livepatch code refused a module that it had before, by the words of the log. */
export function refusedSteps(steps: readonly StepRecord[], log: readonly LogFinding[]): Set<string> {
  const says = (id: string) =>
    log.some(({ step, rule, lines }) => step === id && rule === 'livepatch' && /refus/.test(lines[0] ?? ''))
  return new Set(steps.filter(({ id, outcome }) => outcome === 'refused' && says(id)).map(({ id }) => id))
}

/** Remarks on modules that did not go and come back under the live patch. */
export function refusalNotes(steps: readonly StepRecord[]): string[] {
  return steps.flatMap(({ id, title, outcome, reason }) => {
    if (actionOf(id) !== 'reload') return []
    if (outcome === 'kept') return [`"${title}" was not tried: ${reason}`]
    if (outcome !== 'refused') return []
    return [
      'warning: once it was unloaded, this kernel refuses the module until the live patch is gone ' +
        `("${title}": ${reason})`,
    ]
  })
}

/** Remarks on trouble that comes without the live patch as well. */
export function clearedNotes(cleared: readonly LogFinding[]): string[] {
  return cleared.map(
    ({ rule, line }) =>
      `the exercises bring ${named[rule] ?? rule} without the live patch as well (console line ${line})`,
  )
}

/** Remarks on taints that come without the live patch as well. */
export function taintNotes(flags: readonly string[]): string[] {
  return flags.map((flag) => `the exercises taint the kernel without the live patch as well: ${flag}`)
}

/** Remarks on what the kernel complained about before the live patch came. */
export function earlyNotes(log: readonly LogFinding[]): string[] {
  return log
    .filter(({ step }) => step === undefined)
    .map(
      ({ rule, line }) =>
        `the kernel log shows ${named[rule] ?? rule} before the live patch came (console line ${line})`,
    )
}
