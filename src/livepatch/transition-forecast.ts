// SPDX-License-Identifier: GPL-3.0-or-later
// `inarch forecast`: what the tasks of this host mean for a live patch, before it is loaded or while it waits for them.

import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import type { MeasuredForecast, ReplacedName, Task } from '../transition/sleeping-tasks.ts'
import { parseStat } from '../transition/sleeping-tasks.ts'
import { listedOf, type Subject } from '../vm/plan/subject.ts'
import { type Host, releaseOf } from './host.ts'
import { leftByCore, type RunningPatch, readPatches } from './patches.ts'
import { forecastOnHost, type LookRequest, tasksOf } from './stacks.ts'

export interface HostForecast extends MeasuredForecast {
  readonly format: 'inarch-forecast-1'
  readonly module: { readonly name: string; readonly release: string }
  /** `absent`: not loaded; `moving`: tasks are left; `there`: all have gone over. */
  readonly loaded: 'absent' | 'moving' | 'there'
  /** While it is moving: the tasks that have not gone over yet, for whatever reason. */
  readonly left: readonly Task[]
  /** How many tasks did not show their stacks. */
  readonly unseen: number
}

/**
 * @param replaced what the live patch replaces
 * @throws Fault `usage/manifest-needed`, `usage/other-kernel`; `environment/*` when the stacks can't be seen
 */
export async function forecastFor(
  job: Job,
  host: Host,
  subject: Subject,
  replaced: readonly ReplacedName[],
  request: LookRequest,
): Promise<HostForecast> {
  if (subject.manifest === undefined) listedOf(subject)
  const release = releaseOf(host)
  if (release !== subject.release)
    throw new Fault(
      'usage',
      'other-kernel',
      `The live patch ${subject.name} was built for ${subject.release}, and this host runs ${release}`,
      { remedy: 'Run it where that kernel runs' },
    )
  const patch = readPatches(host)?.find(({ name }) => name === subject.name)
  const forecast = await forecastOnHost(job, host, replaced, request)
  return {
    format: 'inarch-forecast-1',
    module: { name: subject.name, release: subject.release },
    loaded: patch === undefined ? 'absent' : patch.moving ? 'moving' : 'there',
    left:
      patch?.moving !== true ? [] : patch.model === 'kernel' ? leftBehind(host, patch.enabled) : leftOver(host, patch),
    ...forecast,
  }
}

/** The tasks that the core names. */
function leftOver(host: Host, { name }: RunningPatch): Task[] {
  return leftByCore(host, name).flatMap(({ pid }) => parseStat(host.line(`/proc/${pid}/stat`) ?? '') ?? [])
}

/** The tasks whose patch state is the old one: 0 without the live patch, 1 with it (Documentation/livepatch). */
function leftBehind(host: Host, enabled: boolean): Task[] {
  const old = enabled ? '0' : '1'
  return tasksOf(host).flatMap((dir): Task[] => {
    if (host.line(`${dir}/patch_state`) !== old) return []
    const task = parseStat(host.line(`${dir}/stat`) ?? '')
    return task === undefined ? [] : [task]
  })
}
