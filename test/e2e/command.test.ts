// SPDX-License-Identifier: GPL-3.0-or-later
// The command as such: what it loads, that it repeats itself to the byte, and that it can be stopped.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import { scratchRoot } from '../../src/ground/scratch.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { buildCommand, inarch, program, root } from './inarch.ts'

const example = path.join(root, 'examples/meminfo.patch')
let kernel: Kernel
let dir: string

beforeAll(async () => {
  buildCommand()
  kernel = await selectKernel({ signal: new AbortController().signal, journal: silentJournal() })
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-command-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** The example, with a text in it that no cache has seen. */
function freshPatch(): string {
  const file = path.join(mkdtempSync(path.join(dir, 'patch-')), 'fresh.patch')
  const text = readFileSync(example, 'utf8').replaceAll('live patched', randomBytes(8).toString('hex'))
  writeFileSync(file, text)
  return file
}

/** The source files in the parts of the bundle that are loaded for a command line. */
function loadedFor(...args: readonly string[]): string[] {
  const script = path.join(dir, 'loaded.cjs')
  writeFileSync(
    script,
    `process.on('exit', () => {
      const { parts } = require.cache[${JSON.stringify(program)}].exports
      require('node:fs').writeSync(2, JSON.stringify([...parts.keys()]))
    })
    require(${JSON.stringify(program)})`,
  )
  const { stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' })
  const contents: Record<string, string[]> = JSON.parse(
    readFileSync(path.join(path.dirname(program), 'parts.json'), 'utf8'),
  )
  const names: string[] = JSON.parse(stderr)
  return [...new Set(names.flatMap((name) => contents[name] ?? []))].filter((file) => file.startsWith('src/')).sort()
}

describe('the start', () => {
  test('loads the command line and no room behind it', () => {
    const loaded = loadedFor('--version')
    expect(loaded).toContain('src/cli/main.ts')
    expect(loaded.filter((file) => !/^src\/(cli|ground)\//.test(file))).toEqual([])
  })

  test('tells the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
    expect(await inarch(['--version'], { cwd: dir })).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  test.each([[['build']], [['prove']], [['kernels']], [['kernels', 'fetch']]])(
    'explains %s with examples',
    async (words) => {
      const { code, stdout, stderr } = await inarch([...words, '--help'], { cwd: dir })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain(`Usage: inarch ${words.join(' ')}`)
      expect(stdout).toContain('Examples:')
    },
  )
})

describe('a build', () => {
  test('gives the same bytes for the same inputs, whatever was kept from before', async () => {
    const patch = freshPatch()
    const build = async (temporary?: string) => {
      const output = mkdtempSync(path.join(dir, 'out-'))
      const args = ['build', patch, '--kernel', kernel.release, '-o', output]
      const { code, stderr } = await inarch(args, {
        cwd: mkdtempSync(path.join(dir, 'cwd-')),
        ...(temporary === undefined ? {} : { env: { TMPDIR: temporary } }),
      })
      expect(stderr).toContain('✓')
      expect(code).toBe(0)
      return readFileSync(path.join(output, 'livepatch-fresh.ko'))
    }
    const first = await build()
    // Other tests store objects meanwhile, so the directory stays.
    const objects = path.join(path.dirname(scratchRoot()), 'objects')
    for (const name of readdirSync(objects)) rmSync(path.join(objects, name), { force: true })
    const second = await build(mkdtempSync(path.join(dir, 'tmp-')))
    expect(second.equals(first)).toBe(true)
  })

  test('leaves the source tree of the kernel as it is', async () => {
    const marker = path.join(dir, 'marker')
    writeFileSync(marker, '')
    const { code } = await inarch(['build', freshPatch(), '--kernel', kernel.release, '-o', dir], {
      cwd: dir,
    })
    expect(code).toBe(0)
    const { stdout } = spawnSync('find', [kernel.source, '-newer', marker], { encoding: 'utf8' })
    expect(stdout).toBe('')
  })

  test('prints one JSON document when it is asked to', async () => {
    const { code, stdout } = await inarch(['build', example, '-k', kernel.release, '-o', dir, '--json'], {
      cwd: dir,
    })
    expect(code).toBe(0)
    const { module, manifest } = JSON.parse(stdout)
    expect(existsSync(path.resolve(dir, module))).toBe(true)
    expect(manifest).toMatchObject({
      format: 'inarch-manifest-1',
      name: 'meminfo',
      kernel: { release: kernel.release, version: kernel.version },
      objects: [{ name: 'vmlinux', functions: [{ name: 'meminfo_proc_show' }] }],
    })
  })

  test('says nothing but the result under --quiet', async () => {
    const { code, stderr } = await inarch(['build', example, '-k', kernel.release, '-o', dir, '--quiet'], {
      cwd: dir,
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })
})

describe('Ctrl-C during a build', () => {
  /** Processes that work below a directory, or were started by `parent`, by what they run. */
  function processesOf(parent: number, below: string): string[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
          const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
          const ppid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
          const zombie = stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
          const cwd = readlinkSync(`/proc/${pid}/cwd`)
          const ours = ppid === parent || command.includes(below) || cwd.startsWith(below)
          return ours && !zombie ? [command.replaceAll('\0', ' ')] : []
        } catch {
          return []
        }
      })
  }

  test.each(['SIGINT', 'SIGTERM'] as const)('by %s leaves no process and no file', async (signal) => {
    const output = mkdtempSync(path.join(dir, 'out-'))
    let pid = 0
    let sawCompiler = false
    const scratch = () => path.join(scratchRoot(), `${pid}-`)
    const running = inarch(['build', freshPatch(), '-k', kernel.release, '-o', output], {
      cwd: dir,
      onStart: (started) => {
        pid = started
      },
    })
    const stopping = (async () => {
      for (let tries = 0; tries < 2000; tries++) {
        sawCompiler = processesOf(pid, scratch()).some((command) => command.includes('cc1'))
        if (sawCompiler) break
        await sleep(5)
      }
      process.kill(pid, signal)
    })()
    const { code, stdout, stderr } = await running
    await stopping
    expect(sawCompiler).toBe(true)
    expect(code).toBe(signal === 'SIGINT' ? 130 : 143)
    expect(stderr).toContain('Stopped; nothing was left behind.')
    expect(stdout).toBe('')
    expect(readdirSync(output)).toEqual([])
    expect(readdirSync(scratchRoot()).filter((name) => name.startsWith(`${pid}-`))).toEqual([])
    expect(processesOf(pid, scratch())).toEqual([])
  })
})
