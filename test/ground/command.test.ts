// SPDX-License-Identifier: GPL-3.0-or-later
// A guarded program and all that it started end with us, even when nothing of ours can run any more.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'esbuild'
import { afterAll, expect, test } from 'vitest'
import { command } from '../../src/ground/command.ts'

const root = path.resolve(import.meta.dirname, '../..')
const cache = path.join(root, 'node_modules/.cache')
mkdirSync(cache, { recursive: true })
const dir = mkdtempSync(path.join(cache, 'command-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A process can end between any two looks at it: the one look that counts is reading its state. */
function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function until(what: () => boolean): Promise<boolean> {
  for (let look = 0; look < 200; look++) {
    if (what()) return true
    await sleep(50)
  }
  return false
}

/** Starts a node that runs a program which starts another one, and kills that node hard. @returns the two pids */
async function killed(guarded: boolean): Promise<number[]> {
  const pids = mkdtempSync(path.join(os.tmpdir(), 'inarch-pids-'))
  const script = `trap '' HUP; echo $$ >${pids}/outer; sleep 300 & echo $! >${pids}/inner; wait`
  const entry = path.join(dir, 'main.ts')
  const file = path.join(dir, 'main.mjs')
  writeFileSync(
    entry,
    `import { command } from ${JSON.stringify(path.join(root, 'src/ground/command.ts'))}
await command('sh', ['-c', ${JSON.stringify(script)}], { guarded: ${guarded} })`,
  )
  await build({
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
  })
  const child = spawn(process.execPath, [file])
  const files = ['outer', 'inner'].map((name) => path.join(pids, name))
  const text = (name: string) => (existsSync(name) ? readFileSync(name, 'utf8').trim() : '')
  expect(await until(() => files.every((name) => text(name) !== ''))).toBe(true)
  const found = files.map((name) => Number(text(name)))
  child.kill('SIGKILL')
  rmSync(pids, { recursive: true })
  return found
}

test('when we are killed hard, so are a guarded program and its children', async () => {
  const pids = await killed(true)
  expect(await until(() => !pids.some(alive))).toBe(true)
}, 60_000)

test('this is the guard’s work: without it they live on', async () => {
  const pids = await killed(false)
  await sleep(300)
  expect(pids.every(alive)).toBe(true)
  for (const pid of pids) process.kill(pid, 'SIGKILL')
}, 60_000)

test('a guarded program has its own exit code, output and place', async () => {
  const run = await command('sh', ['-c', 'pwd; echo said >&2; exit 3'], {
    guarded: true,
    allowFailure: true,
    cwd: '/',
  })
  expect(run).toEqual({ exitCode: 3, stdout: '/\n', stderr: 'said\n', timedOut: false })
})

test('a program that is missing is told as such, with a guard and limits as without', async () => {
  const limits = { memory: 2 ** 32, cpu: 10, fileSize: 2 ** 20 }
  for (const options of [{}, { guarded: true }, { limits }, { limits, guarded: true }])
    await expect(command('inarch-no-such-program', [], { ...options, allowFailure: true })).rejects.toMatchObject({
      code: 'program-missing',
    })
})

test('a guarded program ends when the work is stopped', async () => {
  const stopper = new AbortController()
  const run = command('sleep', ['300'], { guarded: true, signal: stopper.signal })
  setTimeout(() => stopper.abort(new Error('stopped')), 200)
  await expect(run).rejects.toThrow('stopped')
})
