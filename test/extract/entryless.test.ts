// SPDX-License-Identifier: GPL-3.0-or-later
// Functions without ftrace's hook, where the consistency model does not need one.
import { describe, expect, test } from 'vitest'
import { compareObjects } from '../../src/diff/change.ts'
import { rootsOf } from '../../src/extract/roots.ts'
import { compile } from '../objects.ts'

const notrace = '__attribute__((no_instrument_function, noinline))'
const section = (name: string) => `__attribute__((section("${name}")))`
const text = (sign: string, where = '') => `
  extern int get(void);
  ${where} ${notrace} int unhooked(int a) { return get() ${sign} a * 24; }
  static ${notrace} int inner(int a) { return get() ${sign} a * 21; }
  int outer(int a) { return inner(a) + inner(a * 3); }`

const roots = (needed: boolean, where?: string) => {
  const [before, after] = [text('+', where), text('-', where)].map((one) => compile(one, '-pg', '-mfentry'))
  const { replaced, embedded, refused } = rootsOf(compareObjects(before!, after!, 'a.c'), true, needed)
  const names = (list: typeof replaced) => list.map(({ before: { name } }) => name).sort()
  return { replaced: names(replaced), embedded: names(embedded), refused: names(refused) }
}

describe('a function without a hook', () => {
  test('is refused with a model that needs one', () => {
    expect(roots(true)).toEqual({ replaced: ['outer'], embedded: ['inner'], refused: ['unhooked'] })
  })

  test('is replaced with one that does not, and comes with its callers still where that is enough', () => {
    expect(roots(false)).toEqual({ replaced: ['outer', 'unhooked'], embedded: ['inner'], refused: [] })
  })

  test('is refused with any where nothing may instrument it', () => {
    expect(roots(false, section('.noinstr.text')).refused).toEqual(['unhooked'])
    expect(roots(false, section('.entry.text')).refused).toEqual(['unhooked'])
  })
})
