// SPDX-License-Identifier: GPL-3.0-or-later
// What each check looks at, and what it has against a module. Each thing is said once.
import type { Finding } from '../ground/finding.ts'
import type { KernelNames } from '../match/names.ts'
import type { ObjectView } from './object-view.ts'

/** @param symbol the symbol or section that it is about */
export type Complain = (rule: string, symbol: string, message: string, unit?: string) => void

export interface Inspection {
  readonly module: ObjectView
  readonly names: KernelNames
  readonly complain: Complain
}

const report = 'Report this with the patch and the kernel version: the build was wrong, and the audit stopped it'

export function complaints(findings: Finding[]): Complain {
  const said = new Set<string>()
  return (rule, symbol, message, unit) => {
    if (said.has(message)) return
    said.add(message)
    // What is not the audit's own rule is for the operator to see to.
    const severity = rule.startsWith('audit-') ? 'error' : 'warning'
    findings.push({ severity, rule, symbol, ...(unit === undefined ? {} : { unit }), message, hint: report })
  }
}
