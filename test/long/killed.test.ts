// SPDX-License-Identifier: GPL-3.0-or-later
// Commands that are killed at any moment (kill -9, so that nothing of theirs can tidy up): no process goes on, no half
// of a result is there, and the next one makes what was asked for, to the byte.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cacheRoot } from '../../src/ground/cache.ts'
import { scratchRoot } from '../../src/ground/scratch.ts'
import { buildCommand, inarch, program, root } from '../e2e/inarch.ts'

const times = 24
let dir: string
beforeAll(() => {
  buildCommand()
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-killed-'))
  // A cache of its own, with the kernels of the usual one.
  const kernels = path.join(cacheRoot(), 'kernels')
  process.env['XDG_CACHE_HOME'] = path.join(dir, 'cache')
  mkdirSync(cacheRoot(), { recursive: true })
  symlinkSync(kernels, path.join(cacheRoot(), 'kernels'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A patch that no cache has seen, so that the compilers really run. */
function freshPatch(): string {
  const file = path.join(dir, 'fresh.patch')
  const text = readFileSync(path.join(root, 'examples/meminfo.patch'), 'utf8')
  writeFileSync(file, text.replaceAll('live patched', randomBytes(8).toString('hex')))
  return file
}

/** Pids of the processes that have this word in their environment. */
function having(word: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, 'utf8').includes(word) ? [Number(name)] : []
    } catch {
      return []
    }
  })
}

const digest = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

/** Runs a command and kills it after `ms`, if it is not done. Whether it was killed. */
async function runAndKill(args: readonly string[], ms: number): Promise<boolean> {
  const word = `INARCH_TEST_RUN=${randomBytes(8).toString('hex')}`
  const [name = '', value] = word.split('=')
  const child = spawn(process.execPath, [program, ...args], {
    cwd: dir,
    env: { ...process.env, [name]: value },
    stdio: 'ignore',
  })
  const end = new Promise<string | null>((resolve) => child.on('close', (_, signal) => resolve(signal)))
  const timer = setTimeout(() => child.kill('SIGKILL'), ms)
  const signal = await end
  clearTimeout(timer)
  for (let waited = 0; having(word).length > 0; waited += 100) {
    if (waited > 5000)
      throw new Error(
        `after a kill at ${ms} ms there is still ` +
          `${having(word).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))}`,
      )
    await sleep(100)
  }
  return signal === 'SIGKILL'
}

test.each([
  ['build', () => ['build', freshPatch(), '--output', path.join(dir, 'out')], 5000],
  ['build --engine source', () => ['build', '--engine', 'source', freshPatch(), '-o', path.join(dir, 'out')], 8000],
])('%s', async (_, argsOf, longest) => {
  const output = path.join(dir, 'out')
  let killed = 0
  for (let index = 0; index < times; index++) {
    rmSync(output, { recursive: true, force: true })
    const args = argsOf()
    if (!(await runAndKill(args, Math.round((longest * index) / times)))) continue
    killed++
    const left = existsSync(output) ? readdirSync(output) : []
    // The module comes last, so that what is there with it is whole.
    if (left.some((name) => name.endsWith('.ko')))
      expect((await inarch(['verify', path.join(output, 'livepatch-fresh.ko')], { cwd: dir })).code).toBe(0)
    else expect(left.filter((name) => !/^livepatch-fresh(?:\.json)?$/.test(name))).toEqual([])
    if (index % 6 !== 0) continue
    // A directory of source that is there already is nobody's to write over; what else was left half-made is used by
    // nobody.
    rmSync(output, { recursive: true, force: true })
    expect(await inarch(args, { cwd: dir })).toMatchObject({ code: 0 })
    const made = digest(path.join(output, 'livepatch-fresh.ko'))
    rmSync(output, { recursive: true })
    // Nor does it matter whether the compilers run again.
    rmSync(path.join(cacheRoot(), 'objects'), { recursive: true, force: true })
    expect(await inarch(args, { cwd: dir })).toMatchObject({ code: 0 })
    expect(digest(path.join(output, 'livepatch-fresh.ko'))).toBe(made)
  }
  expect(killed).toBeGreaterThan(times / 3)
  // What the last one left is swept by the next.
  rmSync(output, { recursive: true, force: true })
  expect(await inarch(argsOf(), { cwd: dir })).toMatchObject({ code: 0 })
  expect(
    readdirSync(scratchRoot()).filter((name) => /^\d+-/.test(name) && !existsSync(`/proc/${name.split('-')[0]}`)),
  ).toEqual([])
})

test('prove', async () => {
  expect(await inarch(['build', freshPatch(), '--output', dir], { cwd: dir })).toMatchObject({ code: 0 })
  const module = path.join(dir, 'livepatch-fresh.ko')
  for (const ms of [500, 1500, 3000, 6000, 12_000, 20_000]) await runAndKill(['prove', module], ms)
  expect(await inarch(['prove', module], { cwd: dir })).toMatchObject({ code: 0 })
})
