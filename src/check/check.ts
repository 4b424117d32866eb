// SPDX-License-Identifier: GPL-3.0-or-later
// Applies all rules to a fix.
import type { Finding } from '../ground/finding.ts'
import type { Job } from '../ground/job.ts'
import { rules } from './rules.ts'
import type { Subject } from './subject/subject.ts'

/** What all rules have to say, in their order; each thing once. */
export async function checkFix(job: Job, subject: Subject): Promise<Finding[]> {
  const findings = await Promise.all(
    rules.map(async (rule) => {
      const found = await rule.find(job, subject)
      return found.map(
        ({ severity = rule.severity, message, hint = rule.remedy, symbol, unit }): Finding => ({
          severity,
          rule: rule.name,
          ...(symbol === undefined ? {} : { symbol }),
          ...(unit === undefined ? {} : { unit }),
          message,
          hint,
        }),
      )
    }),
  )
  return findings.flat()
}
