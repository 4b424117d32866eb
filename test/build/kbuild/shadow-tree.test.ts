// SPDX-License-Identifier: GPL-3.0-or-later
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeShadow } from '../../../src/build/kbuild/shadow-tree.ts'

let dir: string
let source: string
let shadow: string

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-shadow-'))
  source = path.join(dir, 'source')
  shadow = path.join(dir, 'shadow')
  mkdirSync(path.join(source, 'fs/proc'), { recursive: true })
  mkdirSync(path.join(source, 'mm'))
  for (const file of ['Makefile', 'fs/a.c', 'fs/proc/b.c', 'fs/proc/c.c', 'mm/d.c'])
    writeFileSync(path.join(source, file), file)
})
afterEach(() => rmSync(dir, { recursive: true }))

test('only the directories that lead to a change are real', () => {
  makeShadow(source, shadow, [{ path: 'fs/proc/b.c', text: 'new \xe4' }])
  const isLink = (file: string) => lstatSync(path.join(shadow, file)).isSymbolicLink()
  expect(['Makefile', 'mm', 'fs/a.c', 'fs/proc/c.c'].map(isLink)).toEqual([true, true, true, true])
  expect(['fs', 'fs/proc', 'fs/proc/b.c'].map(isLink)).toEqual([false, false, false])
  expect(readFileSync(path.join(shadow, 'fs/proc/b.c'), 'latin1')).toBe('new \xe4')
  expect(readFileSync(path.join(shadow, 'mm/d.c'), 'utf8')).toBe('mm/d.c')
})

test('new files appear, removed ones do not, and the source stays as it was', () => {
  makeShadow(source, shadow, [
    { path: 'fs/a.c', text: undefined },
    { path: 'fs/new/x.c', text: 'x' },
    { path: 'fs/proc/b.c', text: 'changed' },
  ])
  expect(existsSync(path.join(shadow, 'fs/a.c'))).toBe(false)
  expect(readFileSync(path.join(shadow, 'fs/new/x.c'), 'utf8')).toBe('x')
  expect(existsSync(path.join(source, 'fs/new'))).toBe(false)
  expect(readFileSync(path.join(source, 'fs/a.c'), 'utf8')).toBe('fs/a.c')
  expect(readFileSync(path.join(source, 'fs/proc/b.c'), 'utf8')).toBe('fs/proc/b.c')
})

test('a path out of the tree is refused', () => {
  for (const bad of ['../x', '/x', 'fs/../../x', 'fs//x'])
    expect(() => makeShadow(source, shadow, [{ path: bad, text: '' }])).toThrow(/leaves the source tree/)
})
