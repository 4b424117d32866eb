// SPDX-License-Identifier: GPL-3.0-or-later
// Moving what was made, within a file system and to another one.
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { move } from '../../src/ground/move.ts'

const here = mkdtempSync(path.join(os.tmpdir(), 'inarch-move-'))
const shared = '/dev/shm'
const there = mkdtempSync(path.join(statSync(shared, { throwIfNoEntry: false }) ? shared : here, 'inarch-move-'))
afterAll(() => {
  for (const dir of [here, there]) rmSync(dir, { recursive: true, force: true })
})

test.each([
  ['within a file system', here],
  ['to another file system', there],
])('a file and a whole directory get there %s, and nothing stays behind', async (name, target) => {
  if (target === there && statSync(here).dev === statSync(there).dev) return
  const from = mkdtempSync(path.join(here, 'from-'))
  mkdirSync(path.join(from, 'dir/below'), { recursive: true })
  writeFileSync(path.join(from, 'dir/below/file'), name, { mode: 0o444 })
  utimesSync(path.join(from, 'dir/below/file'), 1000, 1000)
  symlinkSync('below/file', path.join(from, 'dir/link'))
  writeFileSync(path.join(from, 'file'), name)
  const to = mkdtempSync(path.join(target, 'to-'))
  await move(path.join(from, 'file'), path.join(to, 'file'))
  await move(path.join(from, 'dir'), path.join(to, 'dir'))
  expect(readFileSync(path.join(to, 'dir/link'), 'utf8')).toBe(name)
  expect(readlinkSync(path.join(to, 'dir/link'))).toBe('below/file')
  expect(lstatSync(path.join(to, 'dir/below/file')).mode & 0o777).toBe(0o444)
  expect(statSync(path.join(to, 'dir/below/file')).mtimeMs).toBe(1_000_000)
  expect(readdirSync(to).sort()).toEqual(['dir', 'file'])
  expect(readdirSync(from)).toEqual([])
})

test('what is there already is not replaced by a directory, and the error is the one of rename', async () => {
  for (const target of [here, there]) {
    const from = mkdtempSync(path.join(here, 'from-'))
    const to = mkdtempSync(path.join(target, 'to-'))
    for (const dir of [from, to]) writeFileSync(path.join(dir, 'file'), '')
    await expect(move(from, to)).rejects.toMatchObject({ code: 'ENOTEMPTY' })
    expect(readdirSync(from)).toEqual(['file'])
  }
})
