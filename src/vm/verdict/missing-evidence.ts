// SPDX-License-Identifier: GPL-3.0-or-later
// Holds what a proof was to do against what was seen of it. A step that nobody saw end, a check whose output did not
// come, a function of which nobody knows whether the kernel replaces it: each of them leaves something unproven.
import { inNumbers } from '../../ground/in-numbers.ts'
import { logMarks } from '../guest/log.ts'
import type { Turn } from '../plan/scenario.ts'
import { replacedNames, type Subject } from '../plan/subject.ts'
import type { Failure } from './judge.ts'
import { actionOf, type BootRecord, type Replaced, type StepRecord } from './record.ts'

/** When what a boot told is not all that the guest sent. */
export function lostFailures({ lost, noise }: BootRecord): Failure[] {
  if (lost === undefined) return []
  return [{ code: 'lost', message: `What the guest told is not complete: ${lost}`, lines: noise.slice(0, 25) }]
}

/**
 * What of the kernel's log did not come: each step that ended has its mark in it, and so has the end. A console that
 * was made quiet, or whose file could not grow, would hide what the kernel complains about.
 * @returns a clause without a full stop; undefined when nothing is missing
 */
export function logGap({ parts, done }: BootRecord, console: readonly string[]): string | undefined {
  const marks = logMarks(console)
  const began = parts.flatMap(({ steps }) => steps)
  const missing =
    began.find(({ id, outcome }, index) => outcome !== 'unfinished' && marks.steps[index] !== id)?.title ??
    (done && !marks.end ? 'the end' : undefined)
  return missing === undefined
    ? undefined
    : `the kernel's log lacks the mark of "${missing}" (was the console made quiet, or the disk full?)`
}

/**
 * What was planned in a turn and not seen.
 * @param steps those that were seen in this turn's order, in all boots
 */
export function missingSteps(turn: Turn, steps: readonly StepRecord[]): Failure[] {
  const failure = (step: string, message: string): Failure => ({ code: 'unseen', message, step })
  const missing: Failure[] = []
  for (const [index, planned] of turn.steps.entries()) {
    const seen = steps[index]
    if (seen?.id !== planned.id || seen.outcome === 'unfinished')
      missing.push(failure(planned.id, `"${planned.title}" was planned and not seen`))
    else if (seen.outcome === 'done')
      missing.push(...unseenIn(seen).map((what) => failure(planned.id, `"${planned.title}" was done, but ${what}`)))
  }
  const surplus = steps.length - turn.steps.length
  if (surplus > 0) missing.push({ code: 'unseen', message: `${inNumbers(surplus, 'step')} came that nobody planned` })
  const [first, ...others] = missing
  if (first === undefined || others.length < 3) return missing
  return [{ ...first, message: `${first.message}, nor were ${others.length} others` }]
}

/** What a step that was done should have told and did not. */
function unseenIn({ id, output, samples }: StepRecord): string[] {
  const action = actionOf(id)
  if (action.startsWith('check.') && output === undefined) return ['what it printed did not come']
  if (/(^|\.)transition$/.test(action) && samples === undefined) return ['nobody saw its tasks']
  return []
}

/**
 * The guest's kernel must replace just what the manifest says (without one, what the module's tables say), in this
 * order of things, and do so now.
 */
export function replacementFailures(subject: Subject, replaced: readonly Replaced[], title: string): Failure[] {
  const failure = (message: string): Failure => ({ code: 'replaces', message: `${message} (${title})` })
  const failures = replaced
    .filter(({ active }) => active === false)
    .map(({ object, name }) => failure(`${name} of ${object} is not replaced although the live patch is loaded`))
  if (subject.manifest === undefined && subject.listed === undefined) return failures
  const source = subject.manifest === undefined ? 'module' : 'manifest'
  const told = new Set(replacedNames(subject).map(({ object, name, sympos }) => `${object}:${name},${sympos || 1}`))
  const seen = new Set(replaced.map(({ object, name, sympos }) => `${object}:${name},${sympos}`))
  for (const name of told)
    if (!seen.has(name)) failures.push(failure(`The ${source} says that ${name} is replaced, the kernel does not`))
  for (const name of seen)
    if (!told.has(name)) failures.push(failure(`The kernel says that ${name} is replaced, the ${source} does not`))
  return failures
}
