// SPDX-License-Identifier: GPL-3.0-or-later
// Paths in which make and shells can't work are refused before anything is downloaded.
import os from 'node:os'
import path from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import { checkBuildPath, checkCachePath } from '../../src/kernel/buildable-path.ts'
import { selectKernel } from '../../src/kernel/select.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

test.each(['a b', 'a\tb', 'a\nb', 'a:b', 'a"b', "a'b", 'a$b', 'a#b', 'a,b', 'a\\b', 'a%b', 'a;b', 'a(b', 'a*b'])(
  'a cache in %j is refused, whatever is asked for',
  async (name) => {
    vi.stubEnv('XDG_CACHE_HOME', path.join(os.tmpdir(), `inarch-${name}`))
    expect(() => checkCachePath()).toThrow(/can't work in the cache/)
    expect(() => checkBuildPath(`/src/${name}`)).toThrow(/can't work in/)
    const job = { signal: new AbortController().signal, journal: silentJournal() }
    for (const wanted of ['6.1', '6.1.0-1-amd64', undefined])
      await expect(selectKernel(job, wanted)).rejects.toMatchObject({
        kind: 'environment',
        code: 'cache-place',
      })
  },
)

test('paths in other languages, and what is usual in names, are good', () => {
  vi.stubEnv('XDG_CACHE_HOME', '/home/größe/日本/.cache-1~2+3@4')
  expect(() => checkCachePath()).not.toThrow()
  expect(() => checkBuildPath('/home/größe/linux-6.1.y')).not.toThrow()
})

test.each(['6.1.0-1-amd64/../6.1.0-2-amd64', '../kernels/6.1.0-1-amd64', '..', '/etc', '', 'a b'])(
  'the release %j is none, wherever it leads',
  async (wanted) => {
    vi.stubEnv('XDG_CACHE_HOME', path.join(os.tmpdir(), 'inarch-place'))
    const job = { signal: new AbortController().signal, journal: silentJournal() }
    await expect(selectKernel(job, wanted)).rejects.toMatchObject({
      code: 'kernel-unknown',
      message: expect.stringContaining('is not the release of a kernel'),
    })
  },
)
