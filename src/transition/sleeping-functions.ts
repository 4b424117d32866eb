// SPDX-License-Identifier: GPL-3.0-or-later
// In which functions of a kernel object tasks sleep for long, told from its machine code. A live patch moves a task
// only when none of the functions that it replaces is on the task's stack (kernel/livepatch/transition.c), so a
// transition waits for who sleeps in one of them. Two kinds of tasks do:
//
// Threads of the kernel never leave the function that is their whole life, nor the one in which they wait for work.
// Nothing moves them: the signal that the kernel sends after 15 s wakes a thread, which then waits again in the same
// place. Where a thread waits is the place that is the nearest to its first function.
//
// Processes sleep in system calls. Where they wait for something from outside (input, a connection, a timer, a child)
// the kernel lets signals interrupt them, so a wait in the state TASK_INTERRUPTIBLE is taken for a long one; the
// kernel's own signal ends it, and the process leaves the system call.
import type { CallGraph } from '../calls/call-graph.ts'
import type { Flow } from '../calls/code-flow.ts'
import { addTo, addToSet } from '../ground/values/grouped.ts'
import { noReturn, type Thread } from './kernel-threads.ts'

/** Why tasks may be found in a function. */
export type Sleeper =
  /** It is a thread's whole life. */
  | { readonly kind: 'thread'; readonly startedBy: readonly string[]; readonly sinceBoot: boolean }
  /** Threads with these first functions wait for work in it, or in what it calls. */
  | { readonly kind: 'idle'; readonly threads: readonly string[] }
  /** Part of the scheduler: whoever sleeps does it here; of the threads at least those with these functions. */
  | { readonly kind: 'scheduler'; readonly threads: readonly string[] }
  /** Processes sleep in these functions, which it is or calls. */
  | { readonly kind: 'call'; readonly waits: readonly string[] }

/** The ways in which a task gives up its processor until something happens. Locks are not among them. */
const waiting = /^(?:io_)?schedule(?:_timeout|_hrtimeout|_preempt_disabled)?(?:_\w+)?$|^do_nanosleep$|^wait_woken$/
const notWaiting = /^schedule_(?:tail|idle|work|delayed|on_each|user|page|debug)/

/** Calls that wait in an interruptible state by their name. */
const interruptible =
  /^(?:schedule_timeout_interruptible|msleep_interruptible|wait_for_completion_interruptible(?:_timeout)?|do_wait_intr(?:_irq)?|do_nanosleep)$/

/** Calls that are given the state in which to wait, and in which parameter (from 0). */
const stateParameter: Readonly<Record<string, number>> = {
  prepare_to_wait: 2,
  prepare_to_wait_exclusive: 2,
  prepare_to_wait_event: 2,
  prepare_to_swait_event: 2,
  prepare_to_swait_exclusive: 2,
  wait_woken: 1,
}

/** Where every thread may wait that is not waiting for work: stopped for a hibernation, parked, moved. */
const notWork = new Set([
  ...noReturn,
  '__refrigerator',
  'kthread_parkme',
  '__kthread_parkme',
  'kthread_park',
  'set_cpus_allowed_ptr',
  'kthread_stop',
  'affine_move_task',
])

/**
 * Calls through pointers by which processes come to a sleeper: what the machine code does not tell. The first calls the
 * others.
 */
const throughPointers: Readonly<Record<string, readonly string[]>> = {
  vfs_read: ['pipe_read', 'eventfd_read', 'signalfd_read', 'inotify_read', 'n_tty_read', 'devkmsg_read'],
  vfs_write: ['pipe_write'],
  sock_recvmsg: ['unix_stream_read_generic', '__skb_wait_for_more_packets', 'sk_wait_data'],
  tty_read: ['n_tty_read'],
  do_accept: ['inet_csk_accept', '__skb_wait_for_more_packets'],
}

/** How far a sleeper is followed up to its callers, and a thread down to where it waits. */
const callDepth = 4
const idleDepth = 3
/** What has more callers than this is used for everything, and those who call it seldom wait in it. */
const manyCallers = 8
/** A sleeper to which more functions than this lead is part of the kernel's own work, such as getting memory. */
const manyWays = 64
/** So is one to which a function leads that so many others call. */
const generalCallers = 30
/** Interruptible, but for memory, which comes back by itself: in these nobody sleeps for long. */
const forMemory = new Set(['sock_alloc_send_pskb', 'throttle_direct_reclaim', 'try_charge_memcg', 'reclaim_throttle'])
/** Functions that lead to every system call. */
const everySystemCall = /^(?:x64|ia32)_sys_call$|^do_syscall_64$|^do_int80|^(?:entry|asm)_|^__do_fast_syscall/
/** The same system call for another kind of processes. */
const otherForm = /^__(?:ia32|x32)_/

/** TASK_INTERRUPTIBLE, perhaps with TASK_FREEZABLE and TASK_FREEZABLE_UNSAFE (include/linux/sched.h). */
const isInterruptible = (state: number) => (state & ~0x6000) === 1

/** What `sleepersIn` is told about a kernel object. */
export interface ScannedCode {
  readonly graph: CallGraph
  readonly flow: (of: number) => Flow
  readonly threads: readonly Thread[]
  /** Whether a function is part of the scheduler's own code (`.sched.text`). */
  readonly isScheduler: (of: number) => boolean
  /** Functions of vmlinux that a module calls, in which processes sleep. */
  readonly sleepsElsewhere?: (name: string) => boolean
  /** Where `task_struct.__state` lies; undefined when it could not be found out. */
  readonly stateOffset: number | undefined
}

/** Where `task_struct.__state` lies: the first thing that `schedule_timeout_interruptible` does is to set it. */
export function stateOffsetOf(graph: CallGraph, flow: (of: number) => Flow): number | undefined {
  const [of] = graph.named('schedule_timeout_interruptible')
  return of === undefined ? undefined : flow(of).stores.find(({ value }) => isInterruptible(value))?.displacement
}

/** The functions in which tasks sleep for long, by their numbers in the graph. */
export function sleepersIn(ground: ScannedCode): Map<number, Sleeper> {
  const { graph, threads, isScheduler } = ground
  const found = new Map<number, Sleeper>()
  const waits = waitsOf(graph)
  const entries = new Set(threads.map(({ entry }) => entry))
  const idle = new Map<number, Set<number>>()
  for (const { entry, startedBy, sinceBoot } of threads) {
    const places = idlePlaces(ground, entry, waits)
    if (places.length === 0) continue
    found.set(entry, { kind: 'thread', startedBy: startedBy.map(graph.name), sinceBoot })
    for (const place of places) addToSet(idle, place, entry)
  }
  for (const [of, set] of idle) {
    const names = [...set].map(graph.name)
    if (found.has(of)) continue
    if (isScheduler(of)) found.set(of, { kind: 'scheduler', threads: names })
    else if (graph.callers(of).length <= manyCallers) found.set(of, { kind: 'idle', threads: names })
  }
  for (const name of ['schedule', '__schedule'])
    for (const of of graph.named(name))
      if (!found.has(of) && graph.sizes[of]! > 0) found.set(of, { kind: 'scheduler', threads: [] })
  for (const [of, names] of callsThatSleep(ground, waits, entries))
    if (!found.has(of) && !isScheduler(of)) found.set(of, { kind: 'call', waits: [...names].sort() })
  return found
}

function waitsOf(graph: CallGraph): Set<number> {
  const waits = new Set<number>()
  for (let of = 0; of < graph.count; of++) {
    const name = graph.name(of)
    if (waiting.test(name) && !notWaiting.test(name)) waits.add(of)
  }
  return waits
}

/**
 * The functions between a thread's first one and where it waits for work, with both ends; none when it does not wait.
 */
function idlePlaces({ graph, flow, isScheduler }: ScannedCode, entry: number, waits: ReadonlySet<number>): number[] {
  /**
   * From each function seen, how it was reached: `life` when it is one that the thread does not come back from, `again`
   * when the thread comes to it again and again.
   */
  const reached = new Map<
    number,
    { readonly from: number | undefined; readonly life: boolean; readonly again: boolean }
  >([[entry, { from: undefined, life: true, again: false }]])
  let level = [entry]
  for (let depth = 0; depth <= idleDepth && level.length > 0; depth++) {
    const places = new Set<number>()
    const next: number[] = []
    for (const of of level) {
      const { life = false, again = false } = reached.get(of) ?? {}
      for (const { target, inLoop } of flow(of).calls) {
        const to = graph.at(target)
        if (to === undefined) continue
        const comesAgain = again || (life && inLoop)
        if (waits.has(to)) {
          if (!comesAgain) continue
          places.add(to)
          for (let at: number | undefined = of; at !== undefined; at = reached.get(at)?.from) places.add(at)
        } else if (!reached.has(to) && !isScheduler(to) && !notWork.has(graph.name(to))) {
          reached.set(to, { from: of, life: life && !flow(to).returns, again: comesAgain })
          next.push(to)
        }
      }
    }
    if (places.size > 0) return [...places]
    level = next
  }
  return []
}

/** Functions in which processes sleep, with the functions in which they do, and all that call them. */
function callsThatSleep(
  ground: ScannedCode,
  waits: ReadonlySet<number>,
  entries: ReadonlySet<number>,
): Map<number, Set<string>> {
  const { graph, isScheduler } = ground
  const found = new Map<number, Set<string>>()
  const pointed = new Map<number, number[]>()
  for (const [name, below] of Object.entries(throughPointers))
    for (const of of graph.named(name))
      for (const to of below.flatMap((one) => graph.named(one))) addTo(pointed, to, of)
  for (const sleeper of longWaiters(ground, waits)) {
    const name = graph.name(sleeper)
    if (entries.has(sleeper) || forMemory.has(name)) continue
    const seen = new Set([sleeper])
    let general = false
    let level = [sleeper]
    for (let depth = 0; depth <= callDepth && level.length > 0; depth++) {
      const next: number[] = []
      for (const of of level) {
        const callers = [...graph.callers(of)].filter((one) => !everySystemCall.test(graph.name(one)))
        if (of !== sleeper && callers.length > generalCallers) general = true
        const distinct = callers.filter((one) => !otherForm.test(graph.name(one)))
        for (const caller of [...(distinct.length > manyCallers ? [] : callers), ...(pointed.get(of) ?? [])])
          if (!seen.has(caller) && !entries.has(caller) && !isScheduler(caller)) {
            seen.add(caller)
            next.push(caller)
          }
      }
      level = next
    }
    const ways = [...seen].filter((one) => !otherForm.test(graph.name(one)))
    for (const of of general || ways.length > manyWays ? [sleeper] : seen) addToSet(found, of, name)
  }
  return found
}

/** Functions that themselves wait in an interruptible state. */
function longWaiters(
  { graph, flow, stateOffset, sleepsElsewhere }: ScannedCode,
  waits: ReadonlySet<number>,
): Set<number> {
  const candidates = new Set<number>()
  for (const of of waits) for (const caller of graph.callers(of)) candidates.add(caller)
  const named = [...Object.keys(stateParameter)].flatMap((name) => graph.named(name))
  for (const of of named) for (const caller of graph.callers(of)) candidates.add(caller)
  const found = new Set<number>()
  for (let of = 0; of < graph.count; of++) {
    const name = graph.name(of)
    // What a module takes from vmlinux.
    if (graph.sizes[of] === 0 && sleepsElsewhere?.(name) === true)
      for (const caller of graph.callers(of)) found.add(caller)
    if (interruptible.test(name)) for (const caller of graph.callers(of)) found.add(caller)
  }
  for (const of of candidates) {
    if (graph.name(of).endsWith('.cold')) continue
    const { calls, stores } = flow(of)
    const asked = calls.some(({ target, args }) => {
      const to = graph.at(target)
      const parameter = to === undefined ? undefined : stateParameter[graph.name(to)]
      if (parameter === undefined) return false
      const state = args[parameter]
      // A state that is worked out when it runs is often an interruptible one; any other stands in the code.
      return state === undefined || ('constant' in state && isInterruptible(state.constant))
    })
    const set = stores.some(({ displacement, value }) => displacement === stateOffset && isInterruptible(value))
    if (asked || set) found.add(of)
  }
  return found
}
