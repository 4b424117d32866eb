// SPDX-License-Identifier: GPL-3.0-or-later
// How a consistency forecast looks in a terminal.

import { inNumbers } from '../../ground/in-numbers.ts'
import type { HostForecast } from '../../livepatch/transition-forecast.ts'
import type { ProofForecast } from '../../transition/proof-forecast.ts'
import { type MeasuredForecast, outlooks, type Sleeping, taskName } from '../../transition/sleeping-tasks.ts'
import { bold, cyan, dim, green, red, yellow } from './colour.ts'

function said({ verdict, sleeping }: MeasuredForecast): string {
  const whom = inNumbers(sleeping.length, 'task')
  return {
    'will-finish': 'the transition will finish at once',
    'will-wait': `the transition will wait for ${whom}`,
    'cannot-finish': 'the transition can’t finish',
  }[verdict]
}

/** A task, where it is, and what becomes of it. */
function taskLine(task: Sleeping, looks: number): string {
  const often = looks > 1 && task.seen < looks ? ` (${task.seen} of ${looks} times)` : ''
  return `${taskName(task)} is in ${task.functions.join(', ')}${often}: it ${outlooks[task.outlook]}`
}

/** The verdict, a line for each task, with its stack when `verbose` is set, and what could not be seen. */
export function forecastLines(forecast: MeasuredForecast, verbose = false): string[] {
  const { sleeping, hidden, ambiguous, looks } = forecast
  return [
    said(forecast),
    ...sleeping.flatMap((task) => [
      `  ${taskLine(task, looks)}`,
      ...(verbose ? task.stack.map((entry) => dim(`    ${entry}`)) : []),
    ]),
    ...hidden.map(
      (name) => `  ${name} is part of the scheduler, in which tasks sleep all the time; stacks don’t show it`,
    ),
    ...ambiguous.map((name) => `  several functions are called ${name}; a task may have been in another one of them`),
  ]
}

/** The same, with what came of it. */
export function proofForecastLines(forecast: ProofForecast): string[] {
  const [first = '', ...rest] = forecastLines(forecast)
  const outcome = forecast.held === false ? 'it went otherwise' : 'so it went'
  return [`forecast: ${first}`, ...rest, `${forecast.held === undefined ? 'but' : outcome}: ${forecast.went}`]
}

const marks = { 'will-finish': green, 'will-wait': yellow, 'cannot-finish': red } as const

/** What to do about each kind of task. */
function advice({ verdict, sleeping, hidden }: HostForecast): string[] {
  if (hidden.length > 0) return ['Fix a function that calls the scheduler instead of the scheduler itself.']
  const staying = sleeping.filter(({ outlook }) => outlook === 'stays')
  if (staying.length > 0)
    return [
      `Stop what needs ${[...new Set(staying.map(({ name }) => name))].join(', ')} before the live ` +
        'patch is loaded (a service, a mount, a device), if that can be.',
      'Where it can’t, change a function that the thread calls and comes back from, instead of the one it stays in.',
    ]
  const stopped = sleeping.filter(({ outlook }) => outlook === 'stopped')
  if (stopped.length > 0) return [`Let them go on: kill -CONT ${stopped.map(({ pid }) => pid).join(' ')}`]
  if (verdict === 'will-wait') return ['Nothing need be done; the kernel takes up to 16 s.']
  return []
}

/** The page of `inarch forecast`. */
export function forecastPage(forecast: HostForecast, verbose: boolean): string[] {
  const { module, loaded, left, tasks, looks, verdict, unseen } = forecast
  const [first = '', ...rest] = forecastLines(forecast, verbose)
  const waiting = left.map((task) => `  ${taskName(task)} has not gone over yet`)
  const state = {
    absent: '',
    moving: `, which is loaded and waits for ${left.length} tasks`,
    there: ', which is loaded',
  }
  return [
    `${bold(module.name)} on ${module.release}${state[loaded]}`,
    dim(`${tasks} tasks, looked at ${looks === 1 ? 'once' : `${looks} times`}`),
    '',
    marks[verdict](first),
    ...rest,
    ...waiting,
    ...(unseen > 0 ? [`  the stacks of ${unseen} tasks can’t be seen`] : []),
    ...advice(forecast).map((line) => `${cyan('→')} ${line}`),
  ]
}
