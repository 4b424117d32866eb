// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest'
import { unusedMacros } from '../../../../src/check/rules/reach/unused-macro.ts'
import type { FileChange } from '../../../../src/patch/patch.ts'

const found = (before: string, after: string, path = 'fs/a.c') =>
  unusedMacros([{ path, before, after } as FileChange]).map(({ symbol }) => symbol)

const code = '#include <x.h>\nint f(int a)\n{\n\treturn a;\n}\n'
const add = (text: string, at = '#include <x.h>\n') => code.replace(at, `${at}${text}`)

describe('a macro that nothing uses', () => {
  it('is told when it is added, changed or removed', () => {
    expect(found(code, add('#define LIMIT 5\n'))).toEqual(['LIMIT'])
    expect(found(add('#define LIMIT 4\n'), add('#define LIMIT 5\n'))).toEqual(['LIMIT'])
    expect(found(add('#define LIMIT(x) \\\n\t(x)\n'), code)).toEqual(['LIMIT'])
  })

  it('is told when only another one without a use has it', () => {
    expect(found(code, add('#define LIMIT 5\n#define TWICE (2 * LIMIT)\n'))).toEqual(['LIMIT', 'TWICE'])
  })

  it.each([
    ['in code', '#define LIMIT 5\n', 'a', 'a + LIMIT'],
    ['through another macro', '#define LIMIT 5\n#define TWICE (2 * LIMIT)\n', 'a', 'a + TWICE'],
    ['by a part of its name', '#define LIMIT_A 5\n#define OF(x) LIMIT_##x\n', 'a', 'OF(A)'],
    ['in a condition', '#define LIMIT 5\n#if LIMIT > 4\n#endif\n', 'a', 'a'],
  ])('is not told of one that is used %s', (_how, text, from, to) => {
    expect(found(code, add(text).replace(`return ${from};`, `return ${to};`))).toEqual([])
  })

  it('is not told of one for which a header may ask, or that other files have', () => {
    expect(found(code, `#define DEBUG 1\n${code}`)).toEqual([])
    expect(found(code, add('#define LIMIT 5\n'), 'include/a.h')).toEqual([])
  })

  it('is not told when the old code used it', () => {
    expect(found(add('#define LIMIT 5\n').replace('return a;', 'return LIMIT;'), code)).toEqual([])
  })
})
