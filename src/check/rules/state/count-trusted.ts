// SPDX-License-Identifier: GPL-3.0-or-later
// A new check trusts a count that the patch begins to keep otherwise. What the count has come to in the old code, which
// forgot to count down or up, is what the check finds first.

import { isMember } from '../../../c/tokens/names.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { effectsIn, readerOf } from '../../semantics/effects/effects.ts'
import type { ChangedFunctions } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

const counts = /^(?:\+\+|--|\+= |-= |taken|given back|atomic\w*_(?:add|sub)|percpu_counter\w*)/

export function trustedFindings(functions: ChangedFunctions): Found[] {
  const kept = new Map<string, { name: string; thing: string }>()
  const checks: { name: string; file: string; statement: Statement }[] = []
  for (const { name, file, before, after } of functions.all) {
    if (before === undefined || after === undefined) continue
    const { gone, come } = differenceOf(statementsOf(before.body), statementsOf(after.body))
    const tally = new Map<string, number>()
    const note = (list: readonly Statement[], side: 'before' | 'after', step: number) => {
      const variables = variablesOf(side === 'before' ? before : after)
      const reader = readerOf(functions, side)
      for (const effect of list.flatMap((one) => effectsIn(reader, one, variables)))
        if ((effect.kind === 'write' || effect.kind === 'count') && counts.test(effect.how) && effect.member !== '') {
          const key = `${effect.member}\n${effect.how}`
          tally.set(key, (tally.get(key) ?? 0) + step)
          if (tally.get(key) === 0) tally.delete(key)
          else kept.set(effect.member, { name, thing: `${effect.object}.${effect.member}` })
        }
    }
    note(gone, 'before', -1)
    note(come, 'after', 1)
    for (const member of [...kept.keys()])
      if (kept.get(member)?.name === name && ![...tally.keys()].some((key) => key.startsWith(`${member}\n`)))
        kept.delete(member)
    for (const statement of come)
      if (statement.kind === 'condition' && statement.leaves) checks.push({ name, file, statement })
  }
  const said = new Set<string>()
  return checks.flatMap(({ name, file, statement: { tokens } }) => {
    const compares = tokens.some(({ text }) => /^(?:<|>|<=|>=)$/.test(text))
    const at = tokens.findIndex(({ text }, index) => kept.has(text) && isMember(tokens, index))
    const member = tokens[at]?.text
    if (!compares || member === undefined || said.has(member)) return []
    said.add(member)
    const { name: keeper, thing } = kept.get(member)!
    return foundIn(
      { name, file },
      `${name} now leaves when ${thing} has come to a limit, and only the new ${keeper} counts ` +
        `${thing} right; existing objects have the old code’s count`,
      { functions: [keeper] },
    )
  })
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
