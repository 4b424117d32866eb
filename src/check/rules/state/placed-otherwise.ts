// SPDX-License-Identifier: GPL-3.0-or-later
// Where an entry stands in a table, a hash or a tree is worked out again each time it is looked for. Entries that the
// old code has put in stand where the old code's function says.

import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { calls, insertionEndFindings, ordersItself, treeAdds } from '../../semantics/values/insertion-order.ts'
import { adds, isPlace } from '../../semantics/values/placement.ts'
import { sortedListFindings } from '../../semantics/values/sorted-lists.ts'
import type { ChangedFunctions } from '../../subject/changed-functions.ts'
import { type Found, ofTexts, warning } from '../../subject/rule.ts'

const hashes =
  /^(?:jhash\w*|hash_(?:32|64|long|ptr|min|mix)\w*|full_name_hash|hashlen_\w+|siphash\w*|hsiphash\w*|crc32\w*|xxh(?:32|64)\w*|__?\w*hash_?fn|partial_name_hash|murmur\w*)$/

/** What a function works out otherwise, beside its checks, and beside values that it does not return. */
function workings(definition: Definition, list: readonly Statement[]): Statement[] {
  const returned = returnedBy(definition)
  return list.filter(({ kind, tokens }) => {
    if (kind === 'exit') return tokens[0]?.text === 'return' && tokens.length > 2
    if (kind !== 'expression') return kind === 'loop'
    const target = targetOf(tokens)
    return target === undefined || returned.has(target)
  })
}

/** The local variable that a statement gives a value. */
function targetOf(tokens: readonly Token[]): string | undefined {
  const at = tokens.findIndex(({ text }) => /^(?:=|[-+*/%&|^]=|<<=|>>=)$/.test(text))
  return at > 0 && tokens[at - 1]!.kind === 'name' && !/^(?:->|\.|\*)$/.test(tokens[at - 2]?.text ?? '')
    ? tokens[at - 1]!.text
    : undefined
}

/** Variables that are returned, or that make others which are. */
function returnedBy({ body }: Definition): ReadonlySet<string> {
  const statements = statementsOf(body)
  const found = new Set<string>()
  const note = (tokens: readonly Token[]) => {
    for (const { kind, text } of tokens) if (kind === 'name') found.add(text)
  }
  for (const { kind, tokens } of statements) if (kind === 'exit') note(tokens)
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const { kind, tokens } of statements) {
      const target = kind === 'expression' ? targetOf(tokens) : undefined
      if (target !== undefined && found.has(target)) note(tokens)
    }
  }
  return found
}

function differs(before: Definition, after: Definition): boolean {
  if (before.kind === 'macro' || after.kind === 'macro')
    return before.body.map(({ text }) => text).join(' ') !== after.body.map(({ text }) => text).join(' ')
  const { gone, come } = differenceOf(statementsOf(before.body), statementsOf(after.body))
  const asks = (list: readonly Statement[]) => list.some(({ kind }) => kind === 'condition')
  if (isComparison(before) && isComparison(after) && asks(gone) && asks(come)) return true
  return workings(before, gone).length > 0 && workings(after, come).length > 0
}

/** Says only `less` and `more`: what it says of two entries, its conditions decide. */
function isComparison({ body }: Definition): boolean {
  const spelled = body.map(({ text }) => text).join(' ')
  return /\breturn - 1 ;/.test(spelled) && /\breturn 1 ;/.test(spelled)
}

/** Functions that work out a place themselves, and add. */
function hashesItself(before: Definition, after: Definition): boolean {
  if (!calls(after.body, adds) && !calls(after.body, treeAdds)) return false
  const { gone, come } = differenceOf(statementsOf(before.body), statementsOf(after.body))
  const hashing = ({ tokens }: Statement) => calls(tokens, hashes) || isMasked(tokens)
  return gone.some(hashing) && come.some(hashing)
}

/**
 * Gives its caller a part of a table by what it hashes: `return &table[hash & mask]`, `return table + hash_ptr(p,
 * BITS)`.
 */
function givesBucket(before: Definition, after: Definition): boolean {
  const hands = ({ head, body }: Definition) =>
    head.some(({ text }) => text === '*') &&
    statementsOf(body).some(
      ({ kind, tokens }) =>
        kind === 'exit' &&
        tokens[0]?.text === 'return' &&
        (isMasked(tokens) || (calls(tokens, hashes) && tokens.some(({ text }) => text === '+' || text === '['))),
    )
  if (!hands(before) || !hands(after)) return false
  const { gone, come } = differenceOf(statementsOf(before.body), statementsOf(after.body))
  return workings(before, gone).length > 0 && workings(after, come).length > 0
}

/** `table[key % SIZE]`, `table[key & mask]`. */
function isMasked(tokens: readonly Token[]): boolean {
  return tokens.some(({ text }, at) => {
    if (text !== '[') return false
    const inner = tokens.slice(at + 1, closing(tokens, at) - 1)
    return inner.some(({ text: one }) => /^(?:%|&|\^|>>)$/.test(one)) && inner.length > 2
  })
}

function sameText(one: readonly Token[], other: readonly Token[]): boolean {
  return one.length === other.length && one.every(({ text }, at) => text === other[at]!.text)
}

export function placedFindings(functions: ChangedFunctions): Found[] {
  const found: Found[] = []
  const put = (symbol: string, unit: string, message: string) => found.push({ symbol, unit, message })
  // A macro that places is told once, and not of each function that uses it.
  const ordered = [
    ...functions.all.filter(({ isPutIn }) => isPutIn),
    ...functions.all.filter(({ isPutIn }) => !isPutIn),
  ]
  for (const { name, file, before, after } of ordered) {
    if (before === undefined || after === undefined) continue
    const isTold = (after.written ?? []).some(({ text }) => found.some(({ symbol }) => symbol === text))
    if (isTold && before.written !== undefined && sameText(before.written, after.written ?? [])) continue
    if (differs(before, after) && isPlace(functions.after, name) && isPlace(functions.before, name))
      put(
        name,
        file,
        `${name} computes another place for an entry; entries that the old code has inserted stay at the ` +
          'old place, and are not found, or found twice',
      )
    else if (hashesItself(before, after) || givesBucket(before, after))
      put(name, file, `${name} computes another hash; existing entries stay where the old hash put them`)
    else {
      const order = ordersItself(before, after)
      if (order !== undefined)
        put(
          name,
          file,
          `${name} inserts entries in another order; the existing ${order} has the old order, and ` +
            `${order === 'tree' ? 'a search by the new one misses entries' : 'now holds both'}`,
        )
    }
  }
  found.push(...insertionEndFindings(functions), ...sortedListFindings(functions))
  for (const { name, file } of functions.constants)
    if (isPlace(functions.after, name) && !found.some(({ unit }) => unit === file))
      put(
        name,
        file,
        `${name} has another value, and it places entries of a table; entries that the old code has ` +
          'inserted stand elsewhere',
      )
  return found
}

export const placedOtherwise = warning(
  'placed-otherwise',
  'A hash, an index or an order by which entries of a table or tree that lives are placed and found, ' +
    'worked out otherwise than before',
  'Entries that are there stand where the old code put them; the new code looks for them ' +
    'elsewhere, and what the new code puts in the old code does not find',
  'Keep the function, or rebuild the table in a callback while nobody uses it (INARCH_PRE_PATCH and ' +
    'INARCH_POST_UNPATCH)',
  ['include/linux/hashtable.h: hash_min', 'Documentation/core-api/rbtree.rst: Inserting data into an rbtree'],
  ofTexts(placedFindings),
)
