// SPDX-License-Identifier: GPL-3.0-or-later
// A disk that is full, and a cache on several file systems: what the user is told, and that what can be done is done.
// The file systems are mounted for the command alone (a mount namespace), for which one must be root.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cacheRoot } from '../../src/ground/cache.ts'
import { silentJournal } from '../../src/ground/job.ts'
import { scratchRoot } from '../../src/ground/scratch.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { buildCommand, program, root } from './inarch.ts'

let dir: string
beforeAll(async () => {
  buildCommand()
  await selectKernel({ signal: new AbortController().signal, journal: silentJournal() })
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-disk-'))
  mkdirSync(scratchRoot(), { recursive: true })
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A patch that no cache has seen. */
function freshPatch(): string {
  const file = path.join(mkdtempSync(path.join(dir, 'patch-')), 'fresh.patch')
  const text = readFileSync(path.join(root, 'examples/meminfo.patch'), 'utf8')
  writeFileSync(file, text.replaceAll('live patched', randomBytes(8).toString('hex')))
  return file
}

/** Runs the command where `place` is an empty file system of this size. @param then what a shell does there after it */
function withMount(place: string, size: string, args: readonly string[], then = ':') {
  const script = `mount -t tmpfs -o size=${size} tmpfs "$0" && { "$@"; status=$?; ${then}; exit $status; }`
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', script, place, process.execPath, program, ...args],
    { cwd: dir, encoding: 'utf8' },
  )
  return { status, stdout, stderr }
}

describe.runIf(process.getuid?.() === 0)('on file systems of their own', () => {
  test.each(['4k', '16k', '32k'])(
    'a scratch directory with %s of space is told as a full disk, not as a fault of the patch',
    (size) => {
      const { status, stdout } = withMount(scratchRoot(), size, ['build', '--json', freshPatch()])
      expect(JSON.parse(stdout).error).toMatchObject({ kind: 'environment', code: 'disk-full' })
      expect(status).toBe(5)
    },
  )

  // Into the second would go the module alone.
  test.each(['8k', '28k'])('%s at the place of the result: that is told, and nothing half-made is there', (size) => {
    const output = mkdtempSync(path.join(dir, 'full-'))
    const left = path.join(dir, 'left')
    const args = ['build', '--json', freshPatch(), '--output', output]
    const run = withMount(output, size, args, `find "$0" -mindepth 1 >${left}`)
    expect(JSON.parse(run.stdout).error).toMatchObject({
      kind: 'environment',
      code: 'disk-full',
      remedy: 'Free some space, or choose another place',
    })
    expect(run.status).toBe(5)
    expect(readFileSync(left, 'utf8')).toBe('')
  })

  test('scratch directories and kept objects may lie on two of them', () => {
    const output = mkdtempSync(path.join(dir, 'made-'))
    const patch = freshPatch()
    const run = withMount(scratchRoot(), '1g', ['build', '--json', patch, '--output', output])
    expect(run.stderr).not.toContain('error')
    expect(run.status).toBe(0)
    expect(readdirSync(output).some((name) => name.endsWith('.ko'))).toBe(true)
    expect(readdirSync(cacheRoot()).filter((name) => name.startsWith('.'))).toEqual([])
  })
})

describe('what can’t be written to', () => {
  const commands = [['--version'], ['--help'], ['kernels', '--json'], ['kernels'], ['diff', '--json', 'no', 'no']]
  const run = (args: readonly string[], stdout: string, stderr: string) =>
    spawnSync('sh', ['-c', `exec "$@" >${stdout} 2>${stderr}`, 'sh', process.execPath, program, ...args], {
      encoding: 'utf8',
      cwd: dir,
      env: { ...process.env, NO_COLOR: '1' },
    })

  test.each(commands)('a full standard output is told in a sentence: %s %s', (...args) => {
    const file = path.join(dir, 'stderr')
    const { status } = run(args, '/dev/full', file)
    const told = readFileSync(file, 'utf8')
    expect(told).toMatch(/^error: .*\.$/m)
    expect(told).not.toMatch(/^\s+at /m)
    expect(status).toBe(args[0] === 'diff' ? 2 : 5)
  })

  test.each(commands)('both are full: only the exit code is left: %s %s', (...args) => {
    expect(run(args, '/dev/full', '/dev/full').status).toBe(args[0] === 'diff' ? 2 : 5)
  })

  test('nobody reads: neither is a stack trace', () => {
    for (const args of commands) {
      const script = '{ "$@" 2>&1 >/dev/null; echo $? >code; } | :; { "$@" | :; } 2>told'
      spawnSync('sh', ['-c', script, 'sh', process.execPath, program, ...args], { cwd: dir })
      expect(readFileSync(path.join(dir, 'told'), 'utf8')).not.toMatch(/^\s+at /m)
      expect(readFileSync(path.join(dir, 'code'), 'utf8').trim()).toBe(args[0] === 'diff' ? '2' : '0')
    }
  })
})
