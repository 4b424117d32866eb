// SPDX-License-Identifier: GPL-3.0-or-later
// What makefiles make of other files than those that a compiler reads; the rules are of the shapes that the kernel's
// have.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { generatedFrom, rulesIn } from '../../../src/build/headers/generated-from.ts'

const root = mkdtempSync(path.join(os.tmpdir(), 'inarch-made-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const made = (text: string) => rulesIn('drivers/x/Makefile', text).map(({ target, from }) => `${target} < ${from}`)

describe('the rules of a makefile', () => {
  test.each([
    ['a path from the root', '$(obj)/t.c: include/x/x.h FORCE', 'drivers/x/t.c < include/x/x.h'],
    ['variables of the tree', '$(obj)/t.c: $(srctree)/include/x.h $(src)/make.sh', 'drivers/x/t.c < include/x.h'],
    ['a line that goes on', '$(obj)/t.c: $(srctree)/include/x.h \\\n\t$(src)/make', 'drivers/x/t.c < include/x.h'],
    ['variables of its own', 'from = $(src)/../../include/x.h\n$(obj)/t.c: $(from)', 'drivers/x/t.c < include/x.h'],
    ['several targets', '$(obj)/a.h $(obj)/b.c: $(src)/x.txt', 'drivers/x/b.c < drivers/x/x.txt'],
    [
      'names in braces',
      '$(obj)/t.c: $(src)/x.txt | made'.replace(/\(/g, '{').replace(/\)/g, '}'),
      'drivers/x/t.c < drivers/x/x.txt',
    ],
  ])('are read: %s', (_, text, rule) => {
    expect(made(text)).toContain(rule)
  })

  test.each([
    ['objects, which are compiled', '$(obj)/t.o: $(src)/x.h'],
    ['patterns', '$(obj)/%.c: $(src)/%.x'],
    ['assignments', 'x := a:b.h\nobj-y += x.o\nflags = a : b.h'],
    ['recipes', '\techo a: b.h'],
    ['comments', '# t.c: x.h'],
    ['what is not known', '$(obj)/t.c: $(wildcard x.h) $(unknown)/x.h'],
  ])('leave out %s', (_, text) => {
    expect(made(text)).toEqual([])
  })

  test('are read in linear time, and end where variables name each other', () => {
    const long = `${'a'.repeat(100_000)}${' b'.repeat(50_000)}`
    expect(made(`x = $(y)\ny = $(x)\n$(obj)/t.c: $(x)/z.h\n${long}\n${' '.repeat(200_000)}`)).toEqual([])
  })
})

test('a changed header of which something is made is asked about, and no other', () => {
  mkdirSync(path.join(root, 'drivers/x'), { recursive: true })
  writeFileSync(
    path.join(root, 'drivers/x/Makefile'),
    'obj-y += x.o\n$(obj)/names.c: include/x.h FORCE\n\tsed s/a/b/ $< >$@\n',
  )
  const found = generatedFrom(root, ['drivers/x/x.o', 'kernel/none.o'], ['include/x.h', 'include/y.h'])
  expect(found.map(({ rule, severity, unit }) => [rule, severity, unit])).toEqual([
    ['generated-from', 'warning', 'include/x.h'],
  ])
  expect(found[0]?.message).toMatch(/^drivers\/x\/Makefile makes drivers\/x\/names\.c of include\/x\.h,/)
})
