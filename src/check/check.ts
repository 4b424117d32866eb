// SPDX-License-Identifier: GPL-3.0-or-later
// Applies all rules to a fix.
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
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
  return reviewOf(await Promise.all(rules.map(async (rule) => [rule, await rule.find(subject, job)] as const)))
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
