// SPDX-License-Identifier: GPL-3.0-or-later
// What is worked out once: how often it is, and that an answer of undefined is one.
import { expect, test } from 'vitest'
import { getOrInsertComputed, lazy, remembered } from '../../../src/ground/values/remembered.ts'

test('an answer is worked out once for each question, also when it is undefined', () => {
  const asked: string[] = []
  const answer = remembered((about: string) => {
    asked.push(about)
    return about === 'none' ? undefined : about.length
  })
  expect([answer('four'), answer('none'), answer('four'), answer('none')]).toEqual([4, undefined, 4, undefined])
  expect(asked).toEqual(['four', 'none'])
})

test('a value is made when it is first asked for, and not before', () => {
  let made = 0
  const value = lazy(() => {
    made++
    return undefined
  })
  expect(made).toBe(0)
  expect([value(), value()]).toEqual([undefined, undefined])
  expect(made).toBe(1)
})

test('what a map has is not computed again, and what is computed stays in it', () => {
  const values = new Map([['known', 0]])
  const next = () => values.size
  expect(getOrInsertComputed(values, 'known', next)).toBe(0)
  expect(getOrInsertComputed(values, 'new', next)).toBe(1)
  expect(getOrInsertComputed(values, 'new', next)).toBe(1)
  expect([...values]).toEqual([
    ['known', 0],
    ['new', 1],
  ])
})
