// SPDX-License-Identifier: GPL-3.0-or-later
// Puts the chosen fixes through `check`, as the command does it.
import pLimit from 'p-limit'
import { Fault } from '../../src/ground/fault.ts'
import type { Job } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { judgeFix } from '../../src/module/judgement.ts'
import type { FittingFix } from './fit.ts'
import type { FixFinding, FixResult } from './results.ts'

export function briefFindings(findings: readonly FixFinding[]): FixFinding[] {
  return findings.map(({ severity, rule, message, symbol, unit }) => ({
    severity,
    rule,
    message,
    ...(symbol === undefined ? {} : { symbol }),
    ...(unit === undefined ? {} : { unit }),
  }))
}

/** Checks the fixes, `jobs` side by side, and tells of each when it is done. */
export async function judgeAll(
  job: Job,
  kernel: Kernel,
  fixes: readonly FittingFix[],
  jobs: number,
  tell: (result: FixResult) => void,
): Promise<void> {
  const limit = pLimit(jobs)
  await Promise.all(fixes.map((fix) => limit(async () => tell(await judge(job, kernel, fix)))))
}

async function judge(job: Job, kernel: Kernel, { fix, patch, reversed }: FittingFix): Promise<FixResult> {
  const start = performance.now()
  const done = (rest: Omit<FixResult, 'id' | 'ms'>): FixResult => ({
    id: fix.id,
    ...(reversed ? { reversed } : {}),
    ...rest,
    ms: Math.round(performance.now() - start),
  })
  try {
    const { verdict, findings, functions } = await judgeFix(job, kernel, {
      patches: [patch],
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
