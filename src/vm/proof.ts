// SPDX-License-Identifier: GPL-3.0-or-later
// Proves live patches: boots the kernel that they were built for in a virtual machine, loads each, waits
// for the transition, checks, reverts, unloads, and watches the kernel's log all the while. Several are
// proven one after the other in one boot; after one that failed, the rest goes on in a fresh one.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { makeCore } from '../core/core-module.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import { defined } from '../ground/values/defined.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { type ProofForecast, proofForecast } from '../transition/proof-forecast.ts'
import { type Boot, boot, type Guest, left } from './boot.ts'
import { chooseAccelerator } from './guest/accel.ts'
import { guestPaths } from './guest/agent.ts'
import type { Entry } from './guest/cpio.ts'
import { findBusybox } from './guest/initramfs.ts'
import { consoleOf, type LogFinding, readLog } from './guest/log.ts'
import { type GuestModule, moduleEntries } from './guest/modules.ts'
import type { Accelerator } from './guest/qemu.ts'
import { stressEntries } from './guest/stress.ts'
import { systemCallProgram } from './guest/system-calls.ts'
import { exerciseLimit, exercises, type Staged, stage } from './guest-contents.ts'
import type { MachineRequest, ProofRequest } from './plan/request.ts'
import type { Order, Turn } from './plan/scenario.ts'
import { replacedNames, type Subject } from './plan/subject.ts'
import { clearedBy, inDoubt, taintFailures, taintInDoubt } from './verdict/baseline.ts'
import { type Coverage, coverageFailures, coveredFunctions, covers, untold } from './verdict/coverage.ts'
import {
  checkFailures,
  clearedNotes,
  earlyNotes,
  type Failure,
  logFailures,
  machineFailure,
  refusalNotes,
  refusedSteps,
  stepFailures,
  taintNotes,
} from './verdict/judge.ts'
import { lostFailures, missingSteps, replacementFailures } from './verdict/missing-evidence.ts'
import {
  type AsleepRecord,
  actionOf,
  orderOf,
  type RanRecord,
  type Replaced,
  type StepRecord,
} from './verdict/record.ts'

export interface OrderRecord {
  readonly order: Order
  readonly title: string
  readonly steps: readonly StepRecord[]
  /** Who slept in a replaced function before the live patch came, and whether the transition went accordingly. */
  readonly forecast?: ProofForecast
}

export interface ProvenModule {
  readonly name: string
  readonly file: string
  readonly sha256: string
}

/** What became of an older live patch, as the guest saw it. */
export type OlderOutcome = 'replaced' | 'kept' | 'unknown'

/** The whole result for one live patch; serialisable. */
export interface Proof {
  readonly format: 'inarch-proof-2'
  /** `loaded`: it was loaded and reverted, and that is all that was seen of it. */
  readonly verdict: 'proven' | 'loaded' | 'failed'
  readonly failures: readonly Failure[]
  /** What is worth knowing and no failure. */
  readonly notes: readonly string[]
  readonly module: ProvenModule
  /** The older live patches that were there before, and what became of them. */
  readonly over: readonly (ProvenModule & { readonly outcome: OlderOutcome })[]
  readonly kernel: { readonly release: string; readonly version: string }
  readonly machine: {
    readonly accelerator: Accelerator
    readonly cpus: number
    /** They ran one after the other, never two at once. */
    readonly inTurn?: true
    /** MiB */
    readonly memory: number
    /** Where it was chosen. */
    readonly processor?: string
    readonly parameters: readonly string[]
  }
  /** Boots in which it was tried. */
  readonly boots: number
  /** ms from the guest's first instruction to its init, of each boot. */
  readonly bootMs: readonly number[]
  readonly orders: readonly OrderRecord[]
  readonly replaced: readonly Omit<Replaced, 'order'>[]
  readonly coverage: Coverage
  /** Rounds that each background load went through. */
  readonly loads: readonly number[]
  readonly log: readonly LogFinding[]
  /** The guest's consoles; without what is about other live patches of the same boot. */
  readonly consoles: readonly (readonly string[])[]
  /** ms of wall time; where several live patches are proven together, of its own steps. */
  readonly ms: number
}

/** Codes of failures after which nothing more is done. */
const breaks: readonly string[] = ['boot', 'hang', 'crash', 'step']

const titles: Readonly<Record<Order, string>> = {
  'module-first': 'the module first, then the live patch',
  'patch-first': 'the live patch first, then the module',
}

/**
 * Boots `kernel` and proves the live patch on it. A failed proof is a result, not a fault.
 * @throws Fault `environment` when the machine lacks something, `usage` for a request that makes no sense
 */
export async function prove(job: Job, kernel: Kernel, request: ProofRequest & MachineRequest): Promise<Proof> {
  const began = performance.now()
  const [proof] = await proveMany(job, kernel, [request], request)
  if (proof === undefined) throw new Error('a proof has no result')
  return { ...proof, ms: performance.now() - began }
}

/**
 * Boots `kernel` and proves live patches on it one after the other, in one boot as long as none fails.
 * @returns a proof for each request, in their order
 * @throws as `prove`
 */
export async function proveMany(
  job: Job,
  kernel: Kernel,
  requests: readonly ProofRequest[],
  machine: MachineRequest = {},
): Promise<Proof[]> {
  const exercised = requests.filter(exercises)
  const timeout =
    machine.timeout ??
    180 +
      30 * Math.max(0, requests.length - 1) +
      exercised.reduce((sum, { exerciseLimit: own = exerciseLimit }) => sum + 4 * own, 0)
  const limit = Math.max(5, Math.min(60, Math.floor(timeout / 3)))
  const memory = machine.memory ?? 512
  const disks: string[] = []
  const deviceOf = (type: string) => {
    if (!disks.includes(type)) disks.push(type)
    return `/dev/vd${String.fromCharCode(97 + disks.indexOf(type))}`
  }
  // A small guest would have no memory left.
  const stress = exercised.length > 0 && memory >= 384 ? await stressEntries(job.signal) : undefined
  // A toolchain in the cache has no C library to link with.
  const calls =
    exercised.length > 0
      ? await systemCallProgram(kernel.toolchain === undefined ? kernel.compiler.program : 'gcc', job.signal)
      : undefined
  const equipment = { stressNg: stress !== undefined, calls: calls !== undefined }
  const staged: Staged[] = []
  for (const [part, request] of requests.entries())
    staged.push(await stage(kernel, request, part, deviceOf, limit, equipment))
  const busybox = await findBusybox(job.signal)
  const guest: Guest = {
    kernel,
    busybox,
    entries: [
      ...entriesOf(staged),
      ...(await coreEntries(job, kernel, requests)),
      ...(stress ?? []),
      ...(calls ? [calls] : []),
      ...(await moduleEntries(kernel, modulesOf(staged))),
    ],
    disks,
    accelerator: await chooseAccelerator(job, kernel, busybox, machine.accelerator ?? 'auto'),
    cpus: machine.cpus ?? 2,
    memory,
    ...(machine.processor === undefined ? {} : { processor: machine.processor }),
    parameters: machine.parameters ?? [],
    timeout,
    // Unless the user wants to see one.
    oopsEnds: requests.every(({ expected = [] }) => expected.length === 0),
  }
  return withScratch(async (dir) => {
    const boots = await bootAll(job, guest, dir, staged)
    const proofs: Proof[] = []
    for (const [part, one] of staged.entries()) {
      const proof = proofOf(guest, one, part, boots, undefined)
      const doubtful = proof.verdict === 'failed' && (proof.log.some(inDoubt) || proof.failures.some(taintInDoubt))
      proofs.push(doubtful ? proofOf(guest, one, part, boots, await bootBaseline(job, guest, dir, one)) : proof)
    }
    return proofs
  })
}

/** The core, where one of the live patches is carried by it. */
async function coreEntries(job: Job, kernel: Kernel, requests: readonly ProofRequest[]): Promise<Entry[]> {
  const patches = requests.flatMap(({ subject, over = [] }) => [subject, ...over])
  if (patches.every(({ model }) => model === 'kernel')) return []
  const { bytes } = await makeCore(job, kernel)
  return [{ kind: 'file', path: guestPaths.core, bytes }]
}

/** A boot with the exercises of one proof, without its live patch. */
async function bootBaseline(job: Job, guest: Guest, dir: string, { baseline, request }: Staged): Promise<Boot> {
  const own = path.join(dir, `baseline-${baseline.part}`)
  await mkdir(own)
  const names = new Map([
    [baseline.part, `the exercises without ${request.subject.name}`],
    // One step for all of it, as of one among several.
    [-1, ''],
  ])
  return await boot(job, guest, own, [baseline], names)
}

/** Boots until every turn was taken, or can't be. */
async function bootAll(job: Job, guest: Guest, dir: string, staged: readonly Staged[]): Promise<Boot[]> {
  const boots: Boot[] = []
  const start = async (turns: readonly Turn[]) => {
    const own = path.join(dir, String(boots.length))
    await mkdir(own)
    const names = new Map(turns.map(({ part }) => [part, staged[part]?.request.subject.name ?? ''] as const))
    const done = await boot(job, guest, own, turns, names)
    boots.push(done)
    return done
  }
  let waiting = staged.flatMap(({ turns }) => turns)
  while (waiting.length > 0) {
    let last: Boot = await start(waiting)
    // The live patch was not there yet: an emulated machine may trip over a busy host.
    if (last.record.release === undefined && !last.end.timedOut) last = await start(waiting)
    const next = left(last)
    if (next.length === waiting.length) break
    waiting = next
  }
  return boots
}

/** What the guest has of all proofs; a program that several bring is there once. */
function entriesOf(staged: readonly Staged[]): Entry[] {
  const byPath = new Map<string, Entry>()
  for (const entry of staged.flatMap(({ entries }) => entries)) {
    const known = byPath.get(entry.path)
    if (known?.kind === 'file' && entry.kind === 'file' && Buffer.compare(known.bytes, entry.bytes) !== 0)
      throw new Fault('usage', 'same-name', `Two programs for the guest are called ${entry.path}`, {
        remedy: 'Give one of them another name',
      })
    byPath.set(entry.path, entry)
  }
  return [...byPath.values()]
}

function modulesOf(staged: readonly Staged[]): GuestModule[] {
  const byName = new Map<string, GuestModule>()
  for (const module of staged.flatMap(({ modules }) => modules))
    if (!byName.has(module.name)) byName.set(module.name, module)
  return [...byName.values()]
}

/**
 * What the boots tell about one of the live patches.
 * @param baseline a boot without it
 */
function proofOf(
  guest: Guest,
  staged: Staged,
  part: number,
  boots: readonly Boot[],
  baseline: Boot | undefined,
): Proof {
  const { kernel } = guest
  const { subject, over = [], checks = [], expected = [] } = staged.request
  const failures: Failure[] = []
  const notes = [...staged.notes]
  const logs: LogFinding[] = []
  const consoles: string[][] = []
  const steps: StepRecord[] = []
  const loads: number[] = []
  const replaced: Replaced[] = []
  const asleep: AsleepRecord[] = []
  const ran: RanRecord[] = []
  const bootMs: number[] = []
  for (const [index, { turns, record, end, console }] of boots.entries()) {
    const mine = record.parts.find((one) => one.part === part)
    const wanted = turns.filter((turn) => turn.part === part)
    // A boot that came to none of its parts is everyone's.
    if (wanted.length === 0 || (mine === undefined && record.parts.length > 0)) continue
    const { release } = record
    if (release === undefined && !end.timedOut && boots[index + 1]?.turns.length === turns.length) {
      notes.push('the guest died while it booted; it was tried once more')
      continue
    }
    const own = consoleOf(console, part)
    const { log, cleared } = clearedBy(baseline?.console ?? [], readLog(own, expected))
    notes.push(...clearedNotes(cleared))
    const titleOf = (step: string) => wanted.flatMap((turn) => turn.steps).find(({ id }) => id === step)?.title ?? step
    const refused = refusedSteps(mine?.steps ?? [], log)
    const troubles = logFailures(log, titleOf, refused)
    const machine = machineFailure(record, mine, end, own, guest.timeout)
    // What the log shows, expected or not, has tainted the kernel too.
    const explained = log.filter(({ step }) => step !== undefined).length > cleared.length
    const tainted = taintFailures(
      mine ?? { taint: [], steps: [] },
      explained,
      baseline?.record.parts.at(-1),
      (index) => staged.exercises[index]?.name ?? '',
    )
    notes.push(...taintNotes(tainted.cleared))
    if (release !== undefined && release !== kernel.release)
      failures.push({ code: 'boot', message: `The guest runs ${release} instead of ${kernel.release}` })
    failures.push(
      // The log tells better than the console's last lines why the guest died.
      ...(machine ? [troubles.length > 0 ? { ...machine, lines: [] } : machine] : []),
      ...lostFailures(record),
      ...stepFailures(mine?.steps ?? [], refused),
      ...checkFailures(mine?.steps ?? [], checks, staged.restores),
      ...troubles,
      ...tainted.failures,
    )
    if (machine === undefined && record.noise.length > 0)
      notes.push(`the guest's control channel carried ${record.noise.length} lines that are no events`)
    notes.push(...refusalNotes(mine?.steps ?? []))
    if (mine?.stays)
      notes.push(`${mine.stays.module} could not be unloaded (${mine.stays.reason || 'no reason given'})`)
    steps.push(...(mine?.steps ?? []))
    loads.push(...(mine?.loads ?? []))
    replaced.push(...(mine?.replaced ?? []))
    asleep.push(...(mine?.asleep ?? []))
    ran.push(...(mine?.ran ?? []))
    bootMs.push(record.boot.ms)
    logs.push(...log)
    consoles.push(own)
  }
  notes.push(...earlyNotes(logs))
  // Where the proof broke off, what was not seen needs no second word.
  const broken = failures.some(({ code }) => breaks.includes(code))
  const ofModules = [subject, ...over].some(({ targets }) => targets.length > 0)
  const orders = staged.turns.map((turn): OrderRecord => {
    const { order } = turn
    const own = steps.filter(({ id }) => orderOf(id) === order)
    const title = ofModules ? titles[order] : 'load and revert'
    if (!broken) failures.push(...missingSteps(turn, own))
    const told = replaced.filter((one) => one.order === order)
    if (!broken) failures.push(...untold(staged.functions, ran, order))
    if (!broken || told.length > 0) failures.push(...replacementFailures(subject, told, title))
    const before = asleep.findLast((one) => one.order === order)
    const forecast =
      before &&
      proofForecast(
        before,
        own.find(({ id }) => actionOf(id) === 'transition'),
        replacedNames(subject),
        staged.hidden,
        new Set(over.map(({ name }) => name)),
      )
    return { order, title, steps: own, ...defined({ forecast }) }
  })
  const coverage: Coverage = {
    functions: coveredFunctions(staged.functions, ran),
    checked: staged.checked,
    exercises: [
      ...new Set(
        steps.flatMap(({ exercises: begun = [] }) => begun.map(({ index }) => staged.exercises[index]?.name ?? '')),
      ),
    ],
  }
  if (staged.request.requireCoverage === true && !broken) failures.push(...coverageFailures(coverage))
  const { accelerator, cpus, memory, processor, parameters } = guest
  return {
    format: 'inarch-proof-2',
    verdict: failures.length > 0 ? 'failed' : covers(coverage) ? 'proven' : 'loaded',
    failures,
    notes,
    module: provenModule(subject),
    over: over.map((one, index) => ({ ...provenModule(one), outcome: olderOutcome(orders, index) })),
    kernel: { release: kernel.release, version: kernel.version },
    machine: {
      accelerator,
      cpus,
      ...(boots.some(({ end }) => end.inTurn) ? { inTurn: true } : {}),
      memory,
      ...defined({ processor }),
      parameters,
    },
    boots: consoles.length,
    bootMs,
    orders,
    replaced: unique(replaced),
    coverage,
    loads,
    log: logs,
    consoles,
    ms: steps.reduce((sum, { ms }) => sum + ms, 0),
  }
}

function provenModule({ name, file, sha256 }: Subject): ProvenModule {
  return { name, file: path.basename(file), sha256 }
}

/** What became of the older live patch with this index in every order. */
function olderOutcome(orders: readonly OrderRecord[], index: number): OlderOutcome {
  const seen = orders.map(({ steps }): OlderOutcome => {
    const done = (action: string) =>
      steps.some(({ id, outcome }) => outcome === 'done' && actionOf(id).startsWith(`older.${index}.${action}`))
    if (done('replaced')) return 'replaced'
    return done('unload') ? 'kept' : 'unknown'
  })
  const [first = 'unknown', ...others] = seen
  return others.every((other) => other === first) ? first : 'unknown'
}

/** The two orders tell the same functions twice. */
function unique(replaced: readonly Replaced[]): Proof['replaced'] {
  const byName = new Map<string, Proof['replaced'][number]>()
  for (const { order: _, ...one } of replaced) {
    const key = `${one.object}:${one.name},${one.sympos}`
    if (byName.get(key)?.active !== false) byName.set(key, one)
  }
  return [...byName.values()]
}
