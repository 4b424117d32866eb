// SPDX-License-Identifier: GPL-3.0-or-later
// How an error looks: what happened, the lines that show it, what to do next.

import { Fault } from '../../ground/fault.ts'
import { sentence } from '../../ground/sentence.ts'
import { cyan, red } from './colour.ts'
import { findingLines } from './findings.ts'
import { complain, outputJson } from './output.ts'

export function renderFault(fault: Fault, json: boolean): void {
  if (json)
    try {
      const { kind, code, message, remedy, detail, findings } = fault
      const error = { kind, code, message, remedy, detail, findings }
      // As in the answer of `inarch diff`, which is no fault.
      const outcome = code === 'no-functional-change' ? 'none' : 'refused'
      outputJson(kind === 'refused' ? { outcome, error } : { error })
      return
    } catch (error) {
      // What can't be said there is said here, and why it can't.
      if (error instanceof Fault && fault.code !== error.code) renderFault(error, false)
    }
  const lines = [`${red('error:')} ${sentence(fault.message)}`]
  if (fault.detail) lines.push('', ...fault.detail.split('\n').map((line) => `  ${line}`), '')
  for (const finding of fault.findings) lines.push(...findingLines(finding))
  if (fault.remedy) lines.push(`${cyan('next:')} ${sentence(fault.remedy)}`)
  for (const line of lines) complain(line)
}
