// SPDX-License-Identifier: GPL-3.0-or-later
// The order in which entries stand in a tree or a list: kept by a search for the place of each new one, or by the end
// to which it goes. Entries that are there stand in the old code's order.

import { argumentsAt } from '../../../c/tokens/calls.ts'
import type { Token } from '../../../c/tokens/lexer.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { listed } from '../../../ground/listed.ts'
import { lastName, plainly } from '../../locks/operations.ts'
import type { ChangedFunction, ChangedFunctions } from '../../subject/changed-functions.ts'
import type { Found } from '../../subject/rule.ts'
import { valueFrom } from '../reading/member-accesses.ts'

export const treeAdds =
  /^(?:rb_link_node\w*|rb_insert_color\w*|rb_add\w*|rb_find_add\w*|interval_tree_insert|hlist_add_(?:before|behind)\w*)$/

export function calls(tokens: readonly Token[], words: RegExp): boolean {
  return tokens.some(({ kind, text }, at) => kind === 'name' && words.test(text) && tokens[at + 1]?.text === '(')
}

/** Puts into a tree, or into a list in front of or behind an entry that a loop has found. */
export function addsInOrder(body: readonly Token[]): boolean {
  if (calls(body, treeAdds)) return true
  const cursors = new Set(
    body.flatMap(({ text }, at) =>
      /^list_for_each(?:_entry)?(?:_reverse|_rcu|_safe)*$/.test(text) ? [argumentsAt(body, at + 1)[0]?.[0]?.text] : [],
    ),
  )
  // `last = r;`
  for (const [at, { text }] of body.entries())
    if (text === '=' && cursors.has(body[at + 1]?.text) && body[at + 2]?.text === ';') cursors.add(body[at - 1]?.text)
  return body.some(({ text }, at) => {
    if (!/^list_add(?:_tail)?(?:_rcu)?$/.test(text) || body[at + 1]?.text !== '(') return false
    const head = argumentsAt(body, at + 1)[1]?.find(({ kind }) => kind === 'name')
    return cursors.has(head?.text)
  })
}

/** Walks by a pointer to a pointer, `p = &x->next`, and stores there (`*p = new`) or hands the place out. */
export function walksByHand(definition: Definition): boolean {
  const { body } = definition
  return body.some(({ text }, at) => {
    if (text !== '=' || body[at + 1]?.text !== '&') return false
    const name = body[at - 1]
    if (variablesOf(definition).get(name?.text ?? '')?.pointers !== 2) return false
    const goesOn = valueFrom(body, at + 1).some((one) => one.text === '->')
    if (name?.kind !== 'name' || !goesOn || /^(?:->|\.)$/.test(body[at - 2]?.text ?? '')) return false
    return body.some((one, use) => {
      if (one.text !== name.text) return false
      const [before, behind] = [body[use - 1]?.text, body[use + 1]?.text]
      const isStore = before === '*' && (behind === '=' || behind === ',')
      const isOut = before === '=' && /^(?:->|\.)$/.test(body[use - 3]?.text ?? '') && behind === ';'
      return isStore || isOut || (before === 'return' && behind === ';')
    })
  })
}

/** `a->prio >= b` as it is compared: which way, and the two sides in the order of the alphabet. */
function comparison({ tokens }: Statement): string {
  return tokens
    .flatMap(({ text }, at) => {
      if (!/^[<>]=?$/.test(text)) return []
      const side = (from: number, step: 1 | -1) => {
        let end = from
        while (
          tokens[end] !== undefined &&
          (tokens[end]!.kind !== 'punctuator' || /^(?:->|\.)$/.test(tokens[end]!.text))
        )
          end += step
        return tokens
          .slice(Math.min(from, end + 1), Math.max(from + 1, end))
          .map((one) => one.text)
          .join('')
      }
      const [left, right] = [side(at - 1, -1), side(at + 1, 1)]
      return [left <= right ? `${left} ${text[0]} ${right}` : `${right} ${text[0] === '<' ? '>' : '<'} ${left}`]
    })
    .join('\n')
}

/** A search for the place of a new entry, by other comparisons than before. */
export function ordersItself(before: Definition, after: Definition): 'tree' | 'list' | undefined {
  const isTree = calls(after.body, treeAdds)
  const isList = addsInOrder(after.body) || (walksByHand(before) && walksByHand(after))
  if (!isTree && !isList) return undefined
  const [old, young] = [statementsOf(before.body), statementsOf(after.body)]
  const { gone, come } = differenceOf(old, young)
  const compares = (all: readonly Statement[]) => (one: Statement) => {
    const { kind, tokens, under, leaves } = one
    if (kind !== 'condition' || !under.some((outer) => outer.kind === 'loop')) return false
    if (isTree && leaves) return false
    // Who leaves with an error has found no place.
    const fails = all.some(
      ({ kind: its, under: around, text }) =>
        its === 'exit' && around.at(-1) === one && /^(?:goto|return (?:- E|ERR_PTR|false))/.test(text),
    )
    if (fails) return false
    return (
      tokens.some(({ text }) => /^(?:<|>|<=|>=)$/.test(text)) ||
      tokens.some(({ text }) => /cmp|compare|less|before|after/.test(text))
    )
  }
  const [was, is] = [gone.filter(compares(old)), come.filter(compares(young))]
  if (was.length === 0 || is.length === 0) return undefined
  if (isTree) return 'tree'
  // Among entries that are equal a list may have any order.
  const ways = (list: readonly Statement[]) => list.map(comparison).sort().join('\n')
  return ways(was) === ways(is) ? undefined : 'list'
}

type End = 'front' | 'back'

/** Where something goes to, or is taken from, and of which list; of a list that is handed in the name is not known. */
interface Use {
  readonly end: End
  readonly list: string | undefined
}

const addsTo: readonly (readonly [RegExp, End, number])[] = [
  [/^list_(?:add|move)(?:_rcu)?$/, 'front', 1],
  [/^list_(?:add|move)_tail(?:_rcu)?$/, 'back', 1],
  [/^(?:__)?skb_queue_head$/, 'front', 0],
  [/^(?:__)?skb_queue_tail$/, 'back', 0],
]
const takesFrom: readonly (readonly [RegExp, End, number])[] = [
  [/^list_first_entry(?:_or_null)?$/, 'front', 0],
  [/^list_last_entry$/, 'back', 0],
  [/^list_for_each_entry(?:_safe|_rcu)*$/, 'front', -1],
  [/^list_for_each_entry(?:_safe)?_reverse$/, 'back', -1],
  [/^(?:__)?skb_(?:dequeue|peek)$/, 'front', 0],
  [/^(?:__)?skb_(?:dequeue|peek)_tail$/, 'back', 0],
]

function usesIn(statements: readonly Statement[], rows: typeof addsTo, definition: Definition): Use[] {
  const variables = variablesOf(definition)
  const nameOf = (written: readonly Token[]): string | undefined => {
    const on = plainly(written)
    const isOwn = /^[A-Za-z_]\w*$/.test(on) && variables.has(on)
    return on === '' || isOwn ? undefined : lastName(on)
  }
  return statements.flatMap(({ tokens }) =>
    tokens.flatMap(({ text }, at): Use[] => {
      if (rows === takesFrom && /^(?:next|prev)$/.test(text) && /^(?:->|\.)$/.test(tokens[at - 1]?.text ?? '')) {
        // `queue->prev` of a head, not `entry->list.next` of what is gone through.
        const list = tokens[at - 2]
        return list?.kind === 'name'
          ? [
              {
                end: text === 'next' ? 'front' : 'back',
                list: variables.has(list.text) ? undefined : list.text,
              },
            ]
          : []
      }
      if (tokens[at + 1]?.text !== '(') return []
      const row = rows.find(([words]) => words.test(text))
      if (row === undefined) return []
      const inner = argumentsAt(tokens, at + 1)
      const list = row[2] >= 0 ? inner[row[2]] : inner.at(/_safe/.test(text) ? 2 : 1)
      return [{ end: row[1], list: nameOf(list ?? []) }]
    }),
  )
}

/** The list of which a function uses the other end now. */
function turned(
  { before, after }: ChangedFunction,
  rows: typeof addsTo,
): { readonly list: string | undefined; readonly to: End } | undefined {
  if (before === undefined || after === undefined) return undefined
  const { gone, come } = differenceOf(statementsOf(before.body), statementsOf(after.body))
  const [was, is] = [usesIn(gone, rows, before), usesIn(come, rows, after)]
  const now = is.find(
    ({ end, list }) =>
      was.some((one) => one.end !== end && one.list === list) &&
      !was.some((one) => one.end === end && one.list === list),
  )
  return now && { list: now.list, to: now.end }
}

/** Lists to which one function adds at the other end, and of which one takes from the other end. */
export function insertionEndFindings({ all }: ChangedFunctions): Found[] {
  const both = all.filter(({ isPutIn }) => isPutIn !== true)
  const [adders, takers] = [addsTo, takesFrom].map((rows) =>
    both.flatMap((of) => {
      const one = turned(of, rows)
      return one === undefined ? [] : [{ of, ...one }]
    }),
  )
  const adder = adders!.find((one) =>
    takers!.some(({ list }) => list === undefined || one.list === undefined || list === one.list),
  )
  if (adder === undefined) return []
  const taking = takers!.filter(({ list }) => list === undefined || adder.list === undefined || list === adder.list)
  const list = adder.list ?? taking.find((one) => one.list !== undefined)?.list ?? 'a list'
  const names = [...new Set(taking.map(({ of }) => of.name))]
  return [
    {
      symbol: adder.of.name,
      unit: adder.of.file,
      functions: names,
      message:
        `${adder.of.name} now puts entries at the ${adder.to} of ${list}, and ${listed(names)} ` +
        `${names.length === 1 ? 'goes' : 'go'} through it from the other end than before; existing ` +
        'entries stand in the old order',
    },
  ]
}
