// SPDX-License-Identifier: GPL-3.0-or-later
// One changed function waits for what another changed one says. A task that still runs the old code does not say it,
// and whoever waits in the new code waits for ever.

import { listed } from '../../../ground/listed.ts'
import { grouped } from '../../../ground/values/grouped.ts'
import { type Balance, primitiveUsesOf, titleOf } from '../../locks/balance.ts'
import { deferredWorkFindings } from '../../semantics/effects/deferred-work.ts'
import type { ChangedFunctions } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

export function wakeFindings(functions: ChangedFunctions): Found[] {
  const all = primitiveUsesOf(functions).flatMap(({ balances }) => balances.filter(({ kind }) => kind === 'wait'))
  const mutual = [...grouped(all, ({ key }) => key).values()].flatMap((group) => {
    const waits = group.filter(({ before, after }) => after.take > before.take)
    const wakes = group.filter(({ before, after }) => after.give > before.give && after.take <= before.take)
    const [first] = waits.filter(({ of: waiter }) =>
      wakes.some(({ of: waker }) => functions.areApart(waiter.name, waker.name)),
    )
    if (first === undefined) return []
    const names = (list: readonly Balance[]) => list.map(({ of: { name } }) => name)
    return foundIn(
      first.of,
      `${listed(names(waits))} now ${waits.length === 1 ? 'waits' : 'wait'} on ${titleOf(first)} until ` +
        `${listed(names(wakes))} ${wakes.length === 1 ? 'signals' : 'signal'} it; a task that still runs the old ` +
        'code never signals it, and the wait may never end',
      { functions: [...names(waits), ...names(wakes)] },
    )
  })
  return [...mutual, ...deferredWorkFindings(functions)]
}

export const wakeUp = warning(
  'wake-up',
  'A wait in one changed function for what another changed function tells, and works, callbacks and ' +
    'timers that are handed to another place than before where another changed function waits for them',
  'Tasks of the old code do not tell it, so a task of the new code can wait for ever, and the ' +
    'transition with it; or it does not wait for what they have handed over',
  'Wait with a timeout, or wake from functions that the patch does not change; wait for the old place ' +
    'as well as for the new one',
  ['Documentation/scheduler/completion.rst: wait_for_completion', 'kernel/workqueue.c: flush_work'],
  ofTexts(wakeFindings),
)
