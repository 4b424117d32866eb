// SPDX-License-Identifier: GPL-3.0-or-later
// Lists that new code keeps sorted, and in which other new code stops looking where an entry stands behind the place of
// the one that is looked for. Entries that the old code has put in stand anywhere.

import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { listed } from '../../../ground/listed.ts'
import type { ChangedFunction, ChangedFunctions } from '../../subject/changed-functions.ts'
import type { Found } from '../../subject/rule.ts'
import { addsInOrder, walksByHand } from './insertion-order.ts'

/** The members of structs that a statement compares by their order: `struct x.prio` of `e->prio > new->prio`. */
function orderedBy({ tokens }: Statement, definition: Definition): string[] {
  const isOrder = tokens.some(
    ({ text }, at) =>
      /^(?:[<>]=?)$/.test(text) || (/cmp|compare|less|before|after/.test(text) && tokens[at + 1]?.text === '('),
  )
  if (!isOrder) return []
  const variables = variablesOf(definition)
  return tokens.flatMap(({ text }, at) => {
    const type = tokens[at - 1]?.text === '->' ? variables.get(tokens[at - 2]!.text)?.type : undefined
    return type !== undefined && /^struct /.test(type) ? [`${type}.${text}`] : []
  })
}

/** What a function that puts entries in newly goes by, in a walk of which the old code knew nothing. */
function sortsBy({ before, after }: ChangedFunction): ReadonlySet<string> {
  if (before === undefined || after === undefined || !insertsInOrder(after)) return new Set()
  const old = statementsOf(before.body)
  const isSorted = insertsInOrder(before) && old.some((one) => isInWalk(one) && orderedBy(one, before).length > 0)
  const { come } = differenceOf(old, statementsOf(after.body))
  return new Set(isSorted ? [] : come.filter(isInWalk).flatMap((one) => orderedBy(one, after)))
}

function insertsInOrder(definition: Definition): boolean {
  return addsInOrder(definition.body) || walksByHand(definition)
}

/** The head of a loop, or a condition in one. */
function isInWalk({ kind, under }: Statement): boolean {
  return kind === 'loop' || (kind === 'condition' && under.some((outer) => outer.kind === 'loop'))
}

/** By what a function newly ends a walk before its end. */
function stopsBy({ before, after }: ChangedFunction): ReadonlySet<string> {
  if (before === undefined || after === undefined) return new Set()
  const young = statementsOf(after.body)
  const { come } = differenceOf(statementsOf(before.body), young)
  return new Set(
    come
      .filter((one) => {
        const isEnd = young.some(
          ({ kind, under, tokens }) =>
            kind === 'exit' && under.at(-1) === one && /^(?:break|return|goto)$/.test(tokens[0]?.text ?? ''),
        )
        return isInWalk(one) && (one.kind === 'loop' || isEnd)
      })
      .flatMap((one) => orderedBy(one, after)),
  )
}

export function sortedListFindings({ all }: ChangedFunctions): Found[] {
  return all.flatMap((maker): Found[] => {
    const sorted = sortsBy(maker)
    if (sorted.size === 0) return []
    const users = all.flatMap((user) => {
      const stops = user.name === maker.name ? [] : [...stopsBy(user)].filter((member) => sorted.has(member))
      return stops.length === 0 ? [] : [{ name: user.name, stops }]
    })
    if (users.length === 0) return []
    const members = listed([...sorted].filter((member) => users.some(({ stops }) => stops.includes(member))))
    const names = users.map(({ name }) => name)
    return [
      {
        symbol: maker.name,
        unit: maker.file,
        functions: names,
        message:
          `${maker.name} now inserts entries in the order of ${members}, and ${listed(names)} now ` +
          `${users.length === 1 ? 'ends' : 'end'} a search by that order; existing entries are not in that order`,
      },
    ]
  })
}
