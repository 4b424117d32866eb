// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, test } from 'vitest'
import { splitObject } from '../../../src/diff/object/split-object.ts'
import { codeLines } from '../../../src/diff/statics/code-lines.ts'
import { compile } from '../../objects.ts'

const withoutThunks = ['-mindirect-branch=keep', '-mfunction-return=keep', '-fno-jump-tables']

test('a call through a pointer is a call, and a jump through one leaves', () => {
  const source = `
    int first(int (*f)(int)) { return f(1) + f(2); }
    int tail(int (*f)(int)) { return f(3); }`
  const unit = splitObject(compile(source, ...withoutThunks))
  const linesOf = (name: string) => codeLines(unit, unit.atoms.find((atom) => atom.name === name)!, new Set())!
  const told = (name: string) => linesOf(name).map(({ goes, calls }) => `${goes}${calls ? ' calls' : ''}`)
  // The hook at the entry is the first.
  expect(told('first').filter((one) => one === 'on calls')).toHaveLength(3)
  expect(told('first').at(-1)).toBe('out')
  const jump = linesOf('tail').findIndex(({ exact }) => /^ffe/.test(exact))
  expect(jump).toBeGreaterThan(0)
  expect(told('tail')[jump]).toBe('out')
})
