// SPDX-License-Identifier: GPL-3.0-or-later
// What the audit has against a module. Each thing is said once.
import type { Finding } from '../ground/finding.ts'

/** @param symbol the symbol or section that it is about */
export type Complain = (rule: string, symbol: string, message: string, unit?: string) => void

const report =
  'Report this with the patch and the kernel version: the build was wrong, and the audit stopped it'

export function complaints(findings: Finding[]): Complain {
  const said = new Set<string>()
  return (rule, symbol, message, unit) => {
    if (said.has(message)) return
    said.add(message)
    findings.push({
      // What is not the audit's own rule is for the operator to see to.
      severity: rule.startsWith('audit-') ? 'error' : 'warning',
      rule,
      symbol,
      ...(unit === undefined ? {} : { unit }),
      message,
      hint: report,
    })
  }
}
