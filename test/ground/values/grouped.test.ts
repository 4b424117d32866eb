// SPDX-License-Identifier: GPL-3.0-or-later
// Values by their keys: in their order, with and without doubles; and the key that most have.
import { expect, test } from 'vitest'
import { addOnce, addTo, addToSet, grouped, mostFrequent } from '../../../src/ground/values/grouped.ts'

test('values keep their order, and doubles count where they are wanted', () => {
  const [all, once, sets] = [new Map<string, number[]>(), new Map<string, number[]>(), new Map<string, Set<number>>()]
  for (const value of [3, 1, 3, 2]) {
    addTo(all, 'x', value)
    addOnce(once, 'x', value)
    addToSet(sets, 'x', value)
  }
  expect([all.get('x'), once.get('x'), [...sets.get('x')!]]).toEqual([
    [3, 1, 3, 2],
    [3, 1, 2],
    [3, 1, 2],
  ])
  expect([...grouped([3, 1, 4], (value) => value % 2)]).toEqual([
    [1, [3, 1]],
    [0, [4]],
  ])
})

test('the first of what there is most of is taken, and of two kinds alike the one that came first', () => {
  const length = (text: string) => text.length
  expect(mostFrequent(['a', 'bb', 'cc'], length)).toBe('bb')
  expect(mostFrequent(['bb', 'a', 'c', 'dd'], length)).toBe('bb')
  expect(mostFrequent([], length)).toBeUndefined()
})
