// SPDX-License-Identifier: GPL-3.0-or-later
// How a finding looks in a terminal.

import type { Finding } from '../../ground/finding.ts'
import { sentence } from '../../ground/sentence.ts'
import { bold, cyan, dim, green, red, yellow } from './colour.ts'

const colours = { error: red, warning: yellow, note: dim } as const

/** The lines of one finding: what, where, and what can be done. */
export function findingLines(finding: Finding): string[] {
  const { severity, rule, message, hint, unit, allowed } = finding
  const lines = [
    `${colours[severity](severity)} ${bold(rule)}${unit ? ` ${dim(unit)}` : ''}${allowed ? green(' allowed') : ''}`,
    `  ${sentence(message)}`,
  ]
  if (hint) lines.push(`  ${cyan('→')} ${sentence(hint)}`)
  return lines
}
