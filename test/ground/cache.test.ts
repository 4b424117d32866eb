// SPDX-License-Identifier: GPL-3.0-or-later
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { cacheRoot, makeCacheDirectory } from '../../src/ground/cache.ts'
import { Fault } from '../../src/ground/fault.ts'

let place: string
beforeEach(() => {
  place = mkdtempSync(path.join(os.tmpdir(), 'inarch-cache-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(place, { recursive: true, force: true })
})

function make(base: string): unknown {
  vi.stubEnv('XDG_CACHE_HOME', base)
  try {
    makeCacheDirectory(path.join(cacheRoot(), 'tmp'))
  } catch (error) {
    return error
  }
  return undefined
}

it('is made with all that it is in, also where a link leads', () => {
  mkdirSync(path.join(place, 'real'))
  symlinkSync('real', path.join(place, 'link'))
  expect(make(path.join(place, 'link/a b/c'))).toBeUndefined()
  expect(statSync(path.join(place, 'real/a b/c/inarch/tmp')).isDirectory()).toBe(true)
  expect(make(path.join(place, 'link/a b/c'))).toBeUndefined()
})

// Node's own mkdir never ends there.
it.each(['/proc/nothing', '/proc/self/task/nothing/cache'])('can not be in %s, and says so', (base) => {
  expect(make(base)).toMatchObject({
    kind: 'environment',
    code: 'cache-place',
    message: expect.stringMatching(/^The cache ".*" can't be made: no directory can be made there$/),
  })
})

it('can not be below a file, a link to nothing, or a link to itself', () => {
  writeFileSync(path.join(place, 'file'), '')
  symlinkSync('nothing', path.join(place, 'dangling'))
  symlinkSync('loop', path.join(place, 'loop'))
  for (const name of ['file', 'file/below', 'dangling', 'loop', 'x'.repeat(300)]) {
    const error = make(path.join(place, name))
    expect(error, name).toBeInstanceOf(Fault)
    expect(error, name).toMatchObject({ code: 'cache-place' })
  }
})
