// SPDX-License-Identifier: GPL-3.0-or-later
// Who sweeps whose scratch directories, shown by processes that come and go.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { build } from 'esbuild'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

const source = path.resolve(import.meta.dirname, '../../src/ground/scratch.ts')
let program: string
let cache: string
beforeAll(async () => {
  const script = `import { withScratch } from ${JSON.stringify(source)}
    withScratch(async () => { if (process.argv[2] === 'die') process.kill(process.pid, 'SIGKILL') })`
  const stdin = { contents: script, resolveDir: path.dirname(source), loader: 'ts' as const }
  const made = await build({ stdin, bundle: true, platform: 'node', format: 'cjs', write: false })
  program = made.outputFiles[0]?.text ?? ''
})
beforeEach(() => {
  cache = mkdtempSync(path.join(os.tmpdir(), 'inarch-scratch-'))
})
afterEach(() => rmSync(cache, { recursive: true, force: true }))

const places = () => path.join(cache, 'inarch/tmp')
const left = () => readdirSync(places())

/** A process that opens a scratch directory, and ends as it should or by a kill. */
function maker(end: 'well' | 'die', before: readonly string[] = []): number | NodeJS.Signals | null {
  const [first = '', ...args] = [...before, process.execPath, '-', end]
  const env = { ...process.env, XDG_CACHE_HOME: cache }
  const run = spawnSync(first, args, { input: program, env, encoding: 'utf8' })
  return run.signal ?? run.status
}

test('a process that ends leaves none; that of a killed one is swept by the next', () => {
  expect(maker('well')).toBe(0)
  expect(left()).toEqual([])
  expect(maker('die')).toBe('SIGKILL')
  expect(left()).toHaveLength(1)
  expect(maker('well')).toBe(0)
  expect(left()).toEqual([])
})

test('those of living processes and what is no scratch directory stay', () => {
  mkdirSync(places(), { recursive: true })
  for (const name of ['notes', '12x-aaaaaa']) mkdirSync(path.join(places(), name))
  expect(maker('well')).toBe(0)
  expect(left()).toEqual(['12x-aaaaaa', 'notes'])
})

test.runIf(process.getuid?.() === 0)('a container does not sweep what may live elsewhere, but for a day', () => {
  // Its first process can't kill itself.
  const container = ['unshare', '--pid', '--fork', '--mount-proc', 'sh', '-c', '"$@"; :', 'sh']
  // Both have the pid namespace of their own, in which the other's pids mean nothing.
  maker('die', container)
  expect(left()).toHaveLength(1)
  const [name] = left()
  expect(maker('well')).toBe(0)
  expect(maker('well', container)).toBe(0)
  expect(left()).toEqual([name])
})

test('what is there for more than a day and can’t be asked about is swept', () => {
  const old = path.join(places(), '1-00000000-aaaaaa')
  const young = path.join(places(), '1-00000001-aaaaaa')
  for (const dir of [old, young]) mkdirSync(dir, { recursive: true })
  utimesSync(old, 1000, 1000)
  expect(maker('well')).toBe(0)
  expect(left()).toEqual(['1-00000001-aaaaaa'])
})
