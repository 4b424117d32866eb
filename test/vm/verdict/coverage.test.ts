// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { parseExpectation } from '../../../src/vm/plan/check.ts'
import type { Replacement } from '../../../src/vm/plan/replacement.ts'
import {
  coverageFailures,
  coveredFunctions,
  covers,
  isChecked,
  uncoveredWords,
  untold,
} from '../../../src/vm/verdict/coverage.ts'
import type { RanRecord } from '../../../src/vm/verdict/record.ts'

const [f, g, h]: Replacement[] = ['f', 'g', 'h'].map((name) => ({
  object: 'vmlinux',
  name,
  sympos: 0,
  code: { section: `.text.${name}`, offset: 0 },
})) as [Replacement, Replacement, Replacement]
const ran = (index: number, times: number | undefined, order = 'module-first', reason = ''): RanRecord => ({
  order,
  index,
  times,
  reason,
})
const coverage = (told: readonly RanRecord[], functions = [f!, g!], checked = false) => ({
  functions: coveredFunctions(functions, told),
  checked,
  exercises: [],
})

describe('what is covered', () => {
  test('is a live patch whose functions all ran, in whatever order of things', () => {
    const both = coverage([ran(0, 3), ran(1, 0), ran(0, 0, 'patch-first'), ran(1, 1, 'patch-first')])
    expect(both.functions.map((one) => one.ran)).toEqual([3, 1])
    expect([covers(both), uncoveredWords(both), coverageFailures(both)]).toEqual([true, undefined, []])
  })

  test('is not one of which a function never ran', () => {
    const half = coverage([ran(0, 3), ran(1, 0)])
    expect([covers(half), uncoveredWords(half)]).toEqual([false, 'never ran: g'])
    expect(coverageFailures(half)).toMatchObject([
      { code: 'coverage', message: 'g of vmlinux never ran while the live patch was at work' },
    ])
  })

  test('is not one of which nobody knows whether a function ran', () => {
    const unknown = coverage([ran(0, 1), ran(1, undefined, 'module-first', 'no probe'), ran(2, 0)], [f!, g!, h!])
    expect(unknown.functions[1]).toMatchObject({ uncounted: 'no probe' })
    expect([covers(unknown), uncoveredWords(unknown)]).toEqual([false, 'never ran: h; not known to have run: g'])
    expect(coverageFailures(unknown)).toHaveLength(2)
  })

  test('is not one whose new code is nowhere to be found', () => {
    const { code: _, ...nowhere } = f!
    const lost = coverage([ran(0, undefined)], [nowhere])
    expect(lost.functions[0]?.uncounted).toMatch(/tables/)
    expect(covers(lost)).toBe(false)
  })

  test('is one that its author’s checks are about, which still says what never ran', () => {
    const checked = coverage([ran(0, 0), ran(1, 0)], [f!, g!], true)
    expect([covers(checked), uncoveredWords(checked)]).toEqual([true, 'never ran: f, g'])
  })

  test('is not one that replaces no function, unless it is checked', () => {
    expect([covers(coverage([], [])), covers(coverage([], [], true))]).toEqual([false, true])
  })
})

test('only what is expected with the live patch is a check of it', () => {
  const expected = parseExpectation('x')
  expect(isChecked([], undefined)).toBe(false)
  expect(isChecked([{ command: 'true' }], undefined)).toBe(false)
  expect(isChecked([{ command: 'true', before: expected, reverted: expected }], undefined)).toBe(false)
  expect(isChecked([{ command: 'true' }, { command: 'true', after: expected }], undefined)).toBe(true)
  expect(isChecked([], 'check.sh')).toBe(true)
})

test('a count that did not come in an order is missed', () => {
  expect(untold([f!, g!], [ran(0, 1), ran(1, undefined)], 'module-first')).toEqual([])
  expect(untold([f!, g!], [ran(0, 1), ran(1, 2, 'patch-first')], 'module-first')).toMatchObject([
    { code: 'unseen', message: expect.stringContaining('whether g ran') },
  ])
})
