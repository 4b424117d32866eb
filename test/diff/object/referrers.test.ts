// SPDX-License-Identifier: GPL-3.0-or-later
// Who refers to a function or datum of an object.
import { describe, expect, it } from 'vitest'
import { type Atom, type SplitObject, splitObject } from '../../../src/diff/object/split-object.ts'
import { compile } from '../../objects.ts'

const text = `
  static int count, other;
  static int (*const table[])(int);
  __attribute__((noinline)) static int low(int a) { count += a; return count; }
  __attribute__((noinline)) static int again(int a) { return low(a) + other++; }
  static int (*const table[])(int) = { low, again, low };
  int call(int a) { return table[a](a) + low(a) + low(a + 1); }
  void *self = &self;
  int nobody(int a) { return a; }`

/** The same, by looking at every relocation. */
function allReferring(split: SplitObject, wanted: Atom): Atom[] {
  return split.atoms.filter((atom) =>
    split.relocations(atom).some((relocation) => {
      const target = split.target(atom.section, relocation)
      return target.kind === 'atom' && target.atom === wanted
    }),
  )
}

const layouts = [
  ['sections of their own', []],
  ['shared sections', ['-fno-function-sections', '-fno-data-sections']],
] as const

describe.each(layouts)('in %s', (_, more) => {
  const split = splitObject(compile(text, ...more))
  const named = (name: string) => split.atoms.find((atom) => atom.name === name)!
  const referring = (name: string) => split.referrers(named(name)).map((atom) => atom.name)

  it('each that refers to it is told once, functions and data, and itself', () => {
    expect(referring('low').toSorted()).toEqual(['again', 'call', 'table'])
    expect(referring('again')).toEqual(['table'])
    expect(referring('self')).toEqual(['self'])
    expect(referring('count')).toEqual(['low'])
  })

  it('nobody refers to what is not used', () => {
    expect(referring('nobody')).toEqual([])
  })

  it('are those that a look at every relocation finds, in their order', () => {
    for (const atom of split.atoms) expect(split.referrers(atom)).toEqual(allReferring(split, atom))
  })
})
