// SPDX-License-Identifier: GPL-3.0-or-later
// The compiler's words about what it inlined, cloned, split and merged.
import { expect, test } from 'vitest'
import { readInlining } from '../../../src/source/change/ipa-clones.ts'

const line = (from: string, to: string, how: string) => `Callgraph clone;${from};3;a.c;4;12;${to};16;a.c;4;12;${how}`

test('forms of a function count as the function', () => {
  const inlining = readInlining({
    clones: [
      line('f', 'f.part.0', 'part'),
      line('f.part.0', 'g.constprop.0', 'inlining to'),
      line('f.part.0', 'f', 'inlining to'),
      line('h', 'h.isra.0', 'isra'),
      'Callgraph removal;f;3;a.c;4;12',
    ].join('\n'),
    remarks: '',
  })
  expect([...inlining.containers('f')]).toEqual(['g'])
  expect([...inlining.containers('h')]).toEqual([])
})

test('functions with the same code know each other', () => {
  const { merged } = readInlining({
    clones: '',
    remarks:
      'a.c:2:12: optimized: Semantic equality hit:one/0->two/1\na.c:2:12: optimized: Assembler symbol ' +
      'names:one/0->two/1\n',
  })
  expect([...merged('one')]).toEqual(['two'])
  expect([...merged('two')]).toEqual(['one'])
})

test("clang's remarks say what it inlines", () => {
  const { containers } = readInlining({
    clones: '',
    remarks:
      "a.c:5:30: remark: 'leaf' inlined into 'g' with (cost=25, threshold=225) at callsite g:0:30; " +
      "[-Rpass=inline]\na.c:6:30: remark: 'leaf' inlined into 'h' with (cost=always) [-Rpass=inline]\n",
  })
  expect([...containers('leaf')]).toEqual(['g', 'h'])
})

test('what is not understood is left out', () => {
  const { containers } = readInlining({ clones: 'Callgraph clone;f;1\n\0\0;;;\nnoise', remarks: 'noise' })
  expect([...containers('f')]).toEqual([])
})
