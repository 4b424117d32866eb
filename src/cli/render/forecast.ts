// SPDX-License-Identifier: GPL-3.0-or-later
// How a consistency forecast looks in a terminal.
import { type MeasuredForecast, outlooks, type Sleeping, taskName } from '../../check/asleep.ts'
import type { ProofForecast } from '../../vm/forecast.ts'

function said({ verdict, sleeping }: MeasuredForecast): string {
  const whom = sleeping.length === 1 ? '1 task' : `${sleeping.length} tasks`
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

/** The verdict, a line for each task, and what could not be seen. */
export function forecastLines(forecast: MeasuredForecast): string[] {
  const { sleeping, hidden, ambiguous, looks } = forecast
  return [
    said(forecast),
    ...sleeping.map((task) => `  ${taskLine(task, looks)}`),
    ...hidden.map(
      (name) => `  ${name} is part of the scheduler, in which tasks sleep all the time; stacks don’t show it`,
    ),
    ...ambiguous.map(
      (name) => `  several functions are called ${name}; a task may have been in another one of them`,
    ),
  ]
}

/** The same, with what came of it. */
export function proofForecastLines(forecast: ProofForecast): string[] {
  const [first = '', ...rest] = forecastLines(forecast)
  const outcome = forecast.held === false ? 'it went otherwise' : 'so it went'
  return [`forecast: ${first}`, ...rest, `${forecast.held === undefined ? 'but' : outcome}: ${forecast.went}`]
}
