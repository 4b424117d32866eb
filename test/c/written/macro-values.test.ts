// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest'
import { macroValues } from '../../../src/c/written/macro-values.ts'

test('a macro without parameters has a value, and one with parameters is none of a shorter name', () => {
  const values = macroValues('#define SIZE 4\n#define SIZES(x) 5\n#define SIZE /* other */ 6\n#define EMPTY\n')
  expect([...values]).toEqual([
    ['SIZE', '4\n6'],
    ['EMPTY', ''],
  ])
})
