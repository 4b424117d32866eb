// SPDX-License-Identifier: GPL-3.0-or-later
// What is handed to somebody who runs it later (a workqueue, RCU, a timer, a tasklet, a thread's worker), and who waits
// until that is done. Where new code queues in another place than old code, whoever waits in the other place misses it.
// Facts: include/linux/{workqueue,rcupdate,srcu,timer,hrtimer,interrupt,kthread}.h.

import { callsIn } from '../../../c/tokens/calls.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { lastName, plainly, withHelpers } from '../../locks/operations.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import type { Found } from '../../subject/rule.ts'
import { doneMoreOften } from '../reading/differences.ts'

/** Who runs it, and the arguments that name the place; without any, there is only one of it. */
type Row = readonly [words: RegExp, role: 'queues' | 'waits', who: string, argument?: number]

const rows: readonly Row[] = [
  [/^(?:queue_(?:delayed_|rcu_)?work|mod_delayed_work)$/, 'queues', 'workqueue', 0],
  [/^(?:queue_(?:delayed_)?work_on|mod_delayed_work_on|queue_work_node)$/, 'queues', 'workqueue', 1],
  [/^(?:__)?(?:flush|drain|destroy)_workqueue$/, 'waits', 'workqueue', 0],
  [/^call_rcu(?:_hurry)?$|^k?v?free_rcu$/, 'queues', 'RCU'],
  [/^rcu_barrier$/, 'waits', 'RCU'],
  [/^call_srcu$/, 'queues', 'SRCU', 0],
  [/^srcu_barrier$/, 'waits', 'SRCU', 0],
  [/^call_rcu_tasks$/, 'queues', 'RCU tasks'],
  [/^rcu_barrier_tasks$/, 'waits', 'RCU tasks'],
  [/^(?:mod|add)_timer(?:_\w+)?$/, 'queues', 'timer', 0],
  [/^(?:del_timer_sync|timer_(?:delete|shutdown)_sync)$/, 'waits', 'timer', 0],
  [/^hrtimer_start\w*$/, 'queues', 'hrtimer', 0],
  [/^hrtimer_cancel$/, 'waits', 'hrtimer', 0],
  [/^tasklet_(?:hi_)?schedule$/, 'queues', 'tasklet', 0],
  [/^tasklet_kill$/, 'waits', 'tasklet', 0],
  [/^schedule_(?:delayed_)?work$/, 'queues', 'work', 0],
  [/^(?:cancel_(?:delayed_)?work_sync|flush_(?:delayed_)?work|disable_(?:delayed_)?work_sync)$/, 'waits', 'work', 0],
  [/^kthread_queue_(?:delayed_)?work$/, 'queues', 'worker', 0],
  [/^kthread_(?:flush|destroy)_worker$/, 'waits', 'worker', 0],
]
/** A work has its own queue besides, and can be waited for alone. */
const works = /^(?:queue_(?:delayed_|rcu_)?work|mod_delayed_work|kthread_queue_(?:delayed_)?work)$/

interface Deferral {
  readonly role: 'queues' | 'waits'
  /** Who runs it, by the place's last name. */
  readonly place: string
  readonly title: string
}

function deferralsOf(side: Side, own: Definition, other: Side): Deferral[] {
  return withHelpers(side, own, other).flatMap(({ body }) =>
    callsIn(body).flatMap((call): Deferral[] => {
      const row = rows.find(([words]) => words.test(call.name))
      if (row === undefined) return []
      const [, role, who, argument] = row
      const deferral = (kind: string, number: number | undefined): Deferral => {
        const on = number === undefined ? '' : plainly(call.values[number] ?? [])
        return { role, place: `${kind} ${lastName(on)}`, title: on === '' ? kind : `the ${kind} ${on}` }
      }
      return works.test(call.name) ? [deferral(who, argument), deferral('work', 1)] : [deferral(who, argument)]
    }),
  )
}

/**
 * What a function hands to another place than before, where another one no longer waits for the old place, or now for
 * the new one.
 */
export function deferredWorkFindings(functions: ChangedFunctions): Found[] {
  const differences = doneMoreOften(
    functions,
    deferralsOf,
    (one, other) => one.role === other.role && one.place === other.place,
  )
  return differences.flatMap((maker): Found[] => {
    const [from, to] = [maker.gone, maker.come].map((list) => list.filter(({ role }) => role === 'queues'))
    if (from!.length === 0 || to!.length === 0) return []
    const waitFor = (places: readonly Deferral[], waits: readonly Deferral[]) =>
      waits.find((one) => one.role === 'waits' && places.some(({ place }) => place === one.place))
    return differences.flatMap(({ of, gone, come }): Found[] => {
      if (of === maker.of || !functions.areApart(maker.of.name, of.name)) return []
      const [lost, won] = [waitFor(from!, gone), waitFor(to!, come)]
      if (lost === undefined && won === undefined) return []
      const old = from!.find((one) => lost === undefined || one.place === lost.place)!
      const young = to!.find((one) => won === undefined || one.place === won.place)!
      const end =
        lost === undefined
          ? `now waits for ${young.title} as well; the old code does not, during the transition and after a ` +
            'revert, and goes on while what the new code has queued there still runs'
          : `no longer waits for ${lost.title}, and goes on while what the old code has queued there still runs`
      const { name, file } = maker.of
      const message = `${name} now queues on ${young.title} what it queued on ${old.title}, and ${of.name} ${end}`
      return [{ symbol: name, unit: file, functions: [of.name], message }]
    })
  })
}
