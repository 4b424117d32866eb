// SPDX-License-Identifier: GPL-3.0-or-later
// Live patches, good and bad, tried on a stock kernel in real virtual machines, as a user does it.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Job, type Journal, silentJournal } from '../../src/ground/job.ts'
import { scratchRoot } from '../../src/ground/scratch.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import { readPatches } from '../../src/patch/read.ts'
import { readSubject } from '../../src/vm/plan/subject.ts'
import { type Proof, prove } from '../../src/vm/proof.ts'
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
function livePatch(
  name: string,
  file: string,
  from: string,
  to: string,
  allow: readonly string[] = [],
): Promise<string> {
  const make = async () => {
    const dir = mkdtempSync(path.join(work, `${name}-`))
    const patch = writePatch(dir, name, kernel, file, from, to)
    return (
      await makeLivePatch(job, kernel, {
        patches: await readPatches([patch]),
        replace: true,
        output: dir,
        allow,
      })
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
/** What looks like a fault of the emulation at first, and is one of the live patch. */
const breaks = () => livePatch('breaks', 'fs/proc/cmdline.c', show, `asm volatile("int3");\n\t${show}`)
/** kswapd never leaves its main function, so that no transition to or from it can end. */
const stalls = () =>
  livePatch(
    'stalls',
    'mm/vmscan.c',
    '\nkswapd_try_sleep:\n',
    '\nkswapd_try_sleep:\n\t\tpgdat->kswapd_failures = 0; barrier();\n',
    ['never-finishes'],
  )
/** Programs wait in it for what others write into a pipe. */
const reads = () =>
  livePatch(
    'reads',
    'fs/pipe.c',
    '\t/* Null read succeeds. */\n',
    '\tbarrier(); if (total_len == 12345678) pr_info("grafted\\n");\n',
  )

/** The live patch of a patch in test/cases. */
async function caseOf(name: string): Promise<string> {
  const dir = mkdtempSync(path.join(work, `${name}-`))
  const patches = await readPatches([path.join('test/cases', `${name}.patch`)])
  return (await makeLivePatch(job, kernel, { patches, replace: true, output: dir, allow: [] })).module
}

const inarch = (...args: string[]) => runInarch(args, { cwd: work })

/** Runs `inarch prove --json`, whose exit code must agree with the verdict. */
async function proof(module: string, ...args: string[]): Promise<Proof> {
  const { code, stdout, stderr } = await inarch('prove', '--json', module, ...args)
  const result = JSON.parse(stdout) as Proof
  expect(result.format, stdout + stderr).toBe('inarch-proof-2')
  expect(code).toBe(result.verdict === 'failed' ? 6 : 0)
  return result
}

const codes = ({ failures }: Proof) => failures.map(({ code }) => code)

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

/** Runs `inarch prove --json --suite`; the live patches are proven in this order. */
async function suite(name: string, proofs: readonly object[], ...args: string[]): Promise<readonly Proof[]> {
  const file = path.join(work, `${name}.json`)
  writeFileSync(file, JSON.stringify(proofs))
  const { code, stdout, stderr } = await inarch('prove', '--json', '--suite', file, ...args)
  const result = JSON.parse(stdout) as { format: string; verdict: string; proofs: readonly Proof[] }
  expect(result.format, stdout + stderr).toBe('inarch-proofs-2')
  expect(code).toBe(result.verdict === 'failed' ? 6 : 0)
  return result.proofs
}

/** The module of `cmdline` with another one's manifest, or none. */
function copyOf(module: string, name: string, change: (bytes: string, manifest: string) => [string, string?]) {
  const copy = path.join(mkdtempSync(path.join(work, `${name}-`)), path.basename(module))
  const manifestFile = (file: string) => file.replace(/\.ko$/, '.json')
  const [bytes, manifest] = change(readFileSync(module, 'latin1'), readFileSync(manifestFile(module), 'utf8'))
  writeFileSync(copy, bytes, 'latin1')
  if (manifest !== undefined) writeFileSync(manifestFile(copy), manifest)
  return copy
}

describe('live patches in one boot', () => {
  const junit = path.join(work, 'junit.xml')
  const script = path.join(work, 'script')
  const proofs = new Map<string, Proof>()
  const proofOf = (name: string): Proof => proofs.get(name)!

  beforeAll(async () => {
    writeFileSync(
      script,
      '#!/bin/sh\necho "phase $1"\n[ "$(grep -c grafted /proc/cmdline)" = "$([ $1 = after ]; echo $((!$?)))" ]\n',
    )
    const run = 'cat /proc/cmdline'
    const uptime = 'cat /proc/uptime'
    const dummy = await livePatch(
      'dummy',
      'drivers/net/dummy.c',
      'static void set_multicast_list(struct net_device *dev)\n{\n',
      'static void set_multicast_list(struct net_device *dev)\n{\n\tpr_info("grafted\\n");\n',
    )
    const flap =
      'ip link set dummy0 up; ip link set dummy0 multicast off; ip link set dummy0 multicast on; ip ' +
      'link set dummy0 down; dmesg | tail -n 4'
    // A reader that goes on 2 s after the transition has begun, however slow the guest is.
    const moving = '[ "$(cat /sys/kernel/livepatch/livepatch_reads/transition)" = 1 ]'
    const reader =
      `(n=0; until ${moving} || [ $n = 300 ]; do n=$((n+1)); usleep 100000; done; sleep 2) ` + '2>/dev/null | cat'
    const wanted = {
      good: {
        module: await cmdline(),
        checks: [{ run, before: '/^console=/', after: 'grafted console' }],
        script,
      },
      wrong: {
        module: await cmdline(),
        checks: [{ run, before: 'nonsense', after: 'grafted' }],
        exercise: false,
      },
      warning: { module: await warns(), checks: [{ run }], exercise: false },
      allowed: {
        module: await warns(),
        checks: [{ run }],
        exercise: false,
        expect: ['WARNING: .*cmdline_proc_show'],
      },
      // Nobody halts a machine that is to be proven.
      idle: {
        module: await livePatch(
          'idle',
          'kernel/reboot.c',
          'void kernel_halt(void)\n{\n',
          'void kernel_halt(void)\n{\n\tpr_info("grafted\\n");\n',
        ),
        exercise: false,
      },
      exercised: { module: await caseOf('uptime-only') },
      // What it changes is the clock that the guest shows.
      clock: {
        module: await caseOf('uptime-only'),
        checks: [{ run: uptime, before: '/^\\d/', after: 'patched' }],
      },
      unseen: {
        module: await caseOf('uptime-only'),
        checks: [{ run: uptime, after: 'NEVER-PRINTED' }],
        exercise: false,
      },
      // Its name is what the kernel says of trouble.
      named: {
        module: await caseOf('probe-failure'),
        checks: [{ run: 'grep Inarch /proc/meminfo', after: 'live patched' }],
        exercise: false,
      },
      dummy: { module: dummy, checks: [{ run: flap, after: 'grafted' }] },
      reading: {
        module: await reads(),
        checks: [{ run: `(${reader}) >/dev/null 2>&1 & usleep 500000`, label: 'a reader' }],
        exercise: false,
      },
      // The module goes and comes again under the live patch, also after its init has failed.
      reloaded: {
        module: await caseOf('module-reload'),
        script: path.resolve('test/cases/module-reload.sh'),
      },
      refusing: { module: await caseOf('init-fails'), script: path.resolve('test/cases/init-fails.sh') },
      mounted: {
        module: await cmdline(),
        fs: 'ext4',
        load: ['dd if=/dev/zero of=/mnt/$$ bs=64k count=8 conv=fsync; rm /mnt/$$'],
        checks: [{ run: 'df -T /mnt | grep ext4', before: 'ext4' }],
        exercise: false,
      },
    }
    const told = await suite('together', Object.values(wanted), '--junit', junit)
    Object.keys(wanted).forEach((name, index) => {
      if (told[index]) proofs.set(name, told[index])
    })
  })

  test('have a verdict each', () => {
    const failed = [...proofs].flatMap(([name, { verdict }]) => (verdict === 'failed' ? [name] : []))
    expect(failed).toEqual(['wrong', 'warning', 'unseen'])
    expect(proofs.size).toBe(14)
    expect(new Set([...proofs.values()].map(({ boots, bootMs }) => `${boots} ${bootMs}`)).size).toBe(1)
  })

  test('are proven before, with each, and reverted', () => {
    expect(proofOf('good').failures).toEqual([])
    expect(proofOf('good').kernel.release).toBe(kernel.release)
    const [order] = proofOf('good').orders
    const outputs = order?.steps.flatMap(({ output }) => (output ? [output.text] : []))
    expect(outputs?.filter((text) => text.startsWith('grafted'))).toHaveLength(1)
    expect(outputs).toContain('phase reverted\n')
    expect(order?.steps.find(({ id }) => id.endsWith('.transition'))?.samples?.at(-1)?.left).toBe(0)
    expect(proofOf('good').replaced).toEqual([
      { object: 'vmlinux', name: 'cmdline_proc_show', sympos: 1, active: true },
    ])
    expect(readFileSync(junit, 'utf8').match(/ load and revert" .*failures="0"/g)).toHaveLength(8)
  })

  test('fail when the output is not what was expected, and show it', () => {
    expect(codes(proofOf('wrong'))).toEqual(['check', 'check'])
    expect(proofOf('wrong').failures[0]?.message).toContain('did not print "nonsense"')
    expect(proofOf('wrong').failures[0]?.lines?.join()).toContain('console=ttyS0')
  })

  test('that change the guest’s clock are timed and checked like others', () => {
    expect(codes(proofOf('unseen'))).toEqual(['check'])
    expect(proofOf('unseen').failures[0]?.message).toContain('did not print "NEVER-PRINTED"')
    for (const { ms } of proofOf('clock').orders[0]?.steps ?? []) expect(ms).toBeLessThan(60_000)
    expect(proofOf('named').log).toEqual([])
  })

  test('are proven only when what they replace was seen at work', () => {
    const verdictOf = (name: string) => [
      proofOf(name).verdict,
      ...proofOf(name).coverage.functions.map((one) => [one.name, one.ran === undefined ? '?' : one.ran > 0]),
    ]
    expect(verdictOf('good')).toEqual(['proven', ['cmdline_proc_show', true]])
    expect(verdictOf('exercised')).toEqual(['proven', ['uptime_proc_show', true]])
    expect(proofOf('exercised').coverage).toMatchObject({
      checked: false,
      exercises: ['read /proc'],
    })
    expect(verdictOf('idle')).toEqual(expect.arrayContaining(['loaded', ['kernel_halt', false]]))
    expect(verdictOf('dummy')).toEqual(['proven', ['set_multicast_list', true]])
    expect(readFileSync(junit, 'utf8')).toContain('<skipped message="never ran: kernel_halt')
  })

  test('fail on a warning in the kernel log during their turn, unless it is expected', () => {
    expect(codes(proofOf('warning'))).toEqual(['log'])
    expect(proofOf('warning').failures[0]?.lines?.join('\n')).toMatch(/WARNING: .*cmdline_proc_show/)
    expect(proofOf('allowed').failures).toEqual([])
    expect(proofOf('allowed').log).toMatchObject([{ rule: 'warning', expected: true }])
  })

  test('are refused before the boot when the manifest tells of another function', async () => {
    const otherClaim = copyOf(await cmdline(), 'claims', (bytes, manifest) => [
      bytes,
      manifest.replaceAll('"cmdline_proc_show"', '"meminfo_proc_show"'),
    ])
    const { code, stderr } = await inarch('prove', otherClaim)
    expect(code).toBe(2)
    expect(stderr).toContain('it replaces cmdline_proc_show of vmlinux, of which the manifest does not tell')
  })

  test('have a forecast of the tasks that sleep in what they replace, which the transition bears out', () => {
    const [order] = proofOf('reading').orders
    const { verdict, sleeping, held } = order?.forecast ?? {}
    expect(verdict).toBe('will-wait')
    const cat = sleeping?.find(({ name }) => name === 'cat')
    expect(cat).toMatchObject({ kind: 'process', state: 'S', functions: ['pipe_read'], outlook: 'woken' })
    expect(cat?.stack.join('\n')).toMatch(/pipe_read\+0x/)
    const transition = order?.steps.find(({ id }) => id.endsWith('.transition'))
    expect(transition?.samples?.[0]?.left).toBeGreaterThan(0)
    expect(held).toBe(true)
    const others = proofOf('dummy').orders.map(({ forecast }) => [forecast?.verdict, forecast?.held])
    expect(others).toEqual([
      ['will-finish', true],
      ['will-finish', true],
    ])
  })

  test('of a module are proven in both orders', () => {
    const { orders, replaced } = proofOf('dummy')
    expect(orders.map(({ order }) => order)).toEqual(['module-first', 'patch-first'])
    for (const { steps } of orders) expect(steps.every(({ outcome }) => outcome === 'done')).toBe(true)
    expect(orders[1]?.steps.map(({ id }) => id)).toContain('patch-first.reload')
    expect(replaced.map(({ object }) => object)).toEqual(['dummy'])
  })

  test('of a module that is unloaded, fails to start and comes again go on working', () => {
    for (const name of ['reloaded', 'refusing']) {
      const { verdict, failures, orders, notes } = proofOf(name)
      expect([verdict, failures, notes]).toEqual(['proven', [], []])
      expect(orders[1]?.steps.find(({ id }) => id === 'patch-first.reload')?.outcome).toBe('done')
    }
  })

  test('have a file system mounted, and kept busy during the transition', () => {
    expect(proofOf('mounted').failures).toEqual([])
    expect(proofOf('mounted').loads[0]).toBeGreaterThan(0)
  })
})

describe('live patches of which some break off', () => {
  test('leave the others a fresh boot', async () => {
    const missing = copyOf(await cmdline(), 'missing', (bytes) => [
      bytes.replaceAll('cmdline_proc_show\0', 'cmdline_proc_shoX\0'),
    ])
    const run = 'cat /proc/cmdline'
    const [unloadable, crashed, broken, overloaded, good] = await suite('broken', [
      { module: missing, exercise: false },
      { module: await crashes(), checks: [{ run }], exercise: false },
      { module: await breaks(), checks: [{ run }], exercise: false },
      { module: await cmdline(), load: ['echo no room; exit 3'], exercise: false },
      { module: await cmdline(), checks: [{ run, before: '/^console=/', after: 'grafted console' }] },
    ])
    // The module does not load: the kernel's own reason is told.
    expect(codes(unloadable!)).toEqual(expect.arrayContaining(['step', 'log']))
    expect(JSON.stringify(unloadable!.failures)).toContain("symbol 'cmdline_proc_shoX' not found")
    // The guest crashes: it is told where.
    expect(codes(crashed!)).toContain('crash')
    expect(crashed!.failures[0]?.message).toContain('with the live patch: cat /proc/cmdline')
    expect(crashed!.failures[1]?.lines?.join('\n')).toContain('NULL pointer dereference')
    // A breakpoint that the live patch runs into, where the emulation is not to blame.
    expect(codes(broken!)).toContain('crash')
    expect(broken!.failures[1]?.lines?.join('\n')).toMatch(/int3: 0000.*cmdline_proc_show/s)
    expect(broken!.notes.join('\n')).toMatch(/^(?:QEMU lost a change .*one thread for all CPUs)?$/)
    // A background load fails.
    expect(codes(overloaded!)).toEqual(['step'])
    expect(overloaded!.failures[0]?.message).toContain('load 1 failed with exit code 3')
    expect(overloaded!.failures[0]?.lines).toEqual(['no room'])
    expect(good!.failures).toEqual([])
    const all = [unloadable, crashed, broken, overloaded, good]
    expect(all.map((proof) => proof?.boots)).toEqual([1, 1, 1, 1, 1])
  })
})

describe('a live patch that taints the kernel, of which the log says nothing', () => {
  test('fails also where that was during the exercises, and the same without it did not', async () => {
    const module = await livePatch(
      'taints',
      'fs/proc/cmdline.c',
      show,
      `add_taint(TAINT_USER, LOCKDEP_STILL_OK);\n\t${show}`,
    )
    const request = { subject: await readSubject(module), exercise: true, exerciseLimit: 5 }
    const begun: string[] = []
    const journal: Journal = {
      ...job.journal,
      step(title, work) {
        begun.push(title)
        return job.journal.step(title, work)
      },
    }
    const { verdict, failures } = await prove({ ...job, journal }, kernel, request)
    expect([verdict, failures]).toMatchObject([
      'failed',
      [{ code: 'taint', message: expect.stringMatching(/since the exercise "read.*": user request$/) }],
    ])
    expect(begun).toContain('the exercises without livepatch_taints')
  })
})

describe('inarch prove', () => {
  test('shows a person the steps and the verdict', async () => {
    const { code, stdout, stderr } = await inarch('prove', await cmdline(), '--require-coverage')
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(/✓ transition/)
    expect(stdout).toMatch(/transition +\d+\.\d s {2}ok/)
    expect(stdout).toMatch(/^proven in/m)
  })

  test('fails when the transition does not end, and names the task that holds it up', async () => {
    const result = await proof(await stalls(), '--timeout', '60', '--no-exercise')
    expect(codes(result)).toContain('step')
    expect(result.failures[0]?.message).toMatch(/"transition" failed: .* 1 task is left/)
    expect(result.failures[0]?.lines?.join('\n')).toMatch(/kswapd0\n.*kswapd\+/)
    // It was known before the live patch came.
    const forecast = result.orders[0]?.forecast
    expect(forecast).toMatchObject({ verdict: 'cannot-finish', held: true })
    expect(forecast?.sleeping).toMatchObject([
      { name: 'kswapd0', kind: 'thread', functions: ['kswapd'], outlook: 'stays' },
    ])
  })

  test('kills a guest that hangs, and shows the end of its console', async () => {
    const hang = 'killall timeout; kill -STOP $$'
    const { code, stderr } = await inarch('prove', await cmdline(), '--timeout', '40', '--run', hang, '--no-exercise')
    expect(code).toBe(6)
    expect(stderr).toMatch(/The guest hung during "before: killall timeout.* was killed after 40 s/)
    expect(stderr).toContain('inarch: step module-first.check.before.0')
  })

  test('boots once more for the second order when the module can’t be unloaded', async () => {
    const line = 'return sysfs_emit(buf, "%s\\n", autoclear ? "1" : "0");'
    const module = await livePatch('loop', 'drivers/block/loop.c', line, line.replace('"0"', '"grafted"'))
    const run = 'losetup -a | grep -q . || losetup -f /bin/busybox; cat /sys/block/loop0/loop/autoclear'
    const machine = ['--processor', 'Nehalem', '--append', 'inarch.seen=yes', '--cpus', '1', '--memory', '400']
    const told = ['--run', 'cat /proc/cmdline /proc/cpuinfo /proc/meminfo', '--label', 'the machine']
    const seen = '/inarch.seen=yes[^]*Core i7 9xx[^]*MemTotal: +3[0-9]{5} kB/'
    const result = await proof(
      ...[module, ...machine, ...told, '--before', seen],
      ...['--run', run, '--before', '/^0$/', '--after', 'grafted'],
    )
    expect(result.orders[0]?.steps.find(({ output }) => output)?.output?.text).not.toMatch(/processor\s*: 1/)
    expect(result.machine).toMatchObject({
      cpus: 1,
      memory: 400,
      processor: 'Nehalem',
      parameters: ['inarch.seen=yes'],
    })
    expect(result.failures).toEqual([])
    expect(result.boots).toBe(2)
    expect(result.notes.join()).toContain('loop could not be unloaded')
    expect(result.orders.map(({ steps }) => steps.at(-1)?.outcome)).toEqual(['kept', 'kept'])
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
