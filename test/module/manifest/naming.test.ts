// SPDX-License-Identifier: GPL-3.0-or-later
// What a live patch is called and said to be.
import { describe, expect, test } from 'vitest'
import { describe as describePatch, nameOf, titleOf } from '../../../src/module/manifest/naming.ts'
import { parsePatch } from '../../../src/patch/parse.ts'

const diff = '--- a/mm/a.c\n+++ b/mm/a.c\n@@ -1 +1 @@\n-a\n+b\n'
const patchOf = (preamble: string) => parsePatch(Buffer.from(`${preamble}${diff}`), '/some/where/The Fix.patch')

describe('the subject of a patch', () => {
  test('is read over the lines on which git folds it, without its tag', () => {
    const patch = patchOf(
      'From: A <a@b>\nSubject: [PATCH 6.1 01/20] mm: a long subject that\n git has folded\nDate: x\n\nText\n',
    )
    expect(describePatch([patch])).toBe('mm: a long subject that git has folded')
    expect(titleOf([patch])).toBe('mm: a long subject that git has folded')
  })

  test('stands for what a patch says first where there is none', () => {
    const patch = patchOf('\nmm: without a header\n\nMore\n')
    expect(describePatch([patch])).toBe('Live patch from The Fix.patch')
    expect(titleOf([patch])).toBe('mm: without a header')
  })
})

test('a name is made of the file, or is as asked for and allowed', () => {
  expect(nameOf(undefined, [patchOf('')])).toBe('the-fix')
  expect(nameOf('a_b-1', [])).toBe('a_b-1')
  expect(() => nameOf('A b', [])).toThrow(/can't be the name/)
})
