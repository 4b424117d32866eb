// SPDX-License-Identifier: GPL-3.0-or-later
// What one proof needs inside the guest: its plan, its files, the kernel's modules, a disk.
import path from 'node:path'
import { Fault } from '../ground/fault.ts'
import { inputKinds, readInput } from '../ground/input.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { schedulerFunctionsOf } from '../transition/proof-forecast.ts'
import { partPaths } from './guest/agent.ts'
import type { Entry } from './guest/cpio.ts'
import { canMakeDisk, fileSystemModule, fileSystems, fileSystemWishes } from './guest/disk.ts'
import { type GuestModule, gatherModules } from './guest/modules.ts'
import { labelOf } from './plan/check.ts'
import { type Equipment, type Exercise, exerciseModules, exercisesFor, patchedFileSystems } from './plan/exercise.ts'
import { type Replacement, replacementsOf } from './plan/replacement.ts'
import type { ProofRequest } from './plan/request.ts'
import { type Order, type Plan, type PlannedPatch, planBaseline, planOrder, type Turn } from './plan/scenario.ts'
import { replacedNames, type Subject } from './plan/subject.ts'
import { isChecked } from './verdict/coverage.ts'

/** One proof, ready for a boot. */
export interface Staged {
  readonly request: ProofRequest
  readonly turns: readonly Turn[]
  /** Its exercises, without the live patch. */
  readonly baseline: Turn
  readonly entries: readonly Entry[]
  /** The kernel's modules that the guest must have. */
  readonly modules: readonly GuestModule[]
  /** Whether the revert brings back what was there before: what was replaced is gone for good. */
  readonly restores: boolean
  readonly notes: readonly string[]
  /** The functions that are replaced. */
  readonly functions: readonly Replacement[]
  readonly checked: boolean
  /** What is done so that they run. */
  readonly exercises: readonly Exercise[]
  /** Replaced functions that stacks don't show. */
  readonly hidden: readonly string[]
}

/** File systems whose code is in more modules than their own. */
const fileSystemOf: Readonly<Record<string, string>> = { fat: 'vfat', jbd2: 'ext4', mbcache: 'ext4' }

/** The file system that the guest mounts, if any. */
async function chooseFileSystem(
  request: ProofRequest,
  patched: readonly string[],
  notes: string[],
): Promise<string | undefined> {
  if (request.fileSystem !== undefined) {
    if (!fileSystems.includes(request.fileSystem))
      throw new Fault('usage', 'file-system-unknown', `A proof can't bring the file system ${request.fileSystem}`, {
        remedy: `Choose one of ${fileSystems.join(', ')}`,
      })
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
    return { name: one.name, replace: one.manifest?.replace === true, model: one.model }
  }
  return { over: over.map(planned), patch: planned(subject) }
}

/** Seconds for the exercises of one order. */
export const exerciseLimit = 30

/** Whether the guest is driven so that what is replaced runs. */
export function exercises({ exercise, checks = [], script }: ProofRequest): boolean {
  return exercise ?? !isChecked(checks, script)
}

/**
 * Makes one proof ready.
 * @param part its number among the proofs of the same boot
 * @param deviceOf the device under which the guest sees the disk with a file system of this type
 * @param limit seconds that a transition or a check may take
 * @param equipment what the guest has for exercises
 * @throws Fault `usage` for a request that makes no sense, `environment` when the kernel lacks a module
 */
export async function stage(
  kernel: Kernel,
  request: ProofRequest,
  part: number,
  deviceOf: (fileSystem: string) => string,
  limit: number,
  equipment: Omit<Equipment, 'mount'>,
): Promise<Staged> {
  const { subject, over = [], checks = [], loads = [], script, programs = [] } = request
  const patches = plannedPatches(kernel, request)
  const patched = [...new Set([subject, ...over].flatMap(({ targets }) => targets))]
  const restores = over.length === 0 || !patches.patch.replace
  const notes: string[] = []
  for (const check of checks)
    if (!restores && check.before !== undefined && check.reverted === undefined)
      notes.push(
        `what "${labelOf(check)}" prints when the live patch is reverted was not judged: ` +
          'the older live patches are gone then (--reverted says what to expect)',
      )
  const exercising = exercises(request)
  const fileSystem = await chooseFileSystem(
    request,
    [...patched, ...(exercising ? patchedFileSystems(subject) : [])],
    notes,
  )
  const targets = (await gatherModules(kernel, patched)).map(({ name }) => name)
  const own = new Set(patched.map((name) => name.replaceAll('-', '_')))
  const storage = fileSystem === undefined ? [] : await gatherModules(kernel, ['virtio_pci', 'virtio_blk'])
  const mounted = fileSystem === undefined ? [] : await gatherModules(kernel, [fileSystemModule(fileSystem)])
  const brought = await gatherModules(kernel, [
    ...storage.map(({ name }) => name),
    ...targets,
    ...mounted.map(({ name }) => name),
  ])
  // For what the kernel asks modprobe for by itself.
  const carried = await gatherModules(
    kernel,
    [...brought.map(({ name }) => name), ...(request.modules ?? [])],
    [...(fileSystem === undefined ? [] : fileSystemWishes(fileSystem)), ...(exercising ? exerciseModules() : [])],
  )
  const functions = replacementsOf(subject)
  const exercise = exercising
    ? exercisesFor(subject, { ...equipment, ...(fileSystem === undefined ? {} : { mount: '/mnt' }) })
    : []
  const fewer = 'the exercises are fewer than they could be'
  if (exercising && !equipment.stressNg) notes.push(`${fewer}: stress-ng is not installed`)
  if (exercising && !equipment.calls) notes.push(`${fewer}: there is no static C library (libc6-dev)`)
  const plan: Plan = {
    part,
    ...patches,
    functions,
    modules: brought.map(({ name, path }) => ({ name, path })),
    targets: brought.map(({ name }) => name).filter((name) => own.has(name)),
    // What stands on a patched module has to go before it.
    removed: brought
      .filter(({ name, before }) => own.has(name) || before.some((needed) => own.has(needed)))
      .map(({ name }) => name)
      .reverse(),
    ...(fileSystem === undefined ? {} : { mount: { type: fileSystem, device: deviceOf(fileSystem) } }),
    commands: checks.map((check) => ({ command: check.command, label: labelOf(check) })),
    script: script !== undefined,
    loads: loads.length,
    exercises: exercise.length,
    exerciseLimit: request.exerciseLimit ?? exerciseLimit,
    transitionLimit: limit,
    checkLimit: limit,
  }
  const file = (path: string, bytes: Buffer, mode?: number): Entry => ({
    kind: 'file',
    path,
    bytes,
    ...(mode === undefined ? {} : { mode }),
  })
  const paths = partPaths(part)
  const entries: Entry[] = [
    ...[subject, ...over].map(({ name, bytes }) => file(paths.patch(name), bytes)),
    ...exercise.map(({ script: text }, index) => file(paths.exercise(index), Buffer.from(text))),
    ...loads.map((text, index) => file(paths.load(index), Buffer.from(`${text}\n`))),
  ]
  if (script !== undefined) entries.push(file(paths.script, await readInput(script, inputKinds.program), 0o755))
  for (const program of programs)
    entries.push(file(`bin/${path.basename(program)}`, await readInput(program, inputKinds.program), 0o755))
  const orders: Order[] = plan.targets.length > 0 ? ['module-first', 'patch-first'] : ['module-first']
  return {
    request,
    turns: orders.map((order) => ({ part, order, steps: planOrder(plan, order) })),
    baseline: { part, order: 'module-first', steps: planBaseline(plan) },
    entries,
    modules: carried,
    restores,
    notes,
    functions,
    checked: isChecked(checks, script),
    exercises: exercise,
    hidden: await schedulerFunctionsOf(kernel, replacedNames(subject)),
  }
}
