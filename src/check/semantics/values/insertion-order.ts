// SPDX-License-Identifier: GPL-3.0-or-later
// The order in which entries stand in a tree or a list: kept by a search for the place of each new one, or by the end
// to which it goes. Entries that are there stand in the old code's order.

import { valueFrom } from '../../../c/tokens/brackets.ts'
import { argumentsAt, callsIn } from '../../../c/tokens/calls.ts'
import type { Token } from '../../../c/tokens/lexer.ts'
import { isArrow, isMember } from '../../../c/tokens/names.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import { squeezed } from '../../../c/tokens/text.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { listed } from '../../../ground/listed.ts'
import { lastName, plainly } from '../../locks/operations.ts'
import type { ChangedFunctions, RewrittenFunction } from '../../subject/changed-functions.ts'
import type { Found } from '../../subject/rule.ts'

export const treeAdds =
  /^(?:rb_link_node\w*|rb_insert_color\w*|rb_add\w*|rb_find_add\w*|interval_tree_insert|hlist_add_(?:before|behind)\w*)$/

export function calls(tokens: readonly Token[], words: RegExp): boolean {
  return callsIn(tokens, words).length > 0
}

/** Puts into a tree, or into a list in front of or behind an entry that a loop has found. */
export function addsInOrder(body: readonly Token[]): boolean {
  if (calls(body, treeAdds)) return true
  const loops = callsIn(body, /^list_for_each(?:_entry)?(?:_reverse|_rcu|_safe)*$/)
  const cursors = new Set(loops.map(({ values }) => values[0]?.[0]?.text))
  // `last = r;`
  for (const [at, { text }] of body.entries())
    if (text === '=' && cursors.has(body[at + 1]?.text) && body[at + 2]?.text === ';') cursors.add(body[at - 1]?.text)
  return callsIn(body, /^list_add(?:_tail)?(?:_rcu)?$/).some(({ values }) =>
    cursors.has(values[1]?.find(({ kind }) => kind === 'name')?.text),
  )
}

/** Walks by a pointer to a pointer, `p = &x->next`, and stores there (`*p = new`) or hands the place out. */
export function walksByHand(definition: Definition): boolean {
  const { body } = definition
  return body.some(({ text }, at) => {
    if (text !== '=' || body[at + 1]?.text !== '&') return false
    const name = body[at - 1]
    if (variablesOf(definition).get(name?.text ?? '')?.pointers !== 2) return false
    const goesOn = valueFrom(body, at + 1).some((one) => one.text === '->')
    if (name?.kind !== 'name' || !goesOn || isMember(body, at - 1)) return false
    return body.some((one, use) => {
      if (one.text !== name.text) return false
      const [before, behind] = [body[use - 1]?.text, body[use + 1]?.text]
      const isStore = before === '*' && (behind === '=' || behind === ',')
      const isOut = before === '=' && isMember(body, use - 2) && behind === ';'
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
        while (tokens[end] !== undefined && (tokens[end]!.kind !== 'punctuator' || isArrow(tokens[end]))) end += step
        return squeezed(tokens.slice(Math.min(from, end + 1), Math.max(from + 1, end)))
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
    return !fails && tokens.some(({ text }) => /^[<>]=?$|cmp|compare|less|before|after/.test(text))
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
  const nameOf = (written: readonly Token[] = []): string | undefined => {
    const on = plainly(written)
    return on === '' || variables.has(on) ? undefined : lastName(on)
  }
  return statements.flatMap(({ tokens }) =>
    tokens.flatMap(({ text }, at): Use[] => {
      if (rows === takesFrom && /^(?:next|prev)$/.test(text) && isMember(tokens, at)) {
        // `queue->prev` of a head, not `entry->list.next` of what is gone through.
        const list = tokens[at - 2]!
        const name = variables.has(list.text) ? undefined : list.text
        return list.kind === 'name' ? [{ end: text === 'next' ? 'front' : 'back', list: name }] : []
      }
      const row = tokens[at + 1]?.text === '(' ? rows.find(([words]) => words.test(text)) : undefined
      if (row === undefined) return []
      const inner = argumentsAt(tokens, at + 1)
      return [{ end: row[1], list: nameOf(row[2] >= 0 ? inner[row[2]] : inner.at(/_safe/.test(text) ? 2 : 1)) }]
    }),
  )
}

/** The list of which a function uses the other end now. */
function turned({ before, after }: RewrittenFunction, rows: typeof addsTo): Use | undefined {
  const { gone, come } = differenceOf(statementsOf(before.body), statementsOf(after.body))
  const [was, is] = [usesIn(gone, rows, before), usesIn(come, rows, after)]
  return is.find(({ end, list }) => {
    const ends = was.filter((one) => one.list === list).map((one) => one.end)
    return ends.length > 0 && !ends.includes(end)
  })
}

/** Lists to which one function adds at the other end, and of which one takes from the other end. */
export function insertionEndFindings({ rewritten }: ChangedFunctions): Found[] {
  const [adders, takers] = [addsTo, takesFrom].map((rows) =>
    rewritten.flatMap((of) => {
      const one = turned(of, rows)
      return one === undefined ? [] : [{ of, ...one }]
    }),
  )
  const meet = (one: Use, other: Use) => one.list === undefined || other.list === undefined || one.list === other.list
  const adder = adders!.find((one) => takers!.some((other) => meet(one, other)))
  if (adder === undefined) return []
  const taking = takers!.filter((one) => meet(one, adder))
  const list = adder.list ?? taking.find((one) => one.list !== undefined)?.list ?? 'a list'
  const names = [...new Set(taking.map(({ of }) => of.name))]
  return [
    {
      symbol: adder.of.name,
      unit: adder.of.file,
      functions: names,
      message:
        `${adder.of.name} now puts entries at the ${adder.end} of ${list}, and ${listed(names)} ` +
        `${names.length === 1 ? 'goes' : 'go'} through it from the other end than before; existing ` +
        'entries stand in the old order',
    },
  ]
}
