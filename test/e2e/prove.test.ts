// SPDX-License-Identifier: GPL-3.0-or-later
// Live patches, good and bad, tried on a stock kernel in real virtual machines, as a user does it.
import { spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { scratchRoot } from '../../src/ground/scratch.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import { readPatches } from '../../src/patch/read.ts'
import type { Proof } from '../../src/vm/proof.ts'
import { writePatch } from './change.ts'
import { buildCommand, program, inarch as runInarch } from './inarch.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-prove-'))
let kernel: Kernel

beforeAll(async () => {
  buildCommand()
  kernel = await selectKernel(job)
})
afterAll(() => rmSync(work, { recursive: true }))

const made = new Map<string, Promise<string>>()

/** A live patch that puts `to` in the place of `from` in a file of the kernel; made once. */
function livePatch(name: string, file: string, from: string, to: string): Promise<string> {
  const make = async () => {
    const dir = mkdtempSync(path.join(work, `${name}-`))
    const patch = writePatch(dir, name, kernel, file, from, to)
    return (
      await makeLivePatch(job, kernel, { patches: await readPatches([patch]), replace: true, output: dir })
    ).module
  }
  const known = made.get(name) ?? make()
  made.set(name, known)
  return known
}

const show = 'seq_puts(m, saved_command_line);'
const cmdline = () => livePatch('cmdline', 'fs/proc/cmdline.c', show, `seq_puts(m, "grafted ");\n\t${show}`)
const warns = () => livePatch('warns', 'fs/proc/cmdline.c', show, `WARN_ON(1);\n\t${show}`)
const crashes = () => livePatch('crashes', 'fs/proc/cmdline.c', show, `*(volatile int *)8 = 1;\n\t${show}`)
/** kswapd never leaves its main function, so that no transition to or from it can end. */
const stalls = () =>
  livePatch(
    'stalls',
    'mm/vmscan.c',
    '\nkswapd_try_sleep:\n',
    '\nkswapd_try_sleep:\n\t\tpgdat->kswapd_failures = 0; barrier();\n',
  )

const inarch = (...args: string[]) => runInarch(args, { cwd: work })

/** Runs `inarch prove --json`, whose exit code must agree with the verdict. */
async function proof(module: string, ...args: string[]): Promise<Proof> {
  const { code, stdout, stderr } = await inarch('prove', '--json', module, ...args)
  const result = JSON.parse(stdout) as Proof
  expect(result.format, stdout + stderr).toBe('inarch-proof-1')
  expect(code).toBe(result.verdict === 'proven' ? 0 : 6)
  return result
}

const codes = ({ failures }: Proof) => failures.map(({ code }) => code)
const read = ['--run', 'cat /proc/cmdline']

/** QEMU processes that a run of `inarch` with this pid started. */
function machinesOf(pid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((candidate) => {
      if (!Number.isInteger(candidate)) return false
      try {
        const line = readFileSync(`/proc/${candidate}/cmdline`, 'latin1')
        return line.startsWith('qemu-system-') && line.includes(`${scratchRoot()}/${pid}-`)
      } catch {
        return false
      }
    })
}

async function until(what: () => boolean, ms: number): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end; ) {
    if (what()) return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return what()
}

describe('inarch prove', () => {
  test('proves a live patch: before, with it, and reverted', async () => {
    const junit = path.join(work, 'junit.xml')
    const script = path.join(work, 'script')
    writeFileSync(
      script,
      '#!/bin/sh\necho "phase $1"\n[ "$(grep -c grafted /proc/cmdline)" = "$([ $1 = after ]; echo $((!$?)))" ]\n',
    )
    const result = await proof(
      await cmdline(),
      ...read,
      '--before',
      '/^console=/',
      '--after',
      'grafted console',
      '--script',
      script,
      '--junit',
      junit,
    )
    expect(result.failures).toEqual([])
    expect(result.kernel.release).toBe(kernel.release)
    const [order] = result.orders
    const outputs = order?.steps.flatMap(({ output }) => (output ? [output.text] : []))
    expect(outputs?.filter((text) => text.startsWith('grafted'))).toHaveLength(1)
    expect(outputs).toContain('phase reverted\n')
    expect(order?.steps.find(({ id }) => id.endsWith('.transition'))?.samples?.at(-1)?.left).toBe(0)
    expect(result.replaced).toEqual([
      { object: 'vmlinux', name: 'cmdline_proc_show', sympos: 1, active: true },
    ])
    expect(readFileSync(junit, 'utf8')).toContain('failures="0"')
  })

  test('shows a person the steps and the verdict', async () => {
    const { code, stdout, stderr } = await inarch('prove', await cmdline())
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(/✓ transition/)
    expect(stdout).toMatch(/transition +\d+\.\d s {2}ok/)
    expect(stdout).toMatch(/^proven in/m)
  })

  test('fails when the output is not what was expected, and shows it', async () => {
    const { code, stdout, stderr } = await inarch(
      'prove',
      await cmdline(),
      ...read,
      '--before',
      'nonsense',
      '--after',
      'grafted',
    )
    expect(code).toBe(6)
    expect(stderr).toMatch(/did not print "nonsense"/)
    expect(stderr).toContain('console=ttyS0')
    expect(stdout).toMatch(/^failed in/m)
  })

  test('fails on a warning in the kernel log, unless it is expected', async () => {
    const failed = await proof(await warns(), ...read)
    expect(codes(failed)).toEqual(['log'])
    expect(failed.failures[0]?.lines?.join('\n')).toMatch(/WARNING: .*cmdline_proc_show/)
    const allowed = await proof(await warns(), ...read, '--expect', 'WARNING: .*cmdline_proc_show')
    expect(allowed.failures).toEqual([])
    expect(allowed.log).toMatchObject([{ rule: 'warning', expected: true }])
  })

  test('fails when the guest crashes, and says where', async () => {
    const result = await proof(await crashes(), ...read)
    expect(codes(result)).toContain('crash')
    expect(result.failures[0]?.message).toContain('with the live patch: cat /proc/cmdline')
    expect(result.failures[1]?.lines?.join('\n')).toContain('NULL pointer dereference')
  })

  test('fails when the transition does not end, and names the task that holds it up', async () => {
    const result = await proof(await stalls(), '--timeout', '60')
    expect(codes(result)).toContain('step')
    expect(result.failures[0]?.message).toMatch(/"transition" failed: .* 1 task is left/)
    expect(result.failures[0]?.lines?.join('\n')).toMatch(/kswapd0\n.*kswapd\+/)
  })

  test('fails when the module does not load, with the kernel’s reason', async () => {
    const module = path.join(mkdtempSync(path.join(work, 'missing-')), 'missing.ko')
    const bytes = readFileSync(await cmdline()).toString('latin1')
    writeFileSync(module, bytes.replaceAll('cmdline_proc_show\0', 'cmdline_proc_shoX\0'), 'latin1')
    const result = await proof(module)
    expect(codes(result)).toEqual(expect.arrayContaining(['step', 'log']))
    expect(JSON.stringify(result.failures)).toContain("symbol 'cmdline_proc_shoX' not found")
  })

  test('fails when the kernel does not replace what the manifest says', async () => {
    const module = await cmdline()
    const copy = path.join(mkdtempSync(path.join(work, 'claims-')), 'livepatch-cmdline.ko')
    copyFileSync(module, copy)
    const manifest = readFileSync(module.replace(/\.ko$/, '.json'), 'utf8')
    writeFileSync(
      copy.replace(/\.ko$/, '.json'),
      manifest.replaceAll('"cmdline_proc_show"', '"meminfo_proc_show"'),
    )
    const result = await proof(copy)
    expect(codes(result)).toEqual(['coverage', 'coverage'])
    expect(result.failures[0]?.message).toContain('vmlinux:meminfo_proc_show,1')
  })

  test('kills a guest that hangs, and shows the end of its console', async () => {
    const hang = 'killall timeout; kill -STOP $$'
    const { code, stderr } = await inarch('prove', await cmdline(), '--timeout', '25', '--run', hang)
    expect(code).toBe(6)
    expect(stderr).toMatch(/The guest hung during "before: killall timeout.* was killed after 25 s/)
    expect(stderr).toContain('inarch: step module-first.check.before.0')
  })

  test('proves a patch of a module in both orders', async () => {
    const module = await livePatch(
      'dummy',
      'drivers/net/dummy.c',
      'static void set_multicast_list(struct net_device *dev)\n{\n',
      'static void set_multicast_list(struct net_device *dev)\n{\n\tpr_info("grafted\\n");\n',
    )
    const result = await proof(
      module,
      '--run',
      'ip link set dummy0 up; ip link set dummy0 multicast off; ip link set dummy0 multicast on; ip link set dummy0 down; dmesg | tail -n 4',
    )
    expect(result.failures).toEqual([])
    expect(result.boots).toBe(1)
    expect(result.orders.map(({ order }) => order)).toEqual(['module-first', 'patch-first'])
    for (const { steps } of result.orders) expect(steps.every(({ outcome }) => outcome === 'done')).toBe(true)
    expect(result.replaced.map(({ object }) => object)).toEqual(['dummy'])
  })

  test('boots once more for the second order when the module can’t be unloaded', async () => {
    const line = 'return sysfs_emit(buf, "%s\\n", autoclear ? "1" : "0");'
    const module = await livePatch('loop', 'drivers/block/loop.c', line, line.replace('"0"', '"grafted"'))
    const run = 'losetup -a | grep -q . || losetup -f /bin/busybox; cat /sys/block/loop0/loop/autoclear'
    const result = await proof(module, '--run', run, '--before', '/^0$/', '--after', 'grafted')
    expect(result.failures).toEqual([])
    expect(result.boots).toBe(2)
    expect(result.notes.join()).toContain('loop could not be unloaded')
    expect(result.orders.map(({ steps }) => steps.at(-1)?.outcome)).toEqual(['kept', 'kept'])
  })

  test('mounts a file system and keeps it busy during the transition', async () => {
    const write = 'dd if=/dev/zero of=/mnt/$$ bs=64k count=8 conv=fsync; rm /mnt/$$'
    const result = await proof(
      await cmdline(),
      '--fs',
      'ext4',
      '--load',
      write,
      '--run',
      'df -T /mnt | grep ext4',
      '--before',
      'ext4',
    )
    expect(result.failures).toEqual([])
    expect(result.loads[0]).toBeGreaterThan(0)
  })

  test('fails when the background load does', async () => {
    const result = await proof(await cmdline(), '--load', 'echo no room; exit 3')
    expect(codes(result)).toEqual(['step'])
    expect(result.failures[0]?.message).toContain('load 1 failed with exit code 3')
    expect(result.failures[0]?.lines).toEqual(['no room'])
  })

  test.each([
    ['without a file', ['prove', 'nowhere.ko'], 'no file nowhere.ko'],
    ['with --before before --run', ['prove', 'x.ko', '--before', 'a'], 'must follow the --run'],
    ['with an impossible number', ['prove', 'x.ko', '--cpus', '0'], 'whole number'],
    ['with an expression that is none', ['prove', 'x.ko', '--expect', '('], 'not a regular expression'],
  ])('%s says so and exits with 2', async (_, args, words) => {
    const { code, stderr } = await inarch(...args)
    expect(stderr).toContain(words)
    expect(code).toBe(2)
  })
})

describe('a proof that is stopped', () => {
  async function start(): Promise<{
    pid: number
    ended: Promise<number | null>
    kill(signal: NodeJS.Signals): void
  }> {
    const child = spawn(process.execPath, [program, 'prove', await cmdline()], { stdio: 'ignore' })
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
    const pid = child.pid ?? 0
    expect(await until(() => machinesOf(pid).length > 0, 30_000)).toBe(true)
    return { pid, ended, kill: (signal) => child.kill(signal) }
  }
  const scratchOf = (pid: number) => readdirSync(scratchRoot()).filter((name) => name.startsWith(`${pid}-`))

  test('by Ctrl-C leaves no machine and no file', async () => {
    const { pid, ended, kill } = await start()
    kill('SIGINT')
    expect(await ended).toBe(130)
    expect(machinesOf(pid)).toEqual([])
    expect(scratchOf(pid)).toEqual([])
  })

  test('by being killed leaves no machine, and its files to the next run', async () => {
    const { pid, kill } = await start()
    kill('SIGKILL')
    expect(await until(() => machinesOf(pid).length === 0, 5_000)).toBe(true)
    await inarch('prove', await cmdline(), '--timeout', '10')
    expect(scratchOf(pid)).toEqual([])
  })
})
