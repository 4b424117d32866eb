// SPDX-License-Identifier: GPL-3.0-or-later
// A new check trusts a count that the patch begins to keep otherwise. What the count has come to in the old code, which
// forgot to count down or up, is what the check finds first.

import { isMember } from '../../../c/tokens/names.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { effectsIn, readerOf } from '../../semantics/effects/effects.ts'
import type { ChangedFunction, ChangedFunctions } from '../../subject/changed-functions.ts'
import { type Doing, type Found, foundInEach, ofTexts, warning } from '../../subject/rule.ts'

const counts = /^(?:\+\+|--|\+= |-= |taken|given back|atomic\w*_(?:add|sub)|percpu_counter\w*)/

export function trustedFindings(functions: ChangedFunctions): Found[] {
  /** By the member and the struct that it is of. */
  const kept = new Map<string, { name: string; thing: string; object: string; member: string }>()
  const checks: { of: ChangedFunction; after: Definition; statement: Statement }[] = []
  for (const of of functions.all) {
    const { name, before, after } = of
    if (before === undefined || after === undefined) continue
    const { gone, come } = differenceOf(statementsOf(before.body), statementsOf(after.body))
    const tally = new Map<string, number>()
    const note = (list: readonly Statement[], side: 'before' | 'after', step: number) => {
      const variables = variablesOf(side === 'before' ? before : after)
      const reader = readerOf(functions, side)
      for (const effect of list.flatMap((one) => effectsIn(reader, one, variables)))
        if ((effect.kind === 'write' || effect.kind === 'count') && counts.test(effect.how) && effect.member !== '') {
          const { object, member } = effect
          const thing = `${object}.${member}`
          const key = `${thing}\n${effect.how}`
          tally.set(key, (tally.get(key) ?? 0) + step)
          if (tally.get(key) === 0) tally.delete(key)
          else kept.set(thing, { name, thing, object, member })
        }
    }
    note(gone, 'before', -1)
    note(come, 'after', 1)
    for (const [thing, { name: keeper }] of [...kept])
      if (keeper === name && ![...tally.keys()].some((key) => key.startsWith(`${thing}\n`))) kept.delete(thing)
    for (const statement of come)
      if (statement.kind === 'condition' && statement.leaves) checks.push({ of, after, statement })
  }
  const found = checks.flatMap(({ of, after, statement: { tokens } }): Doing[] => {
    if (!tokens.some(({ text }) => /^(?:<|>|<=|>=)$/.test(text))) return []
    const variables = variablesOf(after)
    return tokens.flatMap(({ text }, at): Doing[] => {
      if (!isMember(tokens, at)) return []
      const type = isMember(tokens, at - 2) ? '' : (variables.get(tokens[at - 2]?.text ?? '')?.type ?? '')
      const same = [...kept.values()].filter(({ member }) => member === text)
      // Where the path does not tell the struct, the member's name does.
      const isTold = /^(?:struct|union) /.test(type)
      return same
        .filter(({ object }) => !isTold || object === type || !/^(?:struct|union) /.test(object))
        .map(({ name: keeper, thing }) => ({
          of,
          does:
            `now leaves when ${thing} has come to a limit, and only the new ${keeper} counts ` +
            `${thing} right; existing objects have the old code’s count`,
          functions: [keeper],
        }))
    })
  })
  return foundInEach(found)
}

export const countTrusted = warning(
  'count-trusted',
  'A new check of a count that the patch also begins to keep otherwise',
  'The count of an object that lives is wrong by all that the old code did; the check may refuse ' +
    'everything from the first moment, or never',
  'Make the objects anew after the live patch is on, correct the count in a callback, or leave the check out',
  ['Documentation/livepatch/callbacks.rst: Safe updates to global data'],
  ofTexts(trustedFindings),
)
