// SPDX-License-Identifier: GPL-3.0-or-later
// A guest in which the built command itself runs: this machine's node with its libraries, dist/, live patches and
// whatever hooks the kernel. One boot, in which `inarch verify --running` looks again and again while the host changes.
import { execFileSync } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { withScratch } from '../../src/ground/scratch.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import type { HostForecast } from '../../src/livepatch/transition-forecast.ts'
import type { RunningReport } from '../../src/livepatch/verify-running.ts'
import { packExpectation, unpackExpectation } from '../../src/match/record.ts'
import type { Manifest } from '../../src/module/manifest/manifest.ts'
import { boot } from '../../src/vm/boot.ts'
import { chooseAccelerator } from '../../src/vm/guest/accel.ts'
import type { Entry } from '../../src/vm/guest/cpio.ts'
import { findBusybox } from '../../src/vm/guest/initramfs.ts'
import { gatherModules, moduleEntries } from '../../src/vm/guest/modules.ts'
import { decodeInstruction, type Instruction } from '../../src/x86/instruction.ts'
import { buildAttach } from './attach.ts'
import { writePatch } from './change.ts'
import { buildCommand, inarch, root } from './inarch.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }

/** What one look at the host printed. */
export interface Look {
  readonly exitCode: number
  readonly text: string
  /** The report, or the fault. */
  readonly json: RunningReport & { readonly error?: { readonly code: string; readonly message: string } }
}

/** Bytes of the function at which the kprobe inside of it is set, and at which the spoiled expectation differs. */
export interface Places {
  readonly inside: number
  readonly spoiled: number
}

/**
 * The looks, by name: shell commands that come before each, the command's words, and what node does first. A `--import`
 * is always there, so that only what it does differs.
 */
const looks = [
  ['clean', '', 'verify --running --json livepatch-meminfo.ko'],
  ['spoiled', '', 'verify --running --json livepatch-spoiled.ko'],
  ['absent', '', 'verify --running --json livepatch-dummy.ko'],
  ['sleeping', '(sleep 600 | cat) >/dev/null 2>&1 & sleep 1', 'forecast --json livepatch-sleepers.ko'],
  ['awake', '', 'forecast livepatch-meminfo.ko'],
  [
    'nobody',
    'chmod -R a+rX /work /inarch',
    'verify --running --json livepatch-meminfo.ko',
    'process.setgroups([]);process.setgid(65534);process.setuid(65534)',
  ],
  [
    'hooked',
    `insmod /lib/modules/*/kernel/drivers/net/dummy.ko
     echo 1 >/proc/sys/kernel/bpf_stats_enabled
     cd /sys/kernel/tracing
     echo 'p:entry meminfo_proc_show' >kprobe_events
     echo "p:inside meminfo_proc_show+$(cat /work/inside)" >>kprobe_events
     echo 'r:exit meminfo_proc_show' >>kprobe_events
     for event in entry inside exit; do echo 1 >events/kprobes/$event/enable; done
     echo meminfo_proc_show >set_ftrace_filter
     echo function >current_tracer
     cd /work
     /work/attach meminfo_proc_show >/run/attached & echo $! >/run/attach
     until grep -q attached /run/attached; do sleep 1; done`,
    'verify --running --json livepatch-meminfo.ko',
  ],
  ['unlisted', 'umount /sys/kernel/tracing; umount /sys/kernel/debug', 'verify --running --json livepatch-meminfo.ko'],
  [
    'other',
    `mount -t debugfs debug /sys/kernel/debug; mount -t tracefs trace /sys/kernel/tracing
     insmod livepatch-other.ko; while [ "$(cat /sys/kernel/livepatch/*/transition)" != 0 ]; do sleep 1; done`,
    'verify --running --json livepatch-meminfo.ko',
  ],
  [
    'at-work',
    `insmod livepatch-meminfo.ko; while [ "$(cat /sys/kernel/livepatch/livepatch_meminfo/transition)" != 0 ]; do sleep 1; done
     echo 0 >/sys/kernel/tracing/events/enable; echo nop >/sys/kernel/tracing/current_tracer; rmmod livepatch_other`,
    'verify --running livepatch-meminfo.ko',
  ],
  ['loaded-module', '', 'verify --running --json livepatch-dummy.ko'],
  [
    'runs',
    `counts() { grep -h run_cnt /proc/$(cat /run/attach)/fdinfo/* | tr -dc '0-9\\n' | tr '\\n' ' '; echo; }
     counts; grep -c VMALLOCCHUNK /proc/meminfo; counts; exit 0`,
    '',
  ],
  [
    'locked',
    'mount -t securityfs security /sys/kernel/security; echo confidentiality >/sys/kernel/security/lockdown',
    'verify --running --json livepatch-dummy.ko',
  ],
] as const

export type LookName = (typeof looks)[number][0]

/** Builds the live patches, boots the kernel of `series` once and takes all looks. */
export async function lookAround(suite: string, work: string): Promise<ReadonlyMap<LookName, Look> & Places> {
  buildCommand()
  const kernel = await selectKernel(job, suite)
  const places = await buildPatches(kernel, work)
  const busybox = await findBusybox()
  const programs = {
    'bin/node': process.execPath,
    'work/attach': buildAttach(work),
    ...Object.fromEntries(librariesOf(process.execPath).map((library) => [library.slice(1), library])),
  }
  const file = (at: string, from: string): Entry => ({
    kind: 'file',
    path: at,
    bytes: readFileSync(from),
    mode: 0o755,
  })
  const dist = path.join(root, 'dist')
  const entries: Entry[] = [
    ...Object.entries(programs).map(([at, from]) => file(at, from)),
    ...['inarch.js', 'package.json'].map((name) => file(`inarch/dist/${name}`, path.join(dist, name))),
    ...readdirSync(path.join(dist, 'parts')).map((name) =>
      file(`inarch/dist/parts/${name}`, path.join(dist, 'parts', name)),
    ),
    ...readdirSync(work)
      .filter((name) => /^livepatch-.*\.(ko|json)$/.test(name))
      .map((name) => file(`work/${name}`, path.join(work, name))),
    { kind: 'file', path: 'work/inside', bytes: Buffer.from(`${places.inside}\n`) },
    ...(await moduleEntries(kernel, await gatherModules(kernel, ['dummy']))),
  ]
  const steps = looks.map(([name, before, words, first = '']) => {
    const node = `node --import 'data:text/javascript,${first}' /inarch/dist/inarch.js`
    const command = words === '' ? '' : `${node} ${words} --quiet 2>/run/errors`
    const script = `cd /work\n${before}\n${command}`.replaceAll("'", `'\\''`)
    const id = `module-first.check.${name}`
    return { id, title: name, script: `step ${id} checked module-first.check.${name} 120 sh -c '${script}'` }
  })
  const outputs = await withScratch(async (dir) => {
    const guest = {
      kernel,
      busybox,
      entries,
      disks: [],
      accelerator: await chooseAccelerator(job, kernel, busybox, 'auto'),
      cpus: 2,
      memory: 1024,
      parameters: [],
      timeout: 500,
      oopsEnds: true,
    }
    const { record, console } = await boot(job, guest, dir, [{ part: 0, order: 'module-first', steps }], new Map())
    expect(record.done, console.slice(-20).join('\n')).toBe(true)
    return record.parts[0]?.steps ?? []
  })
  const taken = new Map<LookName, Look>()
  for (const { title, output = { exitCode: -1, text: '' } } of outputs)
    taken.set(title as LookName, {
      ...output,
      json: output.text.startsWith('{') ? JSON.parse(output.text) : {},
    })
  return Object.assign(taken, places)
}

/** The shared libraries that a program asks for, with its loader. */
function librariesOf(program: string): string[] {
  const listed = execFileSync('ldd', [program], { encoding: 'utf8' })
  return [...listed.matchAll(/(\/\S+) \(0x/g)].flatMap(([, library]) => library ?? [])
}

/**
 * Makes `sleepers`, which replaces functions that tasks are in, `meminfo` and `dummy`, `other`, which replaces the same
 * function as `meminfo`, and `spoiled`.
 */
async function buildPatches(kernel: Kernel, work: string): Promise<Places> {
  const text = '"VmallocTotal:   %8lu kB\\n"'
  const from = {
    meminfo: writePatch(work, 'meminfo', kernel, 'fs/proc/meminfo.c', '"VmallocChunk:   "', '"VMALLOCCHUNK:   "'),
    other: writePatch(work, 'other', kernel, 'fs/proc/meminfo.c', text, text.replace('Total', 'TOTAL')),
    dummy: path.join(root, 'examples/dummy-count-drops.patch'),
  }
  const empty = '\t/* Null read succeeds. */\n'
  const portid = '\tu32 portid = 0;\n\tstruct net *net = NULL;'
  const sleepers = [
    writePatch(work, 'reader', kernel, 'fs/pipe.c', empty, `\tif (total_len == 4321)\n\t\treturn 0;\n${empty}`),
    writePatch(work, 'thread', kernel, 'kernel/audit.c', portid, portid.replace('0', '1')),
    '--allow',
    'never-finishes',
  ]
  for (const [name, patch] of Object.entries({ ...from, sleepers })) {
    const { code, stderr } = await inarch(
      ['build', ...[patch].flat(), '--kernel', kernel.release, '--name', name, '-o', work],
      { cwd: work },
    )
    expect(code, stderr).toBe(0)
  }
  return spoil(path.join(work, 'livepatch-meminfo'), path.join(work, 'livepatch-spoiled'))
}

/** Copies a live patch, with one bit of a number in the code that it expects changed. */
function spoil(from: string, to: string): Places {
  copyFileSync(`${from}.ko`, `${to}.ko`)
  const manifest = JSON.parse(readFileSync(`${from}.json`, 'utf8')) as Manifest
  const [replaced] = manifest.objects[0]?.functions ?? []
  if (replaced?.match === undefined) throw new Error('the manifest expects nothing')
  const [main, ...rest] = unpackExpectation(replaced.match.expected).parts
  const code = Buffer.from(main.code, 'base64')
  const instructions = instructionsOf(code)
  const numbered = instructions.find(
    ({ start, end, operands, branch, memory }) =>
      operands < end &&
      branch < 0 &&
      memory < 0 &&
      !main.fields.some(({ at }) => at >= start && at < end) &&
      !main.sites.some(({ at }) => at >= start && at < end),
  )
  // Behind ftrace's call (and the landing pad in front of it), so that no kprobe goes through ftrace there.
  const inside = instructions.find(({ start }) => start > 9)
  if (numbered === undefined || inside === undefined) throw new Error('the function is too short')
  code.writeUInt8(code.readUInt8(numbered.end - 1) ^ 1, numbered.end - 1)
  replaced.match.expected = packExpectation({ parts: [{ ...main, code: code.toString('base64') }, ...rest] })
  writeFileSync(`${to}.json`, JSON.stringify(manifest))
  return { inside: inside.start, spoiled: numbered.start }
}

function instructionsOf(code: Buffer): Instruction[] {
  const all: Instruction[] = []
  for (let at = 0; at < code.length; ) {
    const one = decodeInstruction(code, at)
    if (one === undefined) break
    all.push(one)
    at = one.end
  }
  return all
}

/** What is to be seen on a host with a kernel of `series`. */
export function testRunning(suite: string, work: string): void {
  let looks: Awaited<ReturnType<typeof lookAround>>
  const at = (name: LookName): Look => looks.get(name) ?? { exitCode: -1, text: '', json: {} as Look['json'] }
  const rules = (name: LookName) =>
    at(name)
      .json.findings.map(({ severity, rule }) => `${severity} ${rule}`)
      .sort()
  const hooks = (name: LookName) =>
    (at(name).json.functions[0]?.hooks ?? []).map(({ kind, name: called, offset, effect }) =>
      [kind, called ?? '-', offset > 9 ? 'inside' : 'entry', effect].join(' '),
    )

  beforeAll(async () => {
    looks = await lookAround(suite, work)
  }, 1_200_000)

  test('the code that it was made for matches memory, with what the kernel has rewritten in it', () => {
    const { json, exitCode, text } = at('clean')
    expect(exitCode, text).toBe(0)
    expect(json).toMatchObject({ format: 'inarch-running-1', verdict: 'ready', findings: [] })
    const [only, ...others] = json.functions
    expect(others).toEqual([])
    expect(only).toMatchObject({
      name: 'meminfo_proc_show',
      code: 'matches',
      comparedWith: 'memory',
      hooks: [],
    })
    expect(only?.rewritten).toBeGreaterThan(0)
    expect(json.references).toBeGreaterThan(0)
  })

  test('one bit of a number that differs is found, at its instruction', () => {
    const { json, exitCode } = at('spoiled')
    expect(exitCode).toBe(4)
    expect(json.verdict).toBe('differs')
    expect(json.functions[0]?.difference).toMatchObject({ offset: looks.spoiled, part: 0, why: 'operand' })
    expect(rules('spoiled')).toEqual(['error code-differs'])
  })

  test('a module that is not loaded is compared with its file, and with memory when it is', () => {
    expect(at('absent')).toMatchObject({ exitCode: 0, json: { verdict: 'ready' } })
    expect(at('absent').json.functions).toMatchObject([{ object: 'dummy', code: 'matches', comparedWith: 'file' }])
    expect(rules('absent')).toEqual(['note module-not-loaded'])
    expect(at('loaded-module').json.functions).toMatchObject([
      { object: 'dummy', code: 'matches', comparedWith: 'memory' },
    ])
  })

  test('who may not see the kernel is told so, in a sentence', () => {
    expect(at('nobody')).toMatchObject({ exitCode: 5, json: { error: { code: 'needs-root' } } })
  })

  test('kprobes, a tracer and BPF programs are named, and the code matches with all of them in it', () => {
    const { json, exitCode } = at('hooked')
    expect(exitCode).toBe(0)
    expect(json.verdict).toBe('ready')
    expect(json.functions[0]?.code).toBe('matches')
    expect(hooks('hooked').sort()).toEqual([
      expect.stringMatching(/^bpf bpf_prog_\w+_sees_entry entry goes-on$/),
      expect.stringMatching(/^bpf bpf_prog_\w+_sees_exit entry goes-on$/),
      'ftrace the tracer function entry goes-on',
      'kprobe kprobes/entry entry goes-on',
      'kprobe kprobes/inside inside falls-silent',
      'kretprobe kprobes/exit entry goes-on',
    ])
    expect(rules('hooked').filter((rule) => !rule.startsWith('note'))).toEqual(['warning probe-falls-silent'])
  })

  test('who sleeps in what a live patch replaces is forecast, and whether that ends', () => {
    const { json, exitCode, text } = at('sleeping')
    expect(exitCode, text).toBe(4)
    const forecast = json as unknown as HostForecast
    expect(forecast).toMatchObject({
      format: 'inarch-forecast-1',
      verdict: 'cannot-finish',
      looks: 5,
      loaded: 'absent',
      left: [],
      hidden: [],
      unseen: 0,
    })
    expect(forecast.tasks).toBeGreaterThan(30)
    const seen = forecast.sleeping.filter(({ seen: times }) => times === 5)
    expect(seen.map(({ name, kind, functions, outlook }) => ({ name, kind, functions, outlook }))).toEqual([
      { name: 'kauditd', kind: 'thread', functions: ['kauditd_thread'], outlook: 'stays' },
      { name: 'cat', kind: 'process', functions: ['pipe_read'], outlook: 'woken' },
    ])
    expect(at('awake')).toMatchObject({ exitCode: 0 })
    expect(at('awake').text).toContain('the transition will finish at once')
  })

  test('without tracefs and debugfs it tells what shows in memory, and what to mount', () => {
    expect(at('unlisted').json).toMatchObject({ verdict: 'ready' })
    expect(at('unlisted').json.functions[0]?.code).toBe('matches')
    expect(hooks('unlisted')).toContain('kprobe - inside falls-silent')
    expect(hooks('unlisted')).toContain('ftrace - entry goes-on')
    expect(rules('unlisted').filter((rule) => rule.includes('hooks-unseen'))).toHaveLength(2)
    expect(at('unlisted').text).toContain('mount -t tracefs tracefs /sys/kernel/tracing')
  })

  test('another live patch of the function is named, and what becomes of it', () => {
    expect(at('other').json).toMatchObject({ verdict: 'ready' })
    expect(hooks('other')).toContain('live-patch livepatch_other entry goes-on')
    expect(rules('other')).toContain('note replaces-live-patch')
    expect(rules('loaded-module')).toContain('warning replaces-live-patch')
  })

  test('the live patch at work is recognised, on a page for people', () => {
    const { text, exitCode } = at('at-work')
    expect(exitCode, text).toBe(0)
    expect(text).toContain('livepatch_meminfo on this host: is loaded and at work')
    expect(text).toMatch(/matches meminfo_proc_show of vmlinux/)
    expect(text).toContain('tainted: out-of-tree module, unsigned module, live patch')
    expect(text).not.toContain('livepatch_other')
  })

  test('the BPF programs really go on, and the new code answers', () => {
    const [before = '', lines, after = ''] = at('runs').text.trim().split('\n')
    const sum = (counts: string) => counts.split(' ').reduce((total, count) => total + Number(count), 0)
    expect(lines).toBe('1')
    expect(sum(after) - sum(before)).toBeGreaterThanOrEqual(2)
  })

  test('a kernel that is locked down says why nothing can be seen, and that it wants a signature', () => {
    expect(at('locked').exitCode).toBe(4)
    expect(at('locked').json.functions[0]).toMatchObject({ code: 'unseen' })
    expect(rules('locked')).toContain('warning memory-unseen')
    expect(rules('locked')).toContain('error needs-signature')
  })
}
