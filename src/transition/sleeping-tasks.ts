// SPDX-License-Identifier: GPL-3.0-or-later
// The consistency forecast, measured: which tasks have a function that a live patch replaces on their stack, and what
// that means for the transition. The stacks are those of /proc/PID/task/TID/stack, in a virtual machine or on a running
// system; what the kernel does with such tasks is told in docs/forecast.md (kernel/livepatch/transition.c).
import { grouped } from '../ground/values/grouped.ts'

/** A function that a live patch replaces. */
export interface ReplacedName {
  /** `vmlinux` or a module's name. */
  readonly object: string
  readonly name: string
  /** As in the manifest: 0 when the name is unique in the object. */
  readonly sympos: number
}

/** A task as /proc shows it. */
export interface Task {
  readonly pid: number
  /** The thread's own number; that of its process is not told. */
  readonly name: string
  /** `thread`: of the kernel. `worker`: works for a process and never leaves the kernel (io_uring, vhost). */
  readonly kind: 'thread' | 'worker' | 'process'
  /** One letter, as in proc(5): R, S, D, T, t, I, Z. */
  readonly state: string
}

/** A task with a replaced function on its stack. */
export interface Sleeping extends Task {
  /** Replaced functions on its stack, the innermost first. */
  readonly functions: readonly string[]
  /** Looks at the system in which it was found so. */
  readonly seen: number
  /** Its stack when it was last seen so, the innermost function first, as the kernel prints it. */
  readonly stack: readonly string[]
  readonly outlook: Outlook
}

/**
 * `stays`: nothing moves it. `leaves`: by itself. `woken`: by livepatch's fake signal at the latest.
 * `stopped`: when it goes on.
 */
export type Outlook = 'stays' | 'leaves' | 'woken' | 'stopped'

export interface MeasuredForecast {
  readonly verdict: 'will-finish' | 'will-wait' | 'cannot-finish'
  /** How often all tasks were looked at. */
  readonly looks: number
  /** How many tasks there were. */
  readonly tasks: number
  readonly sleeping: readonly Sleeping[]
  /** Replaced functions that belong to the scheduler, which the kernel leaves out of the stacks that it shows. */
  readonly hidden: readonly string[]
  /** Replaced functions of whose name the object has several: another one of them may have been seen. */
  readonly ambiguous: readonly string[]
}

/**
 * PF_KTHREAD, PF_IO_WORKER and PF_USER_WORKER (include/linux/sched.h); the last is new in 6.4, and means nothing
 * before.
 */
const flag = { kthread: 0x0020_0000, ioWorker: 0x10, userWorker: 0x4000 } as const

/** Reads a line of /proc/PID/stat (proc(5)); undefined when it is none. */
export function parseStat(line: string): Task | undefined {
  // A name may hold anything, parentheses too.
  const [, pid, name, state, rest] = /^(\d{1,10}) \((.*)\) ([A-Za-z]) (.*)/s.exec(line) ?? []
  const flags = Number(rest?.split(' ')[5])
  if (pid === undefined || name === undefined || state === undefined || !Number.isInteger(flags)) return undefined
  const kind =
    (flags & flag.kthread) !== 0 ? 'thread' : (flags & (flag.ioWorker | flag.userWorker)) !== 0 ? 'worker' : 'process'
  return { pid: Number(pid), name, kind, state }
}

/** One line of a stack: `[<0>] do_sys_poll+0x2d1/0x600 [module]`. */
export interface Frame {
  readonly name: string
  /** The module that holds it; undefined for vmlinux. */
  readonly module: string | undefined
}

/** Reads /proc/PID/stack; lines that are no functions are left out. */
export function parseStack(text: string): Frame[] {
  return text.split('\n').flatMap((line): Frame[] => {
    const [, name, module] =
      /^\s*\[<[0-9a-f]*>\] ([^\s+]+)\+0x[0-9a-f]+\/0x[0-9a-f]+(?: \[([^\s\]]+)[^\]]*\])?\s*$/.exec(line) ?? []
    return name === undefined ? [] : [{ name, module }]
  })
}

/**
 * The replaced functions on a stack.
 * @param livePatches names of modules whose functions stand in for those of any object
 */
export function replacedOn(
  stack: readonly Frame[],
  replaced: readonly ReplacedName[],
  livePatches: ReadonlySet<string> = new Set(),
): string[] {
  const found = stack.filter(({ name, module }) =>
    replaced.some(
      (one) =>
        one.name === name &&
        (module === undefined ? one.object === 'vmlinux' : one.object === module || livePatches.has(module)),
    ),
  )
  return [...new Set(found.map(({ name }) => name))]
}

/**
 * Those of the functions that are part of the scheduler (`.sched.text`), which the kernel leaves out of the stacks that
 * it shows (stack_trace_consume_entry_nosched), but not when it looks whether a task can go over.
 * @param lookup the symbols of vmlinux with a name, in the kernel's order
 */
export function schedulerFunctions(
  lookup: (name: string) => readonly { readonly address: bigint }[],
  replaced: readonly ReplacedName[],
): string[] {
  const [start] = lookup('__sched_text_start')
  const [end] = lookup('__sched_text_end')
  if (start === undefined || end === undefined) return []
  return replaced
    .filter(({ object, name, sympos }) => {
      const address = object === 'vmlinux' ? lookup(name)[Math.max(0, sympos - 1)]?.address : undefined
      return address !== undefined && address >= start.address && address < end.address
    })
    .map(({ name }) => name)
}

/** One look at one task. */
export interface Look {
  readonly task: Task
  readonly functions: readonly string[]
  readonly stack: readonly string[]
}

function outlookOf({ kind, state }: Task, always: boolean): Outlook {
  if (state === 'T' || state === 't') return 'stopped'
  if (kind !== 'process') return always && (state === 'S' || state === 'I') ? 'stays' : 'leaves'
  return state === 'S' ? 'woken' : 'leaves'
}

/**
 * What the looks at a system mean.
 * @param looks for each time, the tasks that had a replaced function on their stack
 * @param tasks how many tasks there were
 * @param hidden replaced functions of the scheduler
 */
export function forecastOf(
  looks: readonly (readonly Look[])[],
  tasks: number,
  replaced: readonly ReplacedName[],
  hidden: readonly string[],
): MeasuredForecast {
  const byTask = grouped(looks.flat(), ({ task }) => task.pid)
  const sleeping = [...byTask.values()].flatMap((seen): Sleeping[] => {
    const last = seen.at(-1)
    if (last === undefined) return []
    // One that comes and goes will be met outside of it.
    const always = seen.length === looks.length
    const functions = [...new Set(seen.toReversed().flatMap((one) => one.functions))]
    return [
      {
        ...last.task,
        functions,
        seen: seen.length,
        stack: last.stack,
        outlook: outlookOf(last.task, always),
      },
    ]
  })
  const stays = hidden.length > 0 || sleeping.some(({ outlook }) => outlook === 'stays')
  return {
    verdict: stays ? 'cannot-finish' : sleeping.length > 0 ? 'will-wait' : 'will-finish',
    looks: looks.length,
    tasks,
    sleeping: sleeping.sort((a, b) => a.pid - b.pid),
    hidden,
    ambiguous: [...new Set(replaced.filter(({ sympos }) => sympos > 0).map(({ name }) => name))],
  }
}

const kinds = { thread: 'kernel thread', worker: 'kernel worker', process: 'process' } as const

/** Who it is, in a few words: `sleep (process 83)`. */
export function taskName({ name, kind, pid }: Task): string {
  return `${name} (${kinds[kind]} ${pid})`
}

/** What becomes of each outlook, in a few words. */
export const outlooks: Readonly<Record<Outlook, string>> = {
  stays: 'does not leave it by itself, and livepatch’s fake signal does not move it',
  leaves: 'leaves it by itself',
  woken: 'leaves it by itself, or after 15 s when livepatch’s fake signal wakes it',
  stopped: 'is stopped, and leaves it only when it goes on (SIGCONT)',
}
