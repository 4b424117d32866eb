// SPDX-License-Identifier: GPL-3.0-or-later
// Where an entry stands in a table, a hash or a tree is worked out again each time it is looked for. Entries that the
// old code has put in stand where the old code's function says.

import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { calls, insertionEndFindings, ordersItself, treeAdds } from '../../semantics/values/insertion-order.ts'
import { adds, isPlace } from '../../semantics/values/placement.ts'
import { sortedListFindings } from '../../semantics/values/sorted-lists.ts'
import { type ChangedFunctions, textOf } from '../../subject/changed-functions.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

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
  if (before.kind === 'macro' || after.kind === 'macro') return textOf(before.body) !== textOf(after.body)
  const { gone, come } = differenceOf(statementsOf(before.body), statementsOf(after.body))
  const asks = (list: readonly Statement[]) => list.some(({ kind }) => kind === 'condition')
  if (isComparison(before) && isComparison(after) && asks(gone) && asks(come)) return true
  return workings(before, gone).length > 0 && workings(after, come).length > 0
}

/** Says only `less` and `more`: what it says of two entries, its conditions decide. */
function isComparison({ body }: Definition): boolean {
  const text = textOf(body)
  return /\breturn - 1 ;/.test(text) && /\breturn 1 ;/.test(text)
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

/** What a function does about the places of entries otherwise than before; none where it does nothing. */
function displacements(functions: ChangedFunctions, before: Definition, after: Definition): string[] {
  const { name } = after
  const found: string[] = []
  if (differs(before, after) && isPlace(functions.after, name) && isPlace(functions.before, name))
    found.push(
      'computes another place for an entry; entries that the old code has inserted stay at the ' +
        'old place, and are not found, or found twice',
    )
  else if (hashesItself(before, after) || givesBucket(before, after))
    found.push('computes another hash; existing entries stay where the old hash put them')
  const order = ordersItself(before, after)
  const now = order === 'tree' ? 'a search by the new one misses entries' : 'now holds both'
  if (order !== undefined)
    found.push(`inserts entries in another order; the existing ${order} has the old order, and ${now}`)
  return found
}

export function placedFindings(functions: ChangedFunctions): Found[] {
  const found: Found[] = []
  // A macro that places is told once, and not of each function that uses it.
  const [macros, others] = [true, false].map((isMacro) =>
    functions.all.filter(({ isPutIn = false }) => isPutIn === isMacro),
  )
  for (const one of [...macros!, ...others!]) {
    const { name, before, after } = one
    if (before === undefined || after === undefined) continue
    const { written = [] } = after
    const isTold = written.some(({ text }) => found.some(({ symbol }) => symbol === text))
    if (isTold && before.written !== undefined && textOf(before.written) === textOf(written)) continue
    for (const what of displacements(functions, before, after)) found.push(foundIn(one, `${name} ${what}`))
  }
  found.push(...insertionEndFindings(functions), ...sortedListFindings(functions))
  // What a function does otherwise in which the constant stands, may be because of it.
  const isToldOf = (constant: string) =>
    found.some(({ symbol = '' }) => functions.after.definitions.get(symbol)?.body.some(({ text }) => text === constant))
  for (const one of functions.constants)
    if (isPlace(functions.after, one.name) && !isToldOf(one.name))
      found.push(
        foundIn(
          one,
          `${one.name} has another value, and it places entries of a table; entries that the old code has ` +
            'inserted stand elsewhere',
        ),
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
