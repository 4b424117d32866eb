// SPDX-License-Identifier: GPL-3.0-or-later
// A file that is compiled under a unit's name, for UBSAN's sake: what the compiler says of it has its own name again.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { underOwnName } from '../../src/build/unpatched-units.ts'
import { compiler, work } from '../objects.ts'

const unit = 'net/core/sock.c'
const own = '/srv/fix/livepatch.c'

test.each([
  [`${unit}:12:3: error: expected ‘;’`, `${own}:12:3: error: expected ‘;’`],
  [`${unit}: In function ‘f’:`, `${own}: In function ‘f’:`],
  [`In file included from ${unit}:4:`, `In file included from ${own}:4:`],
  [`                 from ${unit}:4:`, `                 from ${own}:4:`],
])('%j', (line, said) => {
  expect(underOwnName(line, unit, own)).toBe(said)
})

test.each([
  ['include/net/sock.h:7:1: error: unknown type name ‘x’'],
  [`include/${unit}:7:1: error: unknown type name ‘x’`],
  [`${unit}x:1:1: error: x`],
  [`${unit}.h:1:1: error: x`],
  [`cc1: fatal error: ${unit}: no such file`],
  [`note: see ${unit}:3`],
  [''],
])('%j is about another file, or no place', (line) => {
  expect(underOwnName(line, unit, own)).toBe(line)
})

test('all places in what the compiler says of such a file', () => {
  mkdirSync(path.join(work, 'part'), { recursive: true })
  writeFileSync(path.join(work, 'part/inner.h'), 'int inner(void) { return missing; }\n')
  writeFileSync(path.join(work, 'part/outer.h'), '#include "inner.h"\n')
  const text = `# 1 "${unit}"\n#include "part/outer.h"\nint f(void) { return absent; }\n`
  let said = ''
  try {
    execFileSync(compiler, ['-std=gnu11', '-iquote', work, '-x', 'c', '-c', '-o', path.join(work, 'no.o'), '-'], {
      input: text,
      encoding: 'utf8',
      stdio: 'pipe',
      env: { ...process.env, LC_ALL: 'C' },
    })
  } catch (error) {
    said = (error as { stderr: string }).stderr
  }
  const lines = said.split('\n').map((line) => underOwnName(line, unit, own))
  expect(lines.filter((line) => line.includes(own))).toEqual([
    expect.stringMatching(/^ +from .*livepatch\.c:1:$/),
    expect.stringMatching(/livepatch\.c: In function 'f':$/),
    expect.stringMatching(/livepatch\.c:2:\d+: error: 'absent'/),
  ])
  expect(lines.join('\n')).not.toContain(unit)
})
