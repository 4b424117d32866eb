// SPDX-License-Identifier: GPL-3.0-or-later
// The functions of vmlinux and of modules in which tasks sleep for long, kept in the kernel's directory: found out
// once, in a second or two (of a module less), and from then on read in some milliseconds.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import * as v from 'valibot'
import { type CallGraph, callGraph, readCalls } from '../calls/call-graph.ts'
import { type CodeMap, mapKernel, mapModule } from '../calls/code-map.ts'
import { openCallGraph } from '../calls/kept-calls.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { keepFile } from '../ground/kept-file.ts'
import { stampOfAll } from '../ground/stamp.ts'
import { grouped } from '../ground/values/grouped.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { findModule, readModule } from '../kernel/modules.ts'
import { flows, threadsOf } from './kernel-threads.ts'
import { type Sleeper, sleepersIn, stateOffsetOf } from './sleeping-functions.ts'

/** Raised whenever what is kept, or how it is found out, changes. */
const format = 'inarch-sleepers-5'

const names = v.array(v.string())
const keptSchema = v.object({
  format: v.literal(format),
  stamp: v.string(),
  /** Where `task_struct.__state` lies. */
  stateOffset: v.optional(v.number()),
  functions: v.array(
    v.object({
      name: v.string(),
      /** Counted from the start of the kernel's own 2 GB (`codeBase`). */
      address: v.number(),
      sleeper: v.variant('kind', [
        v.object({ kind: v.literal('thread'), startedBy: names, sinceBoot: v.boolean() }),
        v.object({ kind: v.literal('idle'), threads: names }),
        v.object({ kind: v.literal('scheduler'), threads: names }),
        v.object({ kind: v.literal('call'), waits: names }),
      ]),
    }),
  ),
})

type Kept = v.InferOutput<typeof keptSchema>

/** The sleepers of one kernel object. */
export interface KnownSleepers {
  /** @param address counted from `codeBase`; where the name is enough, undefined */
  find(name: string, address?: number): Sleeper | undefined
}

const known = ({ functions }: Pick<Kept, 'functions'>): KnownSleepers => {
  const byName = grouped(functions, ({ name }) => name)
  return {
    find(name, address) {
      const all = byName.get(name) ?? []
      return (address === undefined ? all[0] : all.find((one) => one.address === address))?.sleeper
    },
  }
}

/** Between two names that stand for addresses in vmlinux. */
function between(graph: CallGraph, from: string, to: string): (address: number) => boolean {
  const [start] = graph.named(from).map((of) => graph.starts[of])
  const [end] = graph.named(to).map((of) => graph.starts[of])
  return (address) => start !== undefined && address >= start && address < (end ?? Number.POSITIVE_INFINITY)
}

async function readKept(file: string, stamp: string): Promise<Kept | undefined> {
  try {
    const result = v.safeParse(keptSchema, JSON.parse(await readFile(file, 'utf8')))
    return result.success && result.output.stamp === stamp ? result.output : undefined
  } catch {
    // Not there yet, or damaged: it is made again.
    return undefined
  }
}

/** Reads what is kept of an object, or makes and keeps it. */
async function keep(
  kernel: Kernel,
  object: string,
  stamp: string,
  make: () => Promise<Omit<Kept, 'format' | 'stamp'>>,
): Promise<Kept> {
  const file = path.join(kernel.dir, object === 'vmlinux' ? 'sleepers' : `sleepers.${object}`)
  const kept = await readKept(file, stamp)
  if (kept !== undefined) return kept
  const made: Kept = { format, stamp, ...(await make()) }
  await keepFile(file, `${JSON.stringify(made)}\n`)
  return made
}

async function ofKernel(job: Job, kernel: Kernel): Promise<Kept> {
  const stamp = stampOfAll(kernel.vmlinux, kernel.systemMap)
  return await keep(kernel, 'vmlinux', stamp, () =>
    job.journal.step(`Looking where tasks of ${kernel.release} sleep`, async (step) => {
      const [graph, map] = await Promise.all([openCallGraph(job, kernel), mapKernel(kernel)])
      const flow = flows(map, graph)
      const scheduler = between(graph, '__sched_text_start', '__sched_text_end')
      const stateOffset = stateOffsetOf(graph, flow)
      const found = sleepersIn({
        graph,
        flow,
        threads: threadsOf(graph, flow, between(graph, '_sinittext', '_einittext')),
        isScheduler: (of) => scheduler(graph.starts[of] ?? 0),
        stateOffset,
      })
      step.result(`${found.size} functions`)
      return { ...(stateOffset === undefined ? {} : { stateOffset }), functions: listed(graph, found) }
    }),
  )
}

const listed = (graph: CallGraph, found: ReadonlyMap<number, Sleeper>): Kept['functions'] =>
  [...found].map(([of, sleeper]) => ({
    name: graph.name(of),
    address: graph.starts[of] ?? 0,
    sleeper: plain(sleeper),
  }))

const plain = (sleeper: Sleeper): Kept['functions'][number]['sleeper'] => {
  switch (sleeper.kind) {
    case 'thread':
      return { ...sleeper, startedBy: [...sleeper.startedBy] }
    case 'call':
      return { ...sleeper, waits: [...sleeper.waits] }
    default:
      return { ...sleeper, threads: [...sleeper.threads] }
  }
}

/** The sleepers in a module's code, given those of vmlinux. */
function inModule(map: CodeMap, vmlinux: KnownSleepers, stateOffset?: number): Kept['functions'] {
  const graph = callGraph(readCalls(map))
  const flow = flows(map, graph)
  return listed(
    graph,
    sleepersIn({
      graph,
      flow,
      threads: threadsOf(graph, flow, () => false),
      isScheduler: () => false,
      stateOffset,
      sleepsElsewhere: (name) => vmlinux.find(name)?.kind === 'call',
    }),
  )
}

/** The same, to be asked by name. */
export function sleepersOfModule(map: CodeMap, vmlinux: KnownSleepers, stateOffset?: number): KnownSleepers {
  return known({ functions: inModule(map, vmlinux, stateOffset) })
}

/**
 * The functions of a kernel object (`vmlinux` or a module) in which tasks sleep for long.
 * @throws Fault `environment/bad-image`, `usage/module-unknown`
 */
export async function openSleepers(job: Job, kernel: Kernel, object: string): Promise<KnownSleepers> {
  const ofImage = await ofKernel(job, kernel)
  const vmlinux = known(ofImage)
  if (object === 'vmlinux') return vmlinux
  const module = await findModule(kernel, object)
  if (module === undefined)
    throw new Fault('usage', 'module-unknown', `${kernel.release} has no module called ${object}`)
  const stamp = `${ofImage.stamp} ${stampOfAll(module.file)}`
  const kept = await keep(kernel, module.name, stamp, async () => {
    const map = mapModule(await readModule(module.file), `${object}.ko`)
    return { functions: inModule(map, vmlinux, ofImage.stateOffset) }
  })
  return known(kept)
}
