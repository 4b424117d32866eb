// SPDX-License-Identifier: GPL-3.0-or-later
// Which functions the kernel runs as threads of its own: those whose address is passed to `kthread_create_on_node` and
// its like, straight or through functions that only hand a parameter on. Read from the machine code, so that no list of
// threads grows old.

import type { CallGraph } from '../calls/call-graph.ts'
import { type Flow, flowOf } from '../calls/code-flow.ts'
import type { CodeMap } from '../calls/code-map.ts'
import { addToSet } from '../ground/values/grouped.ts'
import { remembered } from '../ground/values/remembered.ts'
import { fentry } from '../x86/entry.ts'

/** A function that is a thread's whole life, and the functions that start such threads. */
export interface Thread {
  readonly entry: number
  readonly startedBy: readonly number[]
  /** True when it is started while the kernel boots, by code that is gone then. */
  readonly sinceBoot: boolean
}

/** What the kernel starts threads with, and which parameter (from 0) is the function. */
const creators: Readonly<Record<string, number>> = {
  kthread_create_on_node: 0,
  __kthread_create_on_node: 0,
  kthread_create_on_cpu: 0,
  kernel_thread: 0,
  user_mode_thread: 0,
  create_io_thread: 0,
  vhost_task_create: 0,
}

/** Functions behind whose call nothing comes. */
export const noReturn: ReadonlySet<string> = new Set([
  '__stack_chk_fail',
  'do_exit',
  'do_group_exit',
  'kthread_exit',
  'kthread_complete_and_exit',
  'make_task_dead',
  'module_put_and_kthread_exit',
  '__module_put_and_kthread_exit',
  'panic',
  'do_task_dead',
])

/** The flow of any function of a kernel object, each found out once. */
export function flows(map: CodeMap, graph: CallGraph): (of: number) => Flow {
  const ends = new Set([...noReturn].flatMap((name) => graph.named(name).map((of) => graph.starts[of] ?? 0)))
  // A cold part is the rest of its function; it is no way out of it.
  for (let of = 0; of < graph.count; of++) if (graph.name(of).endsWith('.cold')) ends.add(graph.starts[of] ?? 0)
  const hooks = new Set(graph.named(fentry).map((of) => graph.starts[of] ?? 0))
  const nothing: Flow = { calls: [], stores: [], returns: true }
  return remembered((of) => {
    const start = graph.starts[of] ?? 0
    const region = map.regions.find(
      (one) => one.executable && start >= one.start && start < one.start + one.bytes.length,
    )
    const from = region === undefined ? 0 : start - region.start
    return region === undefined
      ? nothing
      : flowOf(region.bytes, region.start, from, Math.min(from + (graph.sizes[of] ?? 0), region.bytes.length), {
          returns: (target) => !ends.has(target),
          keeps: (target) => hooks.has(target),
        })
  })
}

/** @param bootCode tells of an address whether its code is thrown away when the kernel has started */
export function threadsOf(
  graph: CallGraph,
  flow: (of: number) => Flow,
  bootCode: (address: number) => boolean,
): Thread[] {
  const slots = new Map<number, number>()
  for (const [name, slot] of Object.entries(creators)) for (const of of graph.named(name)) slots.set(of, slot)
  const started = new Map<number, Set<number>>()
  const waiting = [...slots.keys()]
  const done = new Set<number>()
  for (let creator = waiting.pop(); creator !== undefined; creator = waiting.pop()) {
    const slot = slots.get(creator) ?? 0
    for (const caller of graph.callers(creator)) {
      if (done.has(caller) && slots.has(caller)) continue
      for (const { target, args } of flow(caller).calls) {
        if (target !== graph.starts[creator]) continue
        const value = args[slot]
        if (value === undefined) continue
        if ('constant' in value) {
          const entry = graph.at(value.constant + 0x8000_0000)
          if (entry === undefined || graph.starts[entry] !== value.constant + 0x8000_0000) continue
          addToSet(started, entry, caller)
        } else if (!slots.has(caller)) {
          // It hands on what it was given.
          slots.set(caller, value.parameter)
          waiting.push(caller)
        }
      }
      done.add(caller)
    }
  }
  return [...started].map(([entry, by]) => ({
    entry,
    startedBy: [...by],
    sinceBoot: [...by].some((of) => comesFromBoot(graph, of, bootCode)),
  }))
}

/** Whether only boot code leads to a function, or boot code does so within a few calls. */
function comesFromBoot(graph: CallGraph, of: number, bootCode: (address: number) => boolean): boolean {
  let level = [of]
  const seen = new Set(level)
  for (let depth = 0; depth < 4; depth++) {
    if (level.some((one) => bootCode(graph.starts[one] ?? 0))) return true
    level = level
      .flatMap((one) => [...graph.callers(one)])
      .filter((one) => !seen.has(one) && seen.add(one) !== undefined)
  }
  return false
}
