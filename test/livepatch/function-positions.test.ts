// SPDX-License-Identifier: GPL-3.0-or-later
// Whether each function that a live patch replaces is one place of the kernel.
import { expect, test } from 'vitest'
import { positionFindings } from '../../src/livepatch/function-positions.ts'

const named = (name: string, sympos: number, ...places: readonly bigint[]) => ({
  object: 'vmlinux',
  unit: 'kernel/a.c',
  name,
  sympos,
  places,
})
const said = (...functions: Parameters<typeof positionFindings>[0]) =>
  positionFindings(functions).map(({ rule, symbol }) => `${rule} ${symbol}`)

test.each([
  ['the only one of its name', [named('f', 0, 1n)]],
  ['the only one, as number 1', [named('f', 1, 1n)]],
  ['both of one name', [named('f', 1, 1n, 2n), named('f', 2, 1n, 2n)]],
  ['at the same place in two objects', [named('f', 0, 1n), { ...named('f', 0, 1n), object: 'xfs' }]],
  ['of which the kernel has none, which is told elsewhere', [named('f', 0)]],
])('a function is let through that is %s', (_, functions) => {
  expect(said(...functions)).toEqual([])
})

test.each([
  ['of several of its name, without a number', [named('f', 0, 1n, 2n)], 'f'],
  ['of a number that the kernel does not have', [named('f', 3, 1n, 2n)], 'f'],
  ['that is listed twice', [named('f', 0, 1n), named('f', 1, 1n)], 'f'],
  ['that is another one by another name', [named('f', 0, 1n), named('g', 2, 3n, 1n)], 'g'],
])('a function is refused that is one %s', (_, functions, name) => {
  expect(said(...functions)).toEqual([`not-one-place ${name}`])
})
