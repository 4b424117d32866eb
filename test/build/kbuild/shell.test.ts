// SPDX-License-Identifier: GPL-3.0-or-later
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitWords } from '../../../src/build/kbuild/shell.ts'

test('kbuild quoting becomes plain arguments', () => {
  expect(splitWords(`-I./include  -DKBUILD_MODNAME='"ext4"' -DX=\\"a\\ b\\" "-DY=1 2" ''`)).toEqual([
    '-I./include',
    '-DKBUILD_MODNAME="ext4"',
    '-DX="a b"',
    '-DY=1 2',
    '',
  ])
})

test('what needs a shell is not guessed', () => {
  for (const text of [
    '`date`',
    '$(date)',
    '"$HOME"',
    'a; b',
    'a | b',
    'a > b',
    "'open",
    '"open',
    'end\\',
    '*.c',
    '# x',
  ])
    expect(splitWords(text)).toBeUndefined()
})

test('whatever is understood, the shell understands alike', () => {
  const text = fc
    .array(fc.constantFrom('a', '=', '"', "'", '\\', ' ', '-', '#', '~', 'é'), { maxLength: 12 })
    .map((all) => all.join(''))
  fc.assert(
    fc.property(text, (source) => {
      const words = splitWords(source)
      if (words === undefined) return
      const shown = execFileSync('sh', ['-c', `printf '%s\\0' ${source} end`], { encoding: 'utf8' })
      expect([...words, 'end']).toEqual(shown.split('\0').slice(0, -1))
    }),
    { numRuns: 150 },
  )
})
