// SPDX-License-Identifier: GPL-3.0-or-later
// A kernel from the archive into an empty cache: stopped, killed, asked for twice at once, and then used.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Kernel } from '../../src/kernel/kernel.ts'

const root = path.resolve(import.meta.dirname, '../..')
let cache: string
beforeAll(() => {
  spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root })
  cache = mkdtempSync(path.join(os.tmpdir(), 'inarch-kernels-'))
})
afterAll(() => rmSync(cache, { recursive: true, force: true }))

interface Run {
  readonly child: ChildProcess
  stderr: string
  stdout: string
  /** The exit code, or the signal that ended it. */
  readonly end: Promise<number | string>
}

function inarch(args: readonly string[], env: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, ['dist/inarch.js', ...args], {
    cwd: root,
    env: { ...process.env, XDG_CACHE_HOME: cache, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const run: Run = {
    child,
    stdout: '',
    stderr: '',
    end: new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal ?? ''))),
  }
  child.stdout!.on('data', (data) => {
    run.stdout += data
  })
  child.stderr!.on('data', (data) => {
    run.stderr += data
  })
  return run
}

/** Waits until the run has downloaded everything and is busy unpacking it. */
async function unpacking(run: Run): Promise<void> {
  while (!/✓ Downloading/.test(run.stderr) && run.child.exitCode === null) await sleep(20)
  expect(run.stderr).toMatch(/✓ Downloading/)
  while (ours().filter((line) => line.startsWith('tar ')).length === 0) await sleep(20)
}

/** Processes that work in the cache of this test. */
function ours(): string[] {
  const lines: string[] = []
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      if (words.some((word) => word.includes(cache))) lines.push(words.join(' '))
    } catch {
      // It ended while we looked.
    }
  return lines
}

const here = (name: string) => {
  const dir = path.join(cache, 'inarch', name)
  return existsSync(dir) ? readdirSync(dir) : []
}

describe('fetching a kernel', () => {
  test('that is stopped leaves no process, no temporary file and no half of a kernel', async () => {
    const run = inarch(['kernels', 'fetch', '6.1'])
    await unpacking(run)
    run.child.kill('SIGINT')
    expect(await run.end).toBe(130)
    expect(run.stderr).toContain('nothing was left behind')
    expect(here('tmp')).toEqual([])
    expect(here('kernels')).toEqual([])
    expect(ours()).toEqual([])
  })

  test('that was killed is done again, once, though two ask for it', async () => {
    const killed = inarch(['kernels', 'fetch', '6.1'])
    await unpacking(killed)
    killed.child.kill('SIGKILL')
    expect(await killed.end).toBe('SIGKILL')
    const both = [inarch(['kernels', 'fetch', '6.1', '--json']), inarch(['kernels', 'fetch', '6.1', '--json'])]
    expect([await Promise.all(both.map(({ end }) => end)), both.map(({ stderr }) => stderr)]).toMatchObject([
      [0, 0],
      {},
    ])
    expect(both.filter(({ stderr }) => stderr.includes('Downloading'))).toHaveLength(1)
    const [first, second] = both.map(({ stdout }) => JSON.parse(stdout)[0] as Kernel)
    expect(second).toEqual(first)
    expect(here('kernels')).toEqual([first!.release])
    for (const file of [first!.image, first!.vmlinux, first!.systemMap, first!.symvers, first!.config])
      expect(statSync(file).size).toBeGreaterThan(100_000)
    expect(existsSync(path.join(first!.modulesRoot, 'lib/modules', first!.release, 'modules.dep.bin'))).toBe(true)
    // What the killed one left is swept by the next that needs a temporary place.
    while (ours().length > 0) await sleep(50)
    expect(await inarch(['kernels', 'prune', '--dry-run']).end).toBe(0)
    expect(here('tmp')).toEqual([])
  })
})

describe('a disk that is too small', () => {
  test.runIf(process.getuid?.() === 0)('is noticed before anything is downloaded', async (context) => {
    const disk = mkdtempSync(path.join(os.tmpdir(), 'inarch-disk-'))
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=400m', 'tmpfs', disk]).status !== 0) {
      rmSync(disk, { recursive: true })
      context.skip('this machine allows no mounts')
    }
    try {
      // The lists of one suite fit, those of all do not.
      const run = inarch(['kernels', 'fetch', 'latest'], { XDG_CACHE_HOME: disk })
      expect(await run.end).toBe(5)
      expect(run.stderr).toMatch(/not enough space.*needs 2\.\d GB.*has 0\.\d GB.*inarch kernels prune/s)
      expect(run.stderr).not.toContain('Downloading')
      expect(readdirSync(path.join(disk, 'inarch/tmp'))).toEqual([])
    } finally {
      spawnSync('umount', [disk])
      rmSync(disk, { recursive: true })
    }
  })
})

describe('a fetched kernel', () => {
  const fetched = async () => {
    const run = inarch(['kernels', '--json'])
    expect(await run.end).toBe(0)
    const list = JSON.parse(run.stdout) as {
      release: string
      fetched: boolean
      bytes: number
      default: boolean
    }[]
    return list.filter((kernel) => kernel.fetched)
  }

  test('is listed with its size, and is the default', async () => {
    const kernels = await fetched()
    expect(kernels).toHaveLength(1)
    expect(kernels[0]!.bytes).toBeGreaterThan(1_000_000_000)
    const plain = inarch(['kernels'])
    expect(await plain.end).toBe(0)
    expect(plain.stdout).toMatch(/^RELEASE +VERSION +SERIES +FLAVOUR +SUITE +STATE\n/)
    expect(plain.stdout).toMatch(new RegExp(`^${kernels[0]!.release} .* fetched, 1\\.\\d GB`, 'm'))
  })

  test('has a source in which kbuild tells how it compiles, and writes nothing', async () => {
    const { release } = (await fetched())[0]!
    const described = inarch(['kernels', 'fetch', release, '--json'])
    expect(await described.end).toBe(0)
    const [{ source, compiler }] = JSON.parse(described.stdout) as [Kernel]
    expect(path.basename(compiler.program)).toBe('gcc-12')
    const started = Date.now()
    const make = spawnSync(
      'make',
      ['-n', '-o', 'prepare', `KERNELRELEASE=${release}`, `CC=${compiler.program}`, 'fs/proc/meminfo.o'],
      {
        cwd: source,
        encoding: 'utf8',
      },
    )
    expect(make.stderr).toBe('')
    expect(make.stdout).toMatch(/gcc-12 .*-c -o fs\/proc\/meminfo\.o fs\/proc\/meminfo\.c/)
    expect(make.stdout).toContain(` ${compiler.program} `)
    expect(make.stdout).not.toContain('syncconfig')
    const changed = spawnSync('find', [source, '-mindepth', '1', '-newermt', new Date(started).toISOString()], {
      encoding: 'utf8',
    })
    expect(changed.stdout).toBe('')
  })

  test('is used without the archive; what is not there is refused with what is missing', async () => {
    const release = (await fetched())[0]!.release
    const archives = path.join(cache, 'inarch/archive')
    const dated = (time: number) => {
      for (const name of readdirSync(archives)) {
        const lists = path.join(archives, name, 'kernels.json')
        if (existsSync(lists)) utimesSync(lists, time, time)
      }
    }
    // A list that is long out of date, and a proxy that does not exist.
    dated(0)
    const offline = { http_proxy: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9' }
    const exact = inarch(['kernels', 'fetch', release], offline)
    expect([await exact.end, exact.stderr]).toEqual([0, ''])
    // Nor is one believed that was written when the clock went wrong.
    for (const time of [0, Date.UTC(2040) / 1000]) {
      dated(time)
      const series = inarch(['kernels', 'fetch', '6.1'], offline)
      expect(await series.end).toBe(0)
      expect(series.stdout).toContain(release)
      expect(series.stderr).toContain(`using ${release}, which is fetched`)
    }
    const list = inarch(['kernels'], offline)
    expect(await list.end).toBe(0)
    expect(list.stdout.trim().split('\n')).toHaveLength(2)
    expect(list.stderr).toContain('only the kernels that are fetched are shown')
    const of = inarch(['kernels', '--suite', 'forky'], offline)
    expect(await of.end).toBe(0)
    expect(of.stdout).not.toContain(release)
    const unknown = inarch(['kernels', '--suite', 'jessie'], offline)
    expect(await unknown.end).toBe(2)
    expect(unknown.stderr).toContain('trixie (stable)')
    const absent = inarch(['kernels', 'fetch', '6.12'], offline)
    expect(await absent.end).toBe(5)
    expect(absent.stderr).toContain('The Debian archive can’t be reached')
    expect(absent.stderr).not.toMatch(/^\s+at /m)
  })

  test.runIf(process.getuid?.() === 0)('of a suite whose lists have expired is not had, and why is told', async () => {
    // apt takes each list for one that is valid for a second; the mount ends with the command.
    const script = `mount -t tmpfs tmpfs /etc/apt/apt.conf.d && echo 'Acquire::Max-ValidTime "1";' >/etc/apt/apt.conf.d/1 &&
exec "$0" "$@"`
    const old = mkdtempSync(path.join(os.tmpdir(), 'inarch-expired-'))
    const { status, stderr } = spawnSync(
      'unshare',
      ['--mount', 'sh', '-c', script, process.execPath, 'dist/inarch.js', 'kernels', 'fetch', 'sid'],
      { cwd: root, env: { ...process.env, XDG_CACHE_HOME: old, NO_COLOR: '1' }, encoding: 'utf8' },
    )
    rmSync(old, { recursive: true })
    expect(status, stderr).toBe(5)
    expect(stderr).toMatch(/The package lists of Debian sid are not valid at this time\.\n.*is expired.*\n.*clock/s)
  })

  test('is not confused with one that never was', async () => {
    for (const [name, message] of [
      ['6.1.0-9999-cloud-amd64', 'does not have the kernel 6.1.0-9999-cloud-amd64'],
      ['../../etc', '../../etc is not the release of a kernel'],
      ['2.6', 'no kernel for 2.6'],
    ] as const) {
      const run = inarch(['kernels', 'fetch', name])
      expect(await run.end).toBe(2)
      expect(run.stderr).toContain(message)
    }
  })

  test.runIf(process.getuid?.() === 0)('can be listed by a plain user too', async () => {
    const own = mkdtempSync(path.join(os.tmpdir(), 'inarch-user-'))
    chmodSync(own, 0o777)
    // The checkout may lie where another user can't go.
    cpSync(path.join(root, 'dist'), path.join(own, 'dist'), { recursive: true })
    try {
      const run = spawnSync(
        'setpriv',
        ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, 'dist/inarch.js', 'kernels'],
        { cwd: own, env: { ...process.env, XDG_CACHE_HOME: own, HOME: own }, encoding: 'utf8' },
      )
      expect([run.status, run.stderr]).toEqual([0, expect.not.stringMatching(/warning|error/i)])
      expect(run.stdout).toMatch(/cloud-amd64/)
    } finally {
      rmSync(own, { recursive: true, force: true })
    }
  })

  test('can be removed', async () => {
    const { release } = (await fetched())[0]!
    expect(await inarch(['kernels', 'prune', release]).end).toBe(0)
    expect(here('kernels')).toEqual([])
    expect(here('tmp')).toEqual([])
  })
})
