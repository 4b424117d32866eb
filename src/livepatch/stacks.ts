// SPDX-License-Identifier: GPL-3.0-or-later
// Looks several times at the stacks of all tasks of a running system for functions that a live patch replaces.
// Format: proc(5), /proc/PID/task/TID/stack; it takes root.
import { setTimeout as delay } from 'node:timers/promises'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import {
  forecastOf,
  type Look,
  type MeasuredForecast,
  parseStack,
  parseStat,
  type ReplacedName,
  replacedOn,
  schedulerFunctions,
} from '../transition/sleeping-tasks.ts'
import type { Host } from './host.ts'
import { readPatches } from './patches.ts'
import { readRunningSymbols } from './symbols.ts'

export interface LookRequest {
  /** How often all tasks are looked at; at least 1. */
  readonly looks: number
  /** ms from the start of a look to the start of the next. */
  readonly interval: number
}

/** The numbers of all tasks, as directories of /proc. */
export function tasksOf(host: Host): string[] {
  return host
    .list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => host.list(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`))
}

/** @throws Fault `environment/needs-root`, `environment/no-stacks` */
function checkSight(host: Host): void {
  const own = host.read('/proc/self/stack')
  if (typeof own === 'string') return
  if (own.hidden === 'absent')
    throw new Fault('environment', 'no-stacks', 'The running kernel does not show the stacks of its tasks', {
      remedy: 'It needs /proc, and a kernel with CONFIG_STACKTRACE',
    })
  throw notRoot()
}

function notRoot(): Fault {
  return new Fault('environment', 'needs-root', 'Only root may see the stacks of tasks', {
    remedy: 'Run it again as root, outside of any container',
  })
}

/**
 * Who sleeps in the functions on this host, and what that means for a live patch that replaces them.
 * @throws Fault `environment/needs-root`, `environment/no-stacks`
 */
export async function forecastOnHost(
  job: Job,
  host: Host,
  replaced: readonly ReplacedName[],
  { looks: times, interval }: LookRequest,
): Promise<MeasuredForecast & { readonly unseen: number }> {
  checkSight(host)
  const patches = new Set((readPatches(host) ?? []).map(({ name }) => name))
  const names = new Set(replaced.map(({ name }) => name))
  const symbols = readRunningSymbols(host)
  const hidden = schedulerFunctions((name) => symbols.lookup('vmlinux', name), replaced)
  return await job.journal.step('Looking at the stacks of all tasks', async (step) => {
    const looks: Look[][] = []
    let count = 0
    let unseen = 0
    for (let time = 0; time < times; time++) {
      const began = performance.now()
      const tasks = tasksOf(host)
      count = Math.max(count, tasks.length)
      const forbidden = new Set<string>()
      looks.push(
        tasks.flatMap((dir) => {
          job.signal.throwIfAborted()
          return lookAt(host, dir, replaced, names, patches, forbidden)
        }),
      )
      unseen = Math.max(unseen, forbidden.size)
      // Root of a container sees its own stacks, and no others.
      if (2 * forbidden.size > tasks.length) throw notRoot()
      step.progress(`${time + 1} of ${times}`)
      if (time + 1 < times)
        await delay(Math.max(0, interval - (performance.now() - began)), undefined, { signal: job.signal })
    }
    step.result(`${count} tasks, ${times} times`)
    return { ...forecastOf(looks, count, replaced, hidden), unseen }
  })
}

/** A task with one of the functions on its stack. It may have gone meanwhile, or have no stack any more. */
function lookAt(
  host: Host,
  dir: string,
  replaced: readonly ReplacedName[],
  names: ReadonlySet<string>,
  patches: ReadonlySet<string>,
  forbidden: Set<string>,
): Look[] {
  const stack = host.read(`${dir}/stack`)
  if (typeof stack !== 'string') {
    if (stack.hidden === 'forbidden') forbidden.add(dir)
    return []
  }
  const frames = parseStack(stack)
  if (!frames.some(({ name }) => names.has(name))) return []
  const functions = replacedOn(frames, replaced, patches)
  const task = parseStat(host.line(`${dir}/stat`) ?? '')
  if (functions.length === 0 || task === undefined) return []
  return [{ task, functions, stack: stack.trimEnd().split('\n') }]
}
