// SPDX-License-Identifier: GPL-3.0-or-later
// Trouble in the log during the exercises may be the kernel's own: a stock kernel warns, too, when it is driven hard.
// So the exercises are done once more in a boot without the live patch, and what comes there as well is nobody's fault.
// The same holds for a taint of which the log says nothing.

import { type LogFinding, readLog, unexpectedTaint } from '../guest/log.ts'
import type { Failure } from './judge.ts'
import { actionOf, type PartRecord, type StepRecord } from './record.ts'

/** Trouble that may come of the exercises alone. */
export function inDoubt({ step, expected }: LogFinding): boolean {
  return step !== undefined && actionOf(step) === 'exercise' && !expected
}

/** A taint flag that was set during an exercise. */
export interface ExerciseTaint {
  /** The flag's name. */
  readonly flag: string
  readonly step: string
  /** The exercise's number; undefined when its end was not seen. */
  readonly exercise: number | undefined
}

/** The taint flags that were set during the exercises. */
function taintDuring(steps: readonly StepRecord[]): ExerciseTaint[] {
  return steps.flatMap(({ id, taint = [], exercises = [] }) =>
    taint.slice(1).flatMap((bits, index) =>
      unexpectedTaint(taint[index] ?? bits, bits).map((flag) => ({
        flag,
        step: id,
        exercise: exercises[index]?.index,
      })),
    ),
  )
}

/**
 * What a taint says of the live patch. One that was set during the exercises is in doubt, and nobody's fault where the
 * same exercises set it without the live patch, too.
 * @param explained the log shows trouble which nobody has cleared: it tells better than the flag that it leaves
 * @param baseline the same part of a boot without the live patch
 * @returns failures, and the flags that were cleared
 */
export function taintFailures(
  { taint: [before = 0, ...later], steps }: Pick<PartRecord, 'taint' | 'steps'>,
  explained: boolean,
  baseline: Pick<PartRecord, 'steps'> | undefined,
  nameOf: (exercise: number) => string,
): { readonly failures: Failure[]; readonly cleared: readonly string[] } {
  const set = taintDuring(steps)
  const known = new Set(taintDuring(baseline?.steps ?? []).map(({ flag }) => flag))
  const flags = unexpectedTaint(before, later.at(-1) ?? before)
  const cleared = flags.filter((flag) => known.has(flag) && set.some((one) => one.flag === flag))
  const left = explained ? [] : flags.filter((flag) => !cleared.includes(flag))
  return {
    cleared,
    failures: left.map((flag): Failure => {
      const during = set.find((one) => one.flag === flag)
      const where = during?.exercise === undefined ? '' : ` since the exercise "${nameOf(during.exercise)}"`
      return {
        code: 'taint',
        message: `The guest's kernel is tainted${where}: ${flag}`,
        ...(during === undefined ? {} : { step: during.step }),
      }
    }),
  }
}

/** A failure that may come of the exercises alone. */
export function taintInDoubt({ code, step }: Failure): boolean {
  return code === 'taint' && step !== undefined
}

/** What a finding says, without what differs from boot to boot. */
function signature({ rule, lines }: LogFinding): string {
  const words = lines.map((line) =>
    line
      .replace(/^.*?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?/, '')
      .replace(/\+0x\S+/g, '')
      .replace(/0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+/g, '#')
      .replace(/Comm: \S+/, ''),
  )
  const told = words.find((line) => !/^-+\[ cut here|^Call Trace:/.test(line)) ?? ''
  // A bare call trace says only by its functions what it is about.
  return rule === 'trace' ? `${rule} ${words.slice(1, 12).join(' ')}` : `${rule} ${told}`
}

/**
 * The findings of a log, where those that are in doubt and came without the live patch, too, count as expected.
 * @param baseline the console of a boot that did the same exercises without the live patch
 * @returns also the findings that were cleared so
 */
export function clearedBy(
  baseline: readonly string[],
  log: readonly LogFinding[],
): { readonly log: LogFinding[]; readonly cleared: readonly LogFinding[] } {
  const known = new Set(readLog(baseline).map(signature))
  const cleared = log.filter((finding) => inDoubt(finding) && known.has(signature(finding)))
  return {
    log: log.map((finding) => (cleared.includes(finding) ? { ...finding, expected: true } : finding)),
    cleared,
  }
}
