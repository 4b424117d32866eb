// SPDX-License-Identifier: GPL-3.0-or-later
// How a finding looks in a terminal.

import type { Finding } from '../../ground/finding.ts'
import { bold, cyan, dim, red, yellow } from './colour.ts'
import { sentence } from './sentence.ts'

const colours = { error: red, warning: yellow, note: dim } as const

/** The lines of one finding: what, where, and what can be done. */
export function findingLines(finding: Finding): string[] {
  const { severity, rule, message, hint, unit } = finding
  const lines = [
    `${colours[severity](severity)} ${bold(rule)}${unit ? ` ${dim(unit)}` : ''}`,
    `  ${sentence(message)}`,
  ]
  if (hint) lines.push(`  ${cyan('→')} ${sentence(hint)}`)
  return lines
}
