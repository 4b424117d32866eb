// SPDX-License-Identifier: GPL-3.0-or-later
// Counts and sums that live hold what the old code has counted. Where the new code turns at another number, or adds and
// takes off in another unit or on another counter, it reads them wrongly, and after a revert the old code does.

import { valueFrom } from '../../../c/tokens/brackets.ts'
import { isMember } from '../../../c/tokens/names.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { listed } from '../../../ground/listed.ts'
import { grouped } from '../../../ground/values/grouped.ts'
import { spelled } from '../../semantics/reading/calls-and-assignments.ts'
import { type Amount, amountsIn, type Threshold, thresholdsIn } from '../../semantics/values/counters.ts'
import type { ChangedFunctions, RewrittenFunction } from '../../subject/changed-functions.ts'
import { type Doing, type Found, foundIn, foundInEach, ofTexts, warning } from '../../subject/rule.ts'

const textsOf = (list: readonly { readonly text: string }[]) => listed(list.map(({ text }) => text))

function turnFindings({ rewritten }: ChangedFunctions): Found[] {
  const found = rewritten.flatMap((of) => {
    const [old, young] = [thresholdsIn(of.before), thresholdsIn(of.after)]
    return [...grouped(young, ({ thing }) => thing)].flatMap(([thing, is]): Doing[] => {
      const was = old.filter((one) => one.thing === thing)
      const isAmong = (one: Threshold, list: readonly Threshold[]) => list.some(({ at }) => at === one.at)
      const gone = was.filter((one) => !isAmong(one, is))
      const come = is.filter((one) => !isAmong(one, was))
      if (gone.length === 0 || come.length === 0) return []
      const does =
        `now decides at another count of ${thing} (${textsOf(gone)}, now ${textsOf(come)}); ` +
        'existing objects have the old code’s count'
      return [{ of, does }]
    })
  })
  return foundInEach(found)
}

function unitFindings(functions: ChangedFunctions): Found[] {
  const shifts = functions.rewritten.flatMap(({ name, file, before, after }) => {
    const old = amountsIn(before, (one) => functions.before.definitions.get(one))
    const young = amountsIn(after, (one) => functions.after.definitions.get(one))
    return [...grouped(young, ({ thing, direction }) => `${direction} ${thing}`).values()].flatMap((is) => {
      const [{ thing, direction }] = is as [Amount]
      const was = old.filter((one) => one.thing === thing && one.direction === direction)
      const isAmong = (one: Amount, list: readonly Amount[]) => list.some(({ exact }) => exact === one.exact)
      const gone = was.filter((one) => !isAmong(one, is))
      const come = is.filter((one) => !isAmong(one, was))
      if (gone.length === 0 || come.length === 0) return []
      return { thing, direction, name, file, gone, come }
    })
  })
  return [...grouped(shifts, ({ thing }) => thing)].flatMap(([thing, all]) => {
    const [up, down] = [all.filter((one) => one.direction === 'up'), all.filter((one) => one.direction === 'down')]
    const [adds, takes] = [up[0], down[0]]
    const names = all.map(({ name }) => name)
    // What one function adds and takes off again ends with its call.
    if (adds === undefined || takes === undefined || new Set(names).size < 2) return []
    const goneOf = (list: typeof all) => textsOf(list.flatMap(({ gone }) => gone))
    const comeOf = (list: typeof all) => textsOf(list.flatMap(({ come }) => come))
    return foundIn(
      adds,
      `${listed(up.map(({ name }) => name))} now ` +
        `${up.length === 1 ? 'adds' : 'add'} another amount to ${thing} (${goneOf(up)}, now ` +
        `${comeOf(up)}), and ${listed(down.map(({ name }) => name))} ` +
        `${down.length === 1 ? 'takes' : 'take'} another one off (${goneOf(down)}, now ${comeOf(down)}); ` +
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
  const found = all.flatMap((up): Doing[] => {
    const { from, to } = up
    const downs = all.filter(
      (one) =>
        one.direction === 'down' &&
        one.from === from &&
        one.to === to &&
        one.name !== up.name &&
        functions.areApart(one.name, up.name),
    )
    if (up.direction !== 'up' || downs.length === 0) return []
    const names = downs.map(({ name }) => name)
    const takes = new Set(names).size === 1 ? 'takes' : 'take'
    const does =
      `now adds to ${to} what it added to ${from}, and ${listed(names)} ${takes} it off ` +
      `${to}; what the old code has added to ${from} stays there and is taken off ${to}, and the ` +
      'other way round after a revert'
    return [{ of: up, does, functions: names }]
  })
  return foundInEach(found)
}

/** A count that went down and goes up now, or the other way round, and that another changed function sets otherwise. */
function turnedFindings(functions: ChangedFunctions): Found[] {
  const { before: old, after: young } = functions
  const found = functions.rewritten.flatMap((of): Doing[] => {
    const was = amountsIn(of.before, (one) => old.definitions.get(one))
    const is = amountsIn(of.after, (one) => young.definitions.get(one))
    return [...grouped(is, ({ thing }) => thing)].flatMap(([thing, steps]): Doing[] => {
      const ways = (list: readonly Amount[]) =>
        new Set(list.flatMap((one) => (one.thing === thing ? one.direction : [])))
      const [[then, ...more], [now, ...others]] = [[...ways(was)], [...ways(steps)]]
      if (then === undefined || then === now || more.length + others.length > 0) return []
      const setter = functions.rewritten.find((one) => one.name !== of.name && setsOtherwise(one, thing))
      if (setter === undefined) return []
      const does =
        `now counts ${thing} ${now} where it counted ${then}, and ${setter.name} sets it to something else; ` +
        'objects hold the old code’s count, which means the opposite to the new one'
      return [{ of, does, functions: [setter.name] }]
    })
  })
  return foundInEach(found)
}

/** A plain assignment to a member of this name that only one side has, in place of another one. */
function setsOtherwise({ before, after }: RewrittenFunction, thing: string): boolean {
  const sets = ({ body }: Definition) =>
    body.flatMap(({ text }, at) =>
      text === '=' && body[at - 1]?.text === thing && isMember(body, at - 1) ? [spelled(valueFrom(body, at + 1))] : [],
    )
  const [was, is] = [sets(before), sets(after)]
  return was.some((one) => !is.includes(one)) && is.some((one) => !was.includes(one))
}

export function countedFindings(functions: ChangedFunctions): Found[] {
  return [
    ...turnFindings(functions),
    ...unitFindings(functions),
    ...exchangeFindings(functions),
    ...turnedFindings(functions),
  ]
}

export const countedOtherwise = warning(
  'counted-otherwise',
  'A count that lives at which something turns at another number than before, a sum to which another ' +
    'amount is added and from which another one is taken off, a charge that moves to another counter, or a count ' +
    'that goes up where it went down',
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
