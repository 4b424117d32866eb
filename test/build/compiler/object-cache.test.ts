// SPDX-License-Identifier: GPL-3.0-or-later
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { evict, loadObject, storeObject } from '../../../src/build/compiler/object-cache.ts'

let home: string
const key = 'ff'.repeat(32)
const stored = () => path.join(home, 'inarch/objects', key)

beforeEach(() => {
  home = mkdtempSync(path.join(os.tmpdir(), 'inarch-objects-'))
  vi.stubEnv('XDG_CACHE_HOME', home)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

test('an object comes back as it was stored', async () => {
  expect(await loadObject(key)).toBeUndefined()
  await storeObject(key, Buffer.from('object'))
  expect(Buffer.from((await loadObject(key))!).toString()).toBe('object')
  expect(readdirSync(path.join(home, 'inarch/tmp'))).toEqual([])
})

test('a file that was cut off or spoiled is not used', async () => {
  await storeObject(key, Buffer.from('object'))
  truncateSync(stored(), 35)
  expect(await loadObject(key)).toBeUndefined()
  await storeObject(key, Buffer.from('object'))
  const bytes = readFileSync(stored())
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(stored(), bytes)
  expect(await loadObject(key)).toBeUndefined()
  truncateSync(stored(), 0)
  expect(await loadObject(key)).toBeUndefined()
})

test('what was used longest ago goes first when there is too much', async () => {
  const other = 'ee'.repeat(32)
  await storeObject(key, Buffer.alloc(1000))
  await storeObject(other, Buffer.alloc(1000))
  utimesSync(stored(), 1, 1)
  await evict(1500)
  expect(await loadObject(key)).toBeUndefined()
  expect(await loadObject(other)).toBeDefined()
})
