// SPDX-License-Identifier: GPL-3.0-or-later
// Counts and sums that live hold what the old code has counted. Where the new code turns at another number, or adds and
// takes off in another unit or on another counter, it reads them wrongly, and after a revert the old code does.

import { listed } from '../../../ground/listed.ts'
import { grouped } from '../../../ground/values/grouped.ts'
import { type Amount, amountsIn, type Threshold, thresholdsIn } from '../../semantics/values/counters.ts'
import type { ChangedFunctions } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

function turnFindings({ rewritten }: ChangedFunctions): Found[] {
  const said = new Set<string>()
  return rewritten.flatMap(({ name, file, before, after }) => {
    const [old, young] = [thresholdsIn(before), thresholdsIn(after)]
    return young.flatMap((threshold) => {
      const was = old.filter(({ thing }) => thing === threshold.thing)
      const is = young.filter(({ thing }) => thing === threshold.thing)
      const isAmong = (one: Threshold, list: readonly Threshold[]) => list.some(({ at }) => at === one.at)
      const gone = was.find((one) => !isAmong(one, is))
      if (gone === undefined || isAmong(threshold, was) || said.has(threshold.thing)) return []
      said.add(threshold.thing)
      return foundIn(
        { name, file },
        `${name} now decides at another count of ${threshold.thing} (${gone.text}, now ${threshold.text}); ` +
          'existing objects have the old code’s count',
      )
    })
  })
}

function unitFindings(functions: ChangedFunctions): Found[] {
  const shifts = functions.rewritten.flatMap(({ name, file, before, after }) => {
    const old = amountsIn(before, (one) => functions.before.definitions.get(one))
    const young = amountsIn(after, (one) => functions.after.definitions.get(one))
    return [...grouped(young, ({ thing, direction }) => `${direction} ${thing}`).values()].flatMap((is) => {
      const [{ thing, direction }] = is as [Amount]
      const was = old.filter((one) => one.thing === thing && one.direction === direction)
      const isAmong = (one: Amount, list: readonly Amount[]) => list.some(({ exact }) => exact === one.exact)
      const gone = was.find((one) => !isAmong(one, is))
      const come = is.find((one) => !isAmong(one, was))
      if (gone === undefined || come === undefined) return []
      return { thing, direction, name, file, gone: gone.text, come: come.text }
    })
  })
  return [...grouped(shifts, ({ thing }) => thing)].flatMap(([thing, all]) => {
    const [up, down] = [all.filter((one) => one.direction === 'up'), all.filter((one) => one.direction === 'down')]
    const [adds, takes] = [up[0], down[0]]
    const names = all.map(({ name }) => name)
    // What one function adds and takes off again ends with its call.
    if (adds === undefined || takes === undefined || new Set(names).size < 2) return []
    return foundIn(
      adds,
      `${listed(up.map(({ name }) => name))} now ` +
        `${up.length === 1 ? 'adds' : 'add'} another amount to ${thing} (${adds.gone}, now ` +
        `${adds.come}), and ${listed(down.map(({ name }) => name))} ` +
        `${down.length === 1 ? 'takes' : 'take'} another one off (${takes.gone}, now ${takes.come}); ` +
        'what the old code has added is taken off in the new unit, and the other way round after a revert',
      { functions: names },
    )
  })
}

/** Two counters of which a function changes the second one now, by what it changed the first one before. */
interface Exchange {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
  readonly direction: Amount['direction']
}

function exchangesIn(functions: ChangedFunctions): Exchange[] {
  const { before: old, after: young } = functions
  const says = ({ rest }: typeof old, thing: string) => rest.some(({ text }) => text === thing)
  // The patch may call a member or a variable otherwise.
  const isRenamed = (from: string, to: string) =>
    says(old, from) && !says(young, from) && says(young, to) && !says(old, to)
  return functions.rewritten.flatMap(({ name, file, before, after }): Exchange[] => {
    const was = amountsIn(before, (one) => old.definitions.get(one))
    const is = amountsIn(after, (one) => young.definitions.get(one))
    const isAmong = (list: readonly Amount[], thing: string) => list.some((one) => one.thing === thing)
    return was.flatMap(({ thing: from, direction, exact }) =>
      isAmong(is, from)
        ? []
        : is.flatMap(({ thing: to, direction: its, exact: amount }) =>
            its === direction && amount === exact && !isAmong(was, to) && !isRenamed(from, to)
              ? [{ name, file, from, to, direction }]
              : [],
          ),
    )
  })
}

/** What was charged to one counter, and is taken off another one now. */
function exchangeFindings(functions: ChangedFunctions): Found[] {
  const all = exchangesIn(functions)
  const said = new Set<string>()
  return all.flatMap((up) => {
    const { from, to } = up
    const down = all.find(
      (one) =>
        one.direction === 'down' &&
        one.from === from &&
        one.to === to &&
        one.name !== up.name &&
        functions.areApart(one.name, up.name),
    )
    if (up.direction !== 'up' || down === undefined || said.has(`${from} ${to}`)) return []
    said.add(`${from} ${to}`)
    return foundIn(
      up,
      `${up.name} now adds to ${to} what it added to ${from}, and ${down.name} takes it off ` +
        `${to}; what the old code has added to ${from} stays there and is taken off ${to}, and the ` +
        'other way round after a revert',
      { functions: [down.name] },
    )
  })
}

export function countedFindings(functions: ChangedFunctions): Found[] {
  return [...turnFindings(functions), ...unitFindings(functions), ...exchangeFindings(functions)]
}

export const countedOtherwise = warning(
  'counted-otherwise',
  'A count that lives at which something turns at another number than before, a sum to which another ' +
    'amount is added and from which another one is taken off, or a charge that moves to another counter',
  'The count holds what the old code has counted: the new code ends an object too early or never, ' +
    'or leaves a part of a charge for ever',
  'Count as before, or correct the counts of all objects in a callback while nobody uses them ' +
    '(INARCH_PRE_PATCH and INARCH_POST_UNPATCH)',
  [
    'include/linux/refcount.h: refcount_dec_and_test',
    'Documentation/livepatch/livepatch.rst: exchange meaning of some temporary structures',
  ],
  ofTexts(countedFindings),
)
