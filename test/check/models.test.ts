// SPDX-License-Identifier: GPL-3.0-or-later
// What a rule says with each consistency model.
import { describe, expect, test } from 'vitest'
import { ofModel } from '../../src/check/check.ts'
import { lockBalance } from '../../src/check/rules/concurrency/lock-balance.ts'

const mixed = { message: 'f takes it and old code does not' }
const held = { message: 'f now returns with it', outlives: true } as const

describe('a finding about old and new code that run at the same time', () => {
  test('only tells something with the model that switches all tasks at one instant', () => {
    const [found] = ofModel(lockBalance, [mixed], 'kpatch')
    expect(found).toMatchObject({ severity: 'note', message: expect.stringContaining('never do at once') })
  })

  test.each(['kernel', 'kgraft', 'hybrid'] as const)('says with the model %s which other would carry it', (model) => {
    const [found] = ofModel(lockBalance, [mixed], model)
    expect(found).toMatchObject({ hint: expect.stringContaining('--model kpatch') })
    expect(found).not.toHaveProperty('severity')
  })

  test('stays what it is where a lock is held while all switch', () => {
    expect(ofModel(lockBalance, [held], 'kpatch')).toEqual([held])
    expect(ofModel(lockBalance, [held], 'kernel')).toEqual([held])
  })

  test('is left alone where the rule is about something else', () => {
    expect(ofModel({ severity: 'warning', remedy: '' }, [mixed], 'kpatch')).toEqual([mixed])
  })
})
