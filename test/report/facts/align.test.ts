// SPDX-License-Identifier: GPL-3.0-or-later
// What stands beside what in a report.
import { expect, test } from 'vitest'
import { align, alignCode } from '../../../src/report/facts/align.ts'
import { stretches } from '../../../src/report/parts/side-by-side.ts'

test('removed and added lines that stand together share rows', () => {
  expect(align(['a', 'b', 'c', 'd'], ['a', 'x', 'd', 'e'])).toEqual([
    { before: 0, after: 0, same: true },
    { before: 1, after: 1, same: false },
    { before: 2, same: false },
    { before: 3, after: 2, same: true },
    { after: 3, same: false },
  ])
})

test('a jump over more code to the same instruction is the same jump', () => {
  const before = [
    { at: 0, text: 'jne', target: 4 },
    { at: 2, text: 'call f' },
    { at: 4, text: 'ret' },
  ]
  const after = [
    { at: 0, text: 'jne', target: 7 },
    { at: 2, text: 'call f' },
    { at: 4, text: 'call g' },
    { at: 7, text: 'ret' },
  ]
  expect(alignCode(before, after).map(({ same }) => same)).toEqual([true, true, false, true])
})

test('a jump that reads the same and leads to another instruction is different', () => {
  const code = (target: number) => [
    { at: 0, text: 'jne', target },
    { at: 2, text: 'nop' },
    { at: 4, text: 'ret' },
  ]
  expect(alignCode(code(2), code(4)).map(({ same }) => same)).toEqual([false, true, true])
})

test('what is the same over many lines is folded, but not near a difference', () => {
  const rows = Array.from({ length: 30 }, (_, at) => ({ before: at, after: at, same: at !== 15 }))
  expect(stretches(rows).map(({ folded, rows: { length } }) => [folded, length])).toEqual([
    [true, 12],
    [false, 7],
    [true, 11],
  ])
})
