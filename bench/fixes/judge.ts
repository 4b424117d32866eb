// SPDX-License-Identifier: GPL-3.0-or-later
// Puts the chosen fixes through `check`, as the command does it.
import { readFileSync } from 'node:fs'
import pLimit from 'p-limit'
import { Fault } from '../../src/ground/fault.ts'
import type { Job } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { judgeFix } from '../../src/module/judgement.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import type { Patch } from '../../src/patch/patch.ts'
import { reversed } from '../../test/fixes/reversed.ts'
import { type ChosenFix, patchOf } from './choice.ts'
import type { FixFinding, FixResult } from './results.ts'

export interface JudgeOptions {
  /** Undo the fix instead: for a kernel that has it already. */
  readonly reversed: boolean
  /** How many side by side. */
  readonly jobs: number
}

/** The patch of a fix, as it stands in test/fixes or reversed. */
export function readFix({ id }: ChosenFix, options: Pick<JudgeOptions, 'reversed'>): Patch {
  const text = readFileSync(patchOf(id), 'latin1')
  return parsePatch(Buffer.from(options.reversed ? reversed(text) : text, 'latin1'), `${id}.patch`)
}

export function briefFindings(findings: readonly FixFinding[]): FixFinding[] {
  return findings.map(({ severity, rule, message, symbol, unit }) => ({
    severity,
    rule,
    message,
    ...(symbol === undefined ? {} : { symbol }),
    ...(unit === undefined ? {} : { unit }),
  }))
}

/** Checks the fixes, `options.jobs` side by side, and tells of each when it is done. */
export async function judgeAll(
  job: Job,
  kernel: Kernel,
  fixes: readonly ChosenFix[],
  options: JudgeOptions,
  tell: (result: FixResult) => void,
): Promise<void> {
  const limit = pLimit(options.jobs)
  await Promise.all(fixes.map((fix) => limit(async () => tell(await judge(job, kernel, fix, options)))))
}

async function judge(job: Job, kernel: Kernel, fix: ChosenFix, options: JudgeOptions): Promise<FixResult> {
  const start = performance.now()
  const done = (rest: Omit<FixResult, 'id' | 'ms'>): FixResult => ({
    id: fix.id,
    ...rest,
    ms: Math.round(performance.now() - start),
  })
  try {
    const { verdict, findings, functions } = await judgeFix(job, kernel, {
      patches: [readFix(fix, options)],
      name: fix.id,
      replace: true,
      output: '',
    })
    return done({
      verdict,
      findings: briefFindings(findings),
      functions: functions.map(({ object, name }) => ({ object, name })),
    })
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return done({
      verdict: 'failed',
      findings: [{ severity: 'error', rule: error.code, message: error.message }],
      functions: [],
    })
  }
}
