// SPDX-License-Identifier: GPL-3.0-or-later
// Applies all rules to a fix.
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import type { Model } from '../kernel/model.ts'
import { rules } from './rules.ts'
import type { Found, Rule } from './subject/rule.ts'
import type { Subject } from './subject/subject.ts'

/** What the rules have to say. */
export interface Review {
  /** In the order of the rules; each thing once. */
  readonly findings: readonly Finding[]
  /** The functions of which a rule says more than a note, each with the first such rule. */
  readonly warned: ReadonlyMap<string, string>
}

/** Applies all rules. */
export async function checkFix(job: Job, subject: Subject): Promise<Review> {
  const told = await Promise.all(
    rules.map(async (rule) => [rule, ofModel(rule, await rule.find(subject, job), subject.model)] as const),
  )
  return reviewOf(told)
}

/** What a rule has found, as it is with a model. */
export function ofModel(
  rule: Pick<Rule, 'severity' | 'remedy' | 'ofMixture'>,
  found: readonly Found[],
  model: Model,
): readonly Found[] {
  if (rule.ofMixture !== true) return found
  return found.map((one) => {
    const { message, hint = rule.remedy, severity = rule.severity, outlives } = one
    if (outlives === true || severity === 'note') return one
    return model === 'kpatch'
      ? { ...one, severity: 'note', message: `${message}; with the model kpatch old and new code never do at once` }
      : { ...one, hint: `${hint}. Or take --model kpatch, with which old and new code never run at the same time` }
  })
}

/** @param told what each rule has found, in the order of the rules */
export function reviewOf(
  told: readonly (readonly [rule: Pick<Rule, 'name' | 'severity' | 'remedy'>, found: readonly Found[]])[],
): Review {
  const warned = new Map<string, string>()
  const findings = told.flatMap(([rule, found]) =>
    found.map(({ severity = rule.severity, message, hint = rule.remedy, symbol, unit, functions = [] }): Finding => {
      for (const name of severity === 'note' ? [] : [symbol, ...functions])
        if (name !== undefined && !warned.has(name)) warned.set(name, rule.name)
      return {
        severity,
        rule: rule.name,
        ...(symbol === undefined ? {} : { symbol }),
        ...(unit === undefined ? {} : { unit }),
        message,
        hint,
      }
    }),
  )
  return { findings, warned }
}
