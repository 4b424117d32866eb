// SPDX-License-Identifier: GPL-3.0-or-later
// The consistency forecast in the virtual machine: who sleeps in a replaced function just before the live patch comes,
// and whether the transition that follows went as that promised.

import type { Kernel } from '../kernel/kernel.ts'
import { readSymbols } from '../kernel/symbols.ts'
import {
  forecastOf,
  type Look,
  type MeasuredForecast,
  parseStack,
  parseStat,
  type ReplacedName,
  replacedOn,
  schedulerFunctions,
} from './sleeping-tasks.ts'

/** What the guest saw of its tasks just before the live patch came. */
export interface TasksSeen {
  /** How many there were. */
  readonly tasks: number
  /** `task PID`, its `stat` and its stack in the kernel, one after the other. */
  readonly stacks: string
}

/** A transition as the guest saw it. */
export interface TransitionSeen {
  readonly outcome: string
  readonly ms: number
  /** How many tasks were left, over time. */
  readonly samples?: readonly { readonly ms: number; readonly left: number }[] | undefined
  /** `task PID NAME`, for each task that was left after 16 s or at the limit. */
  readonly stuck?: string | undefined
}

export interface ProofForecast extends MeasuredForecast {
  /** True when the transition went as forecast; undefined when there was none. */
  readonly held: boolean | undefined
  /** How it went: one sentence without a full stop. */
  readonly went: string
}

/** Those of the functions that are part of the scheduler, which the kernel leaves out of the stacks that it shows. */
export async function schedulerFunctionsOf(kernel: Kernel, replaced: readonly ReplacedName[]): Promise<string[]> {
  if (!replaced.some(({ object }) => object === 'vmlinux')) return []
  const symbols = await readSymbols(kernel)
  return schedulerFunctions(symbols.lookup, replaced)
}

/** The guest's look, task by task. */
function looksOf(stacks: string, replaced: readonly ReplacedName[], livePatches: ReadonlySet<string>): Look[] {
  return stacks
    .split(/^task (?=\d)/m)
    .slice(1)
    .flatMap((text): Look[] => {
      const [stat = '', ...lines] = text.trimEnd().split('\n')
      const task = parseStat(stat)
      if (task === undefined) return []
      const functions = replacedOn(parseStack(lines.join('\n')), replaced, livePatches)
      return functions.length === 0 ? [] : [{ task, functions, stack: lines }]
    })
}

/**
 * @param transition the step in which the tasks went over; undefined when it was not reached
 * @param livePatches the live patches that were there before, by their modules' names
 */
export function proofForecast(
  { tasks, stacks }: TasksSeen,
  transition: TransitionSeen | undefined,
  replaced: readonly ReplacedName[],
  hidden: readonly string[],
  livePatches: ReadonlySet<string>,
): ProofForecast {
  const forecast = forecastOf([looksOf(stacks, replaced, livePatches)], tasks, replaced, hidden)
  return { ...forecast, ...outcomeOf(forecast, transition) }
}

/** Whether the transition went as forecast, and how. */
function outcomeOf(
  forecast: MeasuredForecast,
  transition: TransitionSeen | undefined,
): Pick<ProofForecast, 'held' | 'went'> {
  if (transition === undefined) return { held: undefined, went: 'the transition was not reached' }
  const samples = transition.samples ?? []
  const free = samples.find(({ left }) => left === 0)
  const most = Math.max(0, ...samples.map(({ left }) => left))
  // A kernel that is done between two looks says nothing of its tasks.
  const ended = transition.outcome === 'done'
  const last = samples.at(-1)
  const went = ended
    ? most === 0
      ? 'no task was left at the first look'
      : `at first ${count(most)} left, none after ${((free?.ms ?? transition.ms) / 1000).toFixed(1)} s`
    : `the transition did not end, ${count(last?.left ?? most)} left`
  const unforeseen = stuckTasks(transition.stuck ?? '').filter(
    (stuck) => !forecast.sleeping.some(({ pid }) => pid === stuck.pid),
  )
  const beside =
    unforeseen.length === 0
      ? ''
      : `, among them ${unforeseen.map(({ name, pid }) => `${name} (${pid})`).join(', ')}, not foreseen`
  return { held: ended === (forecast.verdict !== 'cannot-finish') && beside === '', went: `${went}${beside}` }
}

const count = (tasks: number) => (tasks === 1 ? '1 task was' : `${tasks} tasks were`)

/** The tasks that were left after 16 s or at the limit. */
function stuckTasks(stuck: string): { readonly pid: number; readonly name: string }[] {
  return [...stuck.matchAll(/^task (\d+) (.*)$/gm)].map(([, pid, name]) => ({
    pid: Number(pid),
    name: name ?? '',
  }))
}
