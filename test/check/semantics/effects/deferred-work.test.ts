// SPDX-License-Identifier: GPL-3.0-or-later
// What is handed to somebody who runs it later: dangerous where it goes elsewhere, and who waits for it waits there.
import { describe, expect, test } from 'vitest'
import { wakeFindings } from '../../../../src/check/rules/concurrency/wake-up.ts'
import { changedFunctions } from '../../../../src/check/subject/changed-functions.ts'
import { changeOf } from '../../text.ts'

type Way = readonly [hand: string, wait: string]
const pair = ([hand, wait]: Way) => `void some_start(struct some *s)
{
	s->busy = 1;
	${hand}
}
void some_stop(struct some *s)
{
	s->stops = 1;
	${wait}
}
`
const said = (before: string, after: string) =>
  wakeFindings(changedFunctions([changeOf(before, after)])).map(({ message }) => message)

const one: Way = ['queue_work(s->one, &s->work);', 'flush_workqueue(s->one);']
const other: Way = ['queue_work(s->other, &s->work);', 'flush_workqueue(s->other);']
const both: Way = [other[0], `${one[1]}\n\t${other[1]}`]
const rcu: Way = ['call_rcu(&s->rcu, run);', 'rcu_barrier();']
const srcu: Way = ['call_srcu(&readers, &s->rcu, run);', 'srcu_barrier(&readers);']
const queued: Way = ['queue_rcu_work(s->one, &s->rwork);', 'flush_workqueue(s->one);']
const timer: Way = ['mod_timer(&s->timer, jiffies);', 'del_timer_sync(&s->timer);']
const delayed: Way = ['schedule_delayed_work(&s->late, 1);', 'cancel_delayed_work_sync(&s->late);']

describe('what is handed elsewhere, and who waits for it', () => {
  test.each([
    ['a work to another workqueue', one, other],
    ['a callback to another grace period', rcu, srcu],
    ['a callback to a workqueue', rcu, queued],
    ['a timer becomes a work', timer, delayed],
  ] as readonly (readonly [string, Way, Way])[])('asks where %s, and back', (_, old, young) => {
    for (const [before, after] of [
      [old, young],
      [young, old],
    ] as const) {
      const messages = said(pair(before), pair(after))
      expect(messages).toHaveLength(1)
      expect(messages[0]).toMatch(/^some_start now queues on .*, and some_stop no longer waits for /)
    }
  })

  test('each function that waits is told', () => {
    const second = ([, wait]: Way) => `void some_reset(struct some *s)\n{\n\ts->resets = 1;\n\t${wait}\n}\n`
    const messages = said(pair(one) + second(one), pair(other) + second(other))
    expect(messages).toEqual([expect.stringContaining('some_stop'), expect.stringContaining('some_reset')])
  })

  test('where both are waited for, the old code does not', () => {
    expect(said(pair(one), pair(both))[0]).toMatch(/some_stop now waits for .* as well; the old code does not/)
  })

  test('where the old place is only no longer waited for', () => {
    expect(said(pair([one[0], both[1]]), pair(other))[0]).toMatch(
      /some_stop no longer waits for the workqueue s->one, and goes on/,
    )
  })

  test.each([
    ['only who hands over changes', one, [other[0], one[1]]],
    ['only who waits changes', one, [one[0], both[1]]],
    [
      'it is handed over at another time',
      timer,
      ['mod_timer(&s->timer, jiffies + HZ);', 'timer_delete_sync(&s->timer);'],
    ],
    [
      'it is handed over for another processor',
      one,
      ['queue_work_on(0, s->one, &s->work);', 'drain_workqueue(s->one);'],
    ],
    [
      'members of objects are only called so',
      [`s->ops->${one[0]}`, `s->ops->${one[1]}`],
      [`s->ops->${other[0]}`, `s->ops->${other[1]}`],
    ],
    ['both do so for something else besides', one, [`${one[0]}\n\t${timer[0]}`, `${one[1]}\n\t${timer[1]}`]],
  ] as readonly (readonly [string, Way, Way])[])('and not where %s', (_, before, after) => {
    expect(said(pair(before), pair(after))).toEqual([])
  })
})
