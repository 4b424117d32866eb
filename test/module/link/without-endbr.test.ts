// SPDX-License-Identifier: GPL-3.0-or-later
// A function's landing pad is taken away for a comparison, and nothing else changes.
import { expect, test } from 'vitest'
import { hasEndbr, withoutEndbr } from '../../../src/module/link/without-endbr.ts'
import { compareFunctions } from '../../../src/source/compare/same-code.ts'
import { compile } from '../../objects.ts'

const text = (storage: string, name: string) => `
int used(int), other(void);
${storage} __attribute__((noinline)) int ${name}(int a) { if (a > 3) return used(a); while (a--) other(); return 7; }
int user(int a) { return ${name}(a) + 1; }`

const branch = '-fcf-protection=branch'
/** As the kernel is compiled: else nops before loops would depend on the pad. */
const packed = ['-falign-loops=1', '-falign-jumps=1', '-falign-labels=1']
const room = '-fpatchable-function-entry=16,16'

test.each([[[branch]], [[branch, room]]])('with %s', (flags) => {
  const before = compile(text('static', 'f'), ...packed, ...flags)
  const after = compile(text('', 'livepatch_f'), ...packed, ...flags)
  expect([hasEndbr(before, 'f'), hasEndbr(after, 'livepatch_f')]).toEqual([false, true])
  const renamed = [{ name: 'f', as: 'livepatch_f' }]
  expect(compareFunctions(before, after, renamed).get('f')?.identical).toBe(false)
  const bare = withoutEndbr(after, new Set(['livepatch_f']))
  expect(hasEndbr(bare, 'livepatch_f')).toBe(false)
  expect(compareFunctions(before, bare, renamed).get('f')).toEqual({ identical: true, carried: [] })
})
