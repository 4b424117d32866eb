// SPDX-License-Identifier: GPL-3.0-or-later
// How an error looks: what happened, the lines that show it, what to do next.

import type { Fault } from '../../ground/fault.ts'
import { cyan, red } from './colour.ts'
import { findingLines } from './findings.ts'
import { output } from './output.ts'
import { printable } from './printable.ts'
import { sentence } from './sentence.ts'

export function renderFault(fault: Fault, json: boolean): void {
  if (json) {
    const { kind, code, message, remedy, detail, findings } = fault
    output(`${JSON.stringify({ error: { kind, code, message, remedy, detail, findings } }, null, 2)}\n`)
    return
  }
  const lines = [`${red('error:')} ${sentence(fault.message)}`]
  if (fault.detail) lines.push('', ...fault.detail.split('\n').map((line) => `  ${line}`), '')
  for (const finding of fault.findings) lines.push(...findingLines(finding))
  if (fault.remedy) lines.push(`${cyan('next:')} ${sentence(fault.remedy)}`)
  process.stderr.write(`${lines.map(printable).join('\n')}\n`)
}
