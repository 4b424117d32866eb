// SPDX-License-Identifier: GPL-3.0-or-later
// Places in sorted lists, against looking at every one.
import { expect, test } from 'vitest'
import { countInFront, lastUpTo } from '../../../src/ground/values/sorted.ts'

test('as many are in front as there are, for every length and every border', () => {
  for (let length = 0; length < 20; length++)
    for (let border = 0; border <= length; border++)
      expect(countInFront(length, (index) => index < border)).toBe(border)
})

test('the last number that is not too large is found, of equal ones the last', () => {
  const numbers = [2, 4, 4, 7]
  for (let most = 0; most < 10; most++)
    expect(lastUpTo(numbers, most)).toBe(numbers.findLastIndex((number) => number <= most))
  expect(lastUpTo([], 5)).toBe(-1)
})
