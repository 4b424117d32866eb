// SPDX-License-Identifier: GPL-3.0-or-later
// How the difference of two objects looks in a terminal.

import type { PairReport } from '../../extract/pairs/pair.ts'
import type { PairResult } from '../../extract/pairs/pairs.ts'
import { bold, cyan, dim, green, red, yellow } from './colour.ts'
import { findingLines } from './findings.ts'

/**
 * Notes are shown when `verbose` is set; that numbers were taken for lines is said in any case, as a reader may know
 * better.
 */
export function pairLines(report: PairReport, verbose: boolean): string[] {
  const { changed, added, removed, data, callbacks, findings, outcome } = report
  const lines = changed.map(({ name, reasons }) => `${yellow('changed')} ${bold(name)}: ${reasons.join('; ')}`)
  for (const { name } of added) lines.push(`${green('added')}   ${bold(name)}`)
  for (const { name } of removed) lines.push(`${red('removed')} ${bold(name)}`)
  for (const { name, section, change } of data)
    lines.push(`${change === 'added' ? green('added') : yellow('changed')} data ${bold(name)} in ${section}`)
  for (const { name, kind } of callbacks) lines.push(`${cyan(kind)} ${bold(name)}`)
  for (const finding of findings)
    if (verbose || finding.severity !== 'note' || finding.rule === 'line-numbers') lines.push(...findingLines(finding))
  if (outcome === 'none') lines.push('no change')
  if (outcome === 'refused') lines.push(red("This change can't be live patched as it is."))
  return lines
}

/** One of many pairs: in a line, and below it all that there is to say of it when `verbose` is set. */
export function resultLines(result: PairResult, verbose: boolean): string[] {
  const line = `${result.before} ${dim('→')} ${result.after}: ${sayResult(result)}`
  if (!verbose || 'error' in result) return [line]
  return [line, ...pairLines(result.report, true).map((one) => `  ${one}`)]
}

function sayResult(result: PairResult): string {
  if ('error' in result) return red(result.error.message)
  return sayOutcome(result.report)
}

function sayOutcome({ outcome, changed, findings }: PairReport): string {
  const lines = linesOnly(findings)
  if (outcome === 'none') return `no change${lines}`
  const names = changed.map(({ name }) => name).join(', ')
  if (outcome === 'change') return `${green(names)}${lines}`
  const rules = [...new Set(findings.filter(({ severity }) => severity === 'error').map(({ rule }) => rule))]
  return `${red(`refused (${rules.join(', ')})`)} ${names}`.trimEnd()
}

/** The functions whose numbers were taken for lines. */
function linesOnly(findings: PairReport['findings']): string {
  const names = findings.filter(({ rule }) => rule === 'line-numbers').map(({ symbol }) => symbol)
  const more = names.length > 3 ? ` and ${names.length - 3} more` : ''
  return names.length === 0 ? '' : dim(` (only line numbers in ${names.slice(0, 3).join(', ')}${more})`)
}
