// SPDX-License-Identifier: GPL-3.0-or-later
// Constants by any name: macros, enumerators, variables that are constant. What they come to counts, not how it is
// written.
import { describe, expect, test } from 'vitest'
import { constantValue } from '../../../src/c/tokens/constant-value.ts'
import { tokenize } from '../../../src/c/tokens/lexer.ts'
import { enumeratorsIn } from '../../../src/c/written/enumerators.ts'
import { changedNames } from '../../../src/check/subject/changed-names.ts'
import { changeOf } from '../text.ts'

const changed = (before: string, after: string) =>
  changedNames([changeOf(before, after)]).map(({ name, after: value }) => `${name} = ${value}`)

describe('a constant expression', () => {
  test.each([
    ['1 << 2 | 1', 5n],
    ['(0x10UL + 010) * 2', 48n],
    ['~0 & 0xff', 255n],
    ['-1', -1n],
    ['BIT(3)', 8n],
    ['A + 1', 8n],
    ['7 / 2 - 1 == 2', 1n],
    ['1 / 0', undefined],
    ['sizeof(int)', undefined],
    ['B', undefined],
    ['1 +', undefined],
    ['1 << 64', undefined],
  ])('%s is %s', (text, value) => {
    expect(constantValue(tokenize(text), new Map([['A', 7n]]))).toBe(value)
  })
})

describe('an enumerator', () => {
  test('counts on from the one before it, also from what is no number here', () => {
    const text = 'enum state { A, B = 4, C, D = OTHER, E, F }; enum { G = B | 1, H };'
    expect([...enumeratorsIn(tokenize(text))]).toEqual([
      ['A', '0'],
      ['B', '4'],
      ['C', '5'],
      ['D', 'OTHER'],
      ['E', 'OTHER + 1'],
      ['F', 'OTHER + 2'],
      ['G', '5'],
      ['H', '6'],
    ])
  })

  test('moves when one is put in front of it', () => {
    expect(changed('enum { A, B, C };', 'enum { A, X, B, C };')).toEqual(['B = 2', 'C = 3'])
  })

  test('does not move when one is put behind it, or when it is given the number that it has', () => {
    expect(changed('enum { A, B, };', 'enum { A, B = 1, C };')).toEqual([])
  })

  test('changes with the one that it is made of, and so does a macro', () => {
    expect(changed('enum { A = 1, B = A << 1 };\n#define C (B)', 'enum { A = 2, B = A << 1 };\n#define C (B)')).toEqual(
      ['A = 2', 'B = 4', 'C = 4'],
    )
  })
})

describe('a constant variable', () => {
  test('is a constant, and a pointer to what is constant is none', () => {
    const text =
      'static const int a = 3;\nstatic const char *b = "x";\nstatic char *const c = "x";\nstatic const int d[] = { 1 };'
    const other = text.replace('3', '4').replaceAll('"x"', '"y"').replace('1', '2')
    expect(changed(text, other)).toEqual(['a = 4', 'c = "y"'])
  })

  test('may take the place of a macro of the same value', () => {
    expect(changed('#define MOST (1 << 4)', 'static const int MOST = 16;')).toEqual([])
    expect(changed('#define MOST 16', 'enum { MOST = 17 };')).toEqual(['MOST = 17'])
  })
})
