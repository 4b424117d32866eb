// SPDX-License-Identifier: GPL-3.0-or-later
// How a finding looks in a terminal.
import pc from 'picocolors'
import type { Finding } from '../../ground/finding.ts'
import { sentence } from './sentence.ts'

const colours = { error: pc.red, warning: pc.yellow, note: pc.dim } as const

/** The lines of one finding: what, where, and what can be done. */
export function findingLines(finding: Finding): string[] {
  const { severity, rule, message, hint, unit } = finding
  const lines = [
    `${colours[severity](severity)} ${pc.bold(rule)}${unit ? ` ${pc.dim(unit)}` : ''}`,
    `  ${sentence(message)}`,
  ]
  if (hint) lines.push(`  ${pc.cyan('→')} ${sentence(hint)}`)
  return lines
}
