// SPDX-License-Identifier: GPL-3.0-or-later
// Proves a live patch: boots the kernel that it was built for in a virtual machine, loads it, waits for
// the transition, checks, reverts, unloads, and watches the kernel's log all the while.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { chooseAccelerator } from './accel.ts'
import { type Check, expectedIn, labelOf } from './check.ts'
import type { Entry } from './cpio.ts'
import { canMakeDisk, fileSystemModule, fileSystems, fileSystemWishes, makeDisk } from './disk.ts'
import { guestInit, guestLoad, guestPaths } from './guest.ts'
import { findBusybox, writeInitramfs } from './initramfs.ts'
import { consoleLines, type LogFinding, readLog, unexpectedTaint } from './log.ts'
import { gatherModules, moduleEntries } from './modules.ts'
import { parseEvent } from './protocol.ts'
import { type Accelerator, consoleTail, type MachineEnd, runMachine } from './qemu.ts'
import {
  actionOf,
  type BootRecord,
  openRecorder,
  type Replaced,
  type StepRecord,
  waitsFor,
} from './record.ts'
import {
  type Order,
  type Phase,
  type Plan,
  type PlannedPatch,
  type PlannedStep,
  patchPath,
  planOrder,
  scenarioScript,
} from './scenario.ts'
import type { Subject } from './subject.ts'

export interface ProofRequest {
  readonly subject: Subject
  /** Older live patches that are there before it, in the order in which they are loaded. */
  readonly over?: readonly Subject[]
  readonly checks?: readonly Check[]
  /** A program that runs in the guest with the argument `before`, `after` or `reverted`, and must exit 0. */
  readonly script?: string
  /** Commands that are repeated in the background from before the live patch comes until it has gone. */
  readonly loads?: readonly string[]
  /** A file system to mount at /mnt; chosen by the patched module when not given. */
  readonly fileSystem?: string
  /** Lines of the kernel's log that are no failure. */
  readonly expected?: readonly RegExp[]
  /** MiB; default 512 */
  readonly memory?: number
  /** default 2 */
  readonly cpus?: number
  /** Seconds for each boot, all in all; default 180. */
  readonly timeout?: number
  /** default `auto` */
  readonly accelerator?: 'auto' | Accelerator
}

/** Why the proof failed. */
export interface Failure {
  /** `boot`, `hang`, `crash`, `step`, `check`, `log`, `taint`, `coverage`. */
  readonly code: string
  /** One sentence without a full stop. */
  readonly message: string
  readonly step?: string
  readonly lines?: readonly string[]
}

export interface OrderRecord {
  readonly order: Order
  readonly title: string
  readonly steps: readonly StepRecord[]
}

export interface ProvenModule {
  readonly name: string
  readonly file: string
  readonly sha256: string
}

/** What became of an older live patch, as the guest saw it. */
export type OlderOutcome = 'replaced' | 'kept' | 'unknown'

/** The whole result; serialisable. */
export interface Proof {
  readonly format: 'inarch-proof-1'
  readonly verdict: 'proven' | 'failed'
  readonly failures: readonly Failure[]
  /** What is worth knowing and no failure. */
  readonly notes: readonly string[]
  readonly module: ProvenModule
  /** The older live patches that were there before, and what became of them. */
  readonly over: readonly (ProvenModule & { readonly outcome: OlderOutcome })[]
  readonly kernel: { readonly release: string; readonly version: string }
  readonly machine: { readonly accelerator: Accelerator; readonly cpus: number; readonly memory: number }
  readonly boots: number
  /** ms from the guest's first instruction to its init, of each boot. */
  readonly bootMs: readonly number[]
  readonly orders: readonly OrderRecord[]
  readonly replaced: readonly Replaced[]
  /** Rounds that each background load went through. */
  readonly loads: readonly number[]
  readonly log: readonly LogFinding[]
  /** The guest's consoles. */
  readonly consoles: readonly (readonly string[])[]
  /** ms of wall time */
  readonly ms: number
}

const titles: Readonly<Record<Order, string>> = {
  'module-first': 'the module first, then the live patch',
  'patch-first': 'the live patch first, then the module',
}

/** File systems whose code is in more modules than their own. */
const fileSystemOf: Readonly<Record<string, string>> = { fat: 'vfat', jbd2: 'ext4', mbcache: 'ext4' }

/** How a person calls what a rule of the kernel log finds. */
const named: Readonly<Record<string, string>> = {
  warning: 'a warning',
  bug: 'a bug',
  oops: 'an oops',
  panic: 'a panic',
  lockup: 'a lockup',
  stall: 'an RCU stall',
  'hung-task': 'a hung task',
  lockdep: 'a locking problem',
  livepatch: 'a livepatch error',
  module: 'a module error',
  'file-system': 'a file system error',
  trace: 'a call trace',
}

/** How many of a console's last lines a failure shows. */
const shownLines = 25

interface Boot {
  readonly record: BootRecord
  readonly end: MachineEnd
  readonly console: readonly string[]
  readonly planned: readonly PlannedStep[]
}

/** The file system that the guest mounts, if any. */
async function chooseFileSystem(
  request: ProofRequest,
  patched: readonly string[],
  notes: string[],
): Promise<string | undefined> {
  if (request.fileSystem !== undefined) {
    if (!fileSystems.includes(request.fileSystem))
      throw new Fault(
        'usage',
        'file-system-unknown',
        `A proof can't bring the file system ${request.fileSystem}`,
        {
          remedy: `Choose one of ${fileSystems.join(', ')}`,
        },
      )
    return request.fileSystem
  }
  for (const target of patched) {
    const type = fileSystemOf[target] ?? target
    if (!fileSystems.includes(type)) continue
    if (await canMakeDisk(type)) return type
    notes.push(`no ${type} file system was mounted: its mkfs is not installed`)
  }
  return undefined
}

/** What went wrong in the machine itself, if anything did: no boot, a hang, a crash. */
function machineFailure(boot: Boot, timeout: number): Failure | undefined {
  const { record, end, console } = boot
  const lines = console.slice(-shownLines)
  const last = record.steps.at(-1)
  if (record.done || record.stays !== undefined || last?.outcome === 'failed') return undefined
  if (record.release === undefined) {
    const what = end.timedOut ? `did not come up within ${timeout} s` : 'ended before its init ran'
    return { code: 'boot', message: `The guest ${what}`, lines: [...end.messages, ...lines] }
  }
  const sample = last?.samples?.at(-1)
  const waiting = sample === undefined ? '' : ` (${waitsFor(sample.left, sample.total)})`
  const where = last === undefined ? '' : ` during "${last.title}"${waiting}`
  const step = last === undefined ? {} : { step: last.id }
  const overdue = end.timedOut || console.some((line) => line.includes('inarch: the time is over'))
  if (overdue)
    return {
      code: 'hang',
      message: `The guest hung${where} and was killed after ${timeout} s`,
      ...step,
      lines,
    }
  return { code: 'crash', message: `The guest died${where}`, ...step, lines }
}

function stepFailures(steps: readonly StepRecord[]): Failure[] {
  return steps.flatMap((step): Failure[] => {
    if (step.outcome !== 'failed') return []
    const [first = '', ...rest] = (step.reason ?? '').split('\n')
    const lines = [...rest, ...(step.stuck ?? '').split('\n')].filter((line) => line !== '')
    const left = step.samples?.at(-1)?.left
    const tasks = left === undefined ? '' : `; ${left} ${left === 1 ? 'task is' : 'tasks are'} left`
    return [{ code: 'step', message: `"${step.title}" failed: ${first}${tasks}`, step: step.id, lines }]
  })
}

function checkFailures(steps: readonly StepRecord[], checks: readonly Check[], restores: boolean): Failure[] {
  return steps.flatMap((step): Failure[] => {
    const [, phase, index] = /^check\.(before|after|reverted)\.(\d+|script)$/.exec(actionOf(step.id)) ?? []
    if (phase === undefined || step.output === undefined) return []
    const { exitCode, text } = step.output
    const lines = text.trimEnd().split('\n').slice(-shownLines)
    const killed = exitCode === 137 ? ' (it was killed at its time limit)' : ''
    const failure = (what: string): Failure[] => [
      { code: 'check', message: `"${step.title}" ${what}`, step: step.id, lines },
    ]
    if (index === 'script') return exitCode === 0 ? [] : failure(`ended with exit code ${exitCode}${killed}`)
    const check = checks[Number(index)]
    const expectation = check && expectedIn(check, phase as Phase, restores)
    if (expectation === undefined || expectation.matches(text)) return []
    return failure(`did not print ${JSON.stringify(expectation.text)}${killed}`)
  })
}

/** The guest's kernel must replace just what the manifest says. */
function coverageFailures(subject: Subject, replaced: readonly Replaced[]): Failure[] {
  const idle = replaced.filter(({ active }) => active === false)
  const failures = idle.map(
    ({ object, name }): Failure => ({
      code: 'coverage',
      message: `${name} of ${object} is not replaced although the live patch is loaded`,
    }),
  )
  if (subject.manifest === undefined || replaced.length === 0) return failures
  const told = new Set(
    subject.manifest.objects.flatMap(({ name: object, functions }) =>
      functions.map(({ name, sympos }) => `${object}:${name},${sympos || 1}`),
    ),
  )
  const seen = new Set(replaced.map(({ object, name, sympos }) => `${object}:${name},${sympos}`))
  for (const name of told)
    if (!seen.has(name))
      failures.push({
        code: 'coverage',
        message: `The manifest says that ${name} is replaced, the kernel does not`,
      })
  for (const name of seen)
    if (!told.has(name))
      failures.push({
        code: 'coverage',
        message: `The kernel says that ${name} is replaced, the manifest does not`,
      })
  return failures
}

function logFailures(log: readonly LogFinding[], titleOf: (step: string) => string): Failure[] {
  return log
    .filter(({ step, expected }) => step !== undefined && !expected)
    .map(({ rule, step = '', lines }, index, all) => ({
      code: 'log',
      message: `The kernel log shows ${named[rule] ?? rule} during "${titleOf(step)}"`,
      step,
      // Trouble brings trouble: what follows in the same step is told in one line.
      lines: all.findIndex((other) => other.step === step) === index ? lines : lines.slice(0, 1),
    }))
}

/**
 * The live patch and those that are there before it, as the guest loads them.
 * @throws Fault `usage` when they can't be loaded together on `kernel`
 */
function plannedPatches(kernel: Kernel, { subject, over = [] }: ProofRequest): Pick<Plan, 'patch' | 'over'> {
  const names = new Set<string>()
  const planned = (one: Subject): PlannedPatch => {
    if (one.release !== kernel.release)
      throw new Fault(
        'usage',
        'other-kernel',
        `The live patch ${one.name} was built for ${one.release}, not for ${kernel.release}`,
        { remedy: 'Leave --kernel out, or build the live patch for that kernel' },
      )
    if (names.has(one.name))
      throw new Fault('usage', 'same-name', `Two of the live patches are called ${one.name}`, {
        remedy: 'Build one of them with another --name',
      })
    names.add(one.name)
    if (one.manifest === undefined && over.length > 0)
      throw new Fault(
        'usage',
        'manifest-needed',
        `Without the manifest of ${one.name} nobody knows whether it replaces earlier live patches`,
        { remedy: `Put the manifest that \`inarch build\` made beside ${one.file}` },
      )
    return { name: one.name, replace: one.manifest?.replace === true }
  }
  return { over: over.map(planned), patch: planned(subject) }
}

/**
 * Boots `kernel` and proves the live patch on it. A failed proof is a result, not a fault.
 * @throws Fault `environment` when the machine lacks something, `usage` for a request that makes no sense
 */
export async function prove(job: Job, kernel: Kernel, request: ProofRequest): Promise<Proof> {
  const began = performance.now()
  const { subject, over = [] } = request
  const checks = request.checks ?? []
  const loads = request.loads ?? []
  const expected = request.expected ?? []
  const timeout = request.timeout ?? 180
  const cpus = request.cpus ?? 2
  const memory = request.memory ?? 512
  const patches = plannedPatches(kernel, request)
  const patched = [...new Set([subject, ...over].flatMap(({ targets }) => targets))]
  /** Whether the revert brings back what was there before: what was replaced is gone for good. */
  const restores = over.length === 0 || !patches.patch.replace
  const notes: string[] = []
  for (const check of checks)
    if (!restores && check.before !== undefined && check.reverted === undefined)
      notes.push(
        `what "${labelOf(check)}" prints when the live patch is reverted was not judged: ` +
          'the older live patches are gone then (--reverted says what to expect)',
      )
  const busybox = await findBusybox(job.signal)
  const accelerator = await chooseAccelerator(job, kernel, busybox, request.accelerator ?? 'auto')
  const fileSystem = await chooseFileSystem(request, patched, notes)

  const boots = await withScratch(async (dir) => {
    const disk = fileSystem === undefined ? undefined : path.join(dir, 'disk')
    const targets = (await gatherModules(kernel, patched)).map(({ name }) => name)
    const own = new Set(patched.map((name) => name.replaceAll('-', '_')))
    const storage = disk === undefined ? [] : await gatherModules(kernel, ['virtio_pci', 'virtio_blk'])
    const mounted =
      fileSystem === undefined ? [] : await gatherModules(kernel, [fileSystemModule(fileSystem)])
    const brought = await gatherModules(kernel, [
      ...storage.map(({ name }) => name),
      ...targets,
      ...mounted.map(({ name }) => name),
    ])
    // For what the kernel asks modprobe for by itself.
    const carried = await gatherModules(
      kernel,
      brought.map(({ name }) => name),
      fileSystem === undefined ? [] : fileSystemWishes(fileSystem),
    )
    const plan: Plan = {
      ...patches,
      modules: brought.map(({ name, path }) => ({ name, path })),
      targets: brought.map(({ name }) => name).filter((name) => own.has(name)),
      // What stands on a patched module has to go before it.
      removed: brought
        .filter(({ name, before }) => own.has(name) || before.some((needed) => own.has(needed)))
        .map(({ name }) => name)
        .reverse(),
      ...(fileSystem === undefined ? {} : { mount: { type: fileSystem, device: '/dev/vda' } }),
      commands: checks.map((check) => ({ command: check.command, label: labelOf(check) })),
      script: request.script !== undefined,
      loads: loads.length,
      transitionLimit: Math.max(5, Math.min(60, Math.floor(timeout / 3))),
      checkLimit: Math.max(5, Math.min(60, Math.floor(timeout / 3))),
    }
    const entries: Entry[] = [
      ...[subject, ...over].map(({ name, bytes }): Entry => ({ kind: 'file', path: patchPath(name), bytes })),
      { kind: 'file', path: guestPaths.load, bytes: Buffer.from(guestLoad), mode: 0o755 },
      ...loads.map(
        (text, index): Entry => ({
          kind: 'file',
          path: `${guestPaths.loads}/${index}`,
          bytes: Buffer.from(`${text}\n`),
        }),
      ),
      ...(request.script === undefined
        ? []
        : [
            {
              kind: 'file',
              path: guestPaths.script,
              bytes: await readScript(request.script),
              mode: 0o755,
            } as const,
          ]),
      ...(await moduleEntries(kernel, carried)),
    ]
    const run = async (orders: readonly Order[], name: string): Promise<Boot> => {
      const planned = orders.flatMap((order) => planOrder(plan, order))
      const initramfs = path.join(dir, `${name}.initramfs`)
      const consoleFile = path.join(dir, `${name}.console`)
      const scenario: Entry = {
        kind: 'file',
        path: guestPaths.scenario,
        bytes: Buffer.from(scenarioScript(planned)),
      }
      await writeInitramfs(initramfs, busybox, guestInit(timeout), [...entries, scenario])
      if (disk !== undefined && fileSystem !== undefined) await makeDisk(disk, fileSystem, job.signal)
      const recorder = await openRecorder(job, planned, parseEvent)
      const timer = setInterval(() => {
        void consoleTail(consoleFile, 1).then(([line]) => recorder.progress(line ?? ''))
      }, 500)
      let end: MachineEnd
      try {
        end = await runMachine(
          {
            image: kernel.image,
            initramfs,
            ...(disk === undefined ? {} : { disk }),
            accelerator,
            cpus,
            memory,
            // An oops ends the guest at once, unless the user wants to see one.
            parameters: [
              'hung_task_panic=1',
              'softlockup_panic=1',
              ...(expected.length > 0 ? [] : ['oops=panic']),
            ],
            consoleFile,
            timeout: timeout * 1000,
          },
          (line) => recorder.take(line),
          job.signal,
        )
      } finally {
        clearInterval(timer)
      }
      const record = await recorder.close()
      const text = await readFile(consoleFile, 'utf8').catch(() => '')
      return { record, end, planned, console: consoleLines(text) }
    }
    const orders: Order[] = plan.targets.length > 0 ? ['module-first', 'patch-first'] : ['module-first']
    let first = await run(orders, 'first')
    if (first.record.release === undefined && !first.end.timedOut) {
      // The live patch was not there yet: an emulated machine may trip over a busy host.
      notes.push('the guest died while it booted; it was tried once more')
      first = await run(orders, 'again')
    }
    const { stays } = first.record
    if (stays === undefined) return [first]
    notes.push(`${stays.module} could not be unloaded (${stays.reason || 'no reason given'})`)
    const begun = first.record.steps.some(({ id }) => id.startsWith('patch-first.'))
    return orders.length > 1 && !begun ? [first, await run(['patch-first'], 'second')] : [first]
  })

  const failures: Failure[] = []
  const logs: LogFinding[] = []
  for (const boot of boots) {
    const { record } = boot
    const log = readLog(boot.console, expected)
    logs.push(...log)
    const [before = 0] = record.taint
    const tainted = unexpectedTaint(before, record.taint.at(-1) ?? before)
    const troubles = logFailures(log, (step) => boot.planned.find(({ id }) => id === step)?.title ?? step)
    const machine = machineFailure(boot, timeout)
    if (record.release !== undefined && record.release !== kernel.release)
      failures.push({
        code: 'boot',
        message: `The guest runs ${record.release} instead of ${kernel.release}`,
      })
    failures.push(
      // The log tells better than the console's last lines why the guest died.
      ...(machine ? [troubles.length > 0 ? { ...machine, lines: [] } : machine] : []),
      ...stepFailures(record.steps),
      ...checkFailures(record.steps, checks, restores),
      ...troubles,
    )
    // What the log shows, expected or not, has tainted the kernel too.
    if (tainted.length > 0 && log.every(({ step }) => step === undefined))
      failures.push({ code: 'taint', message: `The guest's kernel is tainted: ${tainted.join(', ')}` })
    if (machine === undefined && record.noise.length > 0)
      notes.push(`the guest's control channel carried ${record.noise.length} lines that are no events`)
  }
  const early = logs.filter(({ step }) => step === undefined)
  for (const { rule, line } of early)
    notes.push(
      `the kernel log shows ${named[rule] ?? rule} before the live patch came (console line ${line})`,
    )
  const replaced = unique(boots.flatMap(({ record }) => record.replaced))
  failures.push(...coverageFailures(subject, replaced))
  const orderRecords = (['module-first', 'patch-first'] as const).flatMap((order): OrderRecord[] => {
    const steps = boots.flatMap(({ record }) => record.steps.filter(({ id }) => id.startsWith(`${order}.`)))
    const wanted = boots.some(({ planned }) => planned.some(({ id }) => id.startsWith(`${order}.`)))
    if (!wanted) return []
    if (steps.length === 0 && failures.length === 0)
      failures.push({ code: 'step', message: `The order "${titles[order]}" was not reached` })
    return [{ order, title: patched.length > 0 ? titles[order] : 'load and revert', steps }]
  })
  return {
    format: 'inarch-proof-1',
    verdict: failures.length === 0 ? 'proven' : 'failed',
    failures,
    notes,
    module: provenModule(subject),
    over: over.map((one, index) => ({ ...provenModule(one), outcome: olderOutcome(orderRecords, index) })),
    kernel: { release: kernel.release, version: kernel.version },
    machine: { accelerator, cpus, memory },
    boots: boots.length,
    bootMs: boots.map(({ record }) => record.steps[0]?.ms ?? 0),
    orders: orderRecords,
    replaced,
    loads: boots.flatMap(({ record }) => record.loads),
    log: logs,
    consoles: boots.map(({ console }) => console),
    ms: performance.now() - began,
  }
}

function provenModule({ name, file, sha256 }: Subject): ProvenModule {
  return { name, file: path.basename(file), sha256 }
}

/** What became of the older live patch with this index in every order. */
function olderOutcome(orders: readonly OrderRecord[], index: number): OlderOutcome {
  const seen = orders.map(({ steps }): OlderOutcome => {
    const done = (action: string) =>
      steps.some(
        ({ id, outcome }) => outcome === 'done' && actionOf(id).startsWith(`older.${index}.${action}`),
      )
    if (done('replaced')) return 'replaced'
    return done('unload') ? 'kept' : 'unknown'
  })
  const [first = 'unknown', ...others] = seen
  return others.every((other) => other === first) ? first : 'unknown'
}

/** The two orders tell the same functions twice. */
function unique(replaced: readonly Replaced[]): Replaced[] {
  const byName = new Map<string, Replaced>()
  for (const one of replaced) {
    const key = `${one.object}:${one.name},${one.sympos}`
    if (byName.get(key)?.active !== false) byName.set(key, one)
  }
  return [...byName.values()]
}

async function readScript(file: string): Promise<Buffer> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'EISDIR')
      throw new Fault('usage', 'no-such-file', `There is no script ${file}`)
    throw error
  })
}
