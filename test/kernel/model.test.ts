// SPDX-License-Identifier: GPL-3.0-or-later
// Which consistency model a module has is read from the call with which it begins.
import { describe, expect, test } from 'vitest'
import { modelIn } from '../../src/kernel/model.ts'
import { compile } from '../objects.ts'

const head = `
extern int klp_enable_patch(void *), inarch_enable_patch(void *, int);
extern int chosen; char patch[64];
`
const begin = (body: string) => modelIn(compile(`${head}int init_module(void) { ${body} }`))

describe('the model of a module', () => {
  test.each([
    ['the kernel’s own', 'return klp_enable_patch(patch);', 'kernel'],
    ['kgraft', 'return inarch_enable_patch(patch, 1);', 'kgraft'],
    ['kpatch', 'int err = inarch_enable_patch(patch, 2); return err ? err : chosen;', 'kpatch'],
    ['hybrid, behind a condition', 'if (!chosen) return -22; return inarch_enable_patch(patch, 3);', 'hybrid'],
    ['the kernel’s own for one that calls neither', 'return chosen;', 'kernel'],
    ['the same in two calls', 'return inarch_enable_patch(patch, 2) && inarch_enable_patch(patch, 2);', 'kpatch'],
  ])('is %s', (_, body, model) => {
    expect(begin(body)).toEqual({ model })
  })

  test.each([
    ['is chosen while it is loaded', 'return inarch_enable_patch(patch, chosen);', 'no constant'],
    ['depends on a condition', 'return inarch_enable_patch(patch, chosen ? 1 : 2);', 'no constant'],
    ['is none', 'return inarch_enable_patch(patch, 4);', 'no constant'],
    ['is zero', 'return inarch_enable_patch(patch, 0);', 'no constant'],
    ['is one of two', 'return chosen ? inarch_enable_patch(patch, 1) : klp_enable_patch(patch);', 'two models'],
  ])('that %s is not guessed', (_, body, doubt) => {
    expect(begin(body)).toEqual({ doubt: expect.stringContaining(doubt) })
  })
})
