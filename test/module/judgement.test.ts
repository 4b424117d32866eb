// SPDX-License-Identifier: GPL-3.0-or-later
// What a judgement says when the module that is made of the fix is refused.
import { describe, expect, test } from 'vitest'
import { Fault } from '../../src/ground/fault.ts'
import type { Finding } from '../../src/ground/finding.ts'
import { findingsOfRefusal } from '../../src/module/judgement.ts'

const known: Finding[] = [
  { severity: 'warning', rule: 'state-lost', symbol: 'count', message: 'count is lost', allowed: true },
]
const refusing: Finding = { severity: 'error', rule: 'audit-freed', symbol: 'setup', message: 'it is freed' }

describe('a refusal', () => {
  test('of the audit takes nothing away from what was found before', () => {
    const fault = new Fault('refused', 'audit-freed', 'The audit refuses it', { findings: [refusing] })
    expect(findingsOfRefusal(known, fault)).toEqual([...known, refusing])
  })

  test('that tells again what is known tells it once', () => {
    const fault = new Fault('refused', 'not-live-patchable', 'It can’t', { findings: [known[0]!, refusing] })
    expect(findingsOfRefusal(known, fault)).toEqual([...known, refusing])
  })

  test('without findings is an error itself', () => {
    const fault = new Fault('refused', 'symbol-name-too-long', 'The name is too long', { remedy: 'Shorten it' })
    expect(findingsOfRefusal(known, fault)).toEqual([
      ...known,
      { severity: 'error', rule: 'symbol-name-too-long', message: 'The name is too long', hint: 'Shorten it' },
    ])
  })
})
