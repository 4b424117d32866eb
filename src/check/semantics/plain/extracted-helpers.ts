// SPDX-License-Identifier: GPL-3.0-or-later
// Functions that a patch cuts out of another one, or puts back into it. Where only one side has a function, what it
// does was, or is, done by its callers themselves; so they are read with its body in the place of the call.

import { argumentsAt } from '../../../c/tokens/calls.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { isArrow, isMember } from '../../../c/tokens/names.ts'
import { assignment } from '../../../c/tokens/words.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { parametersOf } from '../../../c/written/local-variables.ts'
import type { Side } from '../../subject/changed-functions.ts'

/** How deep cut out functions in cut out functions are followed. */
const deepest = 4
/** A body beyond this is left as it is. */
const mostTokens = 20_000

type Tokens = readonly Token[]
type Find = (name: string) => Definition | undefined

/** The function with those functions put in that the other side does not have; itself where it calls none. */
export function withHelpersPutIn(definition: Definition, side: Side, other: Side): Definition {
  const find = (name: string) => (other.definitions.has(name) ? undefined : side.definitions.get(name))
  const body = putIn(definition.body, find, [definition.name])
  return body === definition.body || body.length > mostTokens ? definition : { ...definition, body }
}

/** @param within the functions that are being read */
function putIn(body: Tokens, find: Find, within: readonly string[]): Tokens {
  if (within.length > deepest) return body
  const found: Token[] = []
  let isOther = false
  /** Where the statement begins, in `body` and in `found`. */
  let start = { at: 0, length: 0 }
  /** Where the statement under a condition begins. */
  const begins = new Set<number>()
  for (let at = 0; at < body.length; at++) {
    const { kind, text } = body[at]!
    if (begins.has(at)) start = { at, length: found.length }
    if (/^(?:if|while|for|switch)$/.test(text) && body[at + 1]?.text === '(') begins.add(closing(body, at + 1))
    const helper = kind === 'name' && body[at + 1]?.text === '(' ? find(text) : undefined
    const inner =
      helper?.kind === 'function' && !within.includes(text) ? bodyOf(helper, argumentsAt(body, at + 1)) : undefined
    const end = inner === undefined ? 0 : closing(body, at + 1)
    const value = inner && onlyValueOf(inner)
    const all = inner && body[end]?.text === ';' ? statementsFor(inner, body.slice(start.at, at)) : undefined
    const own = value ?? all
    if (own === undefined) {
      found.push(body[at]!)
      if (/^[;{}:]$/.test(text) || text === 'else' || text === 'do') start = { at: at + 1, length: found.length }
      continue
    }
    isOther = true
    const put = putIn(own, find, [...within, text])
    if (value !== undefined) {
      found.push(...(isPath(put) ? put : inBrackets('(', put, body[at]!)))
      at = end - 1
      continue
    }
    found.length = start.length
    found.push(...inBrackets('{', put, body[at]!))
    at = end
    start = { at: end + 1, length: found.length }
  }
  return isOther ? found : body
}

/** A body with the arguments in the place of its parameters; undefined where it changes one of these. */
function bodyOf(helper: Definition, values: readonly Tokens[]): Tokens | undefined {
  const { body } = helper
  const parameters = parametersOf(helper)
  if (values.filter(({ length }) => length > 0).length !== parameters.length) return undefined
  const given = new Map(parameters.map(({ name }, at) => [name, values[at]!]))
  const found: Token[] = []
  for (let at = 0; at < body.length; at++) {
    const token = body[at]!
    const [before = '', next = ''] = [body[at - 1]?.text, body[at + 1]?.text]
    const value = token.kind === 'name' && !isMember(body, at) ? given.get(token.text) : undefined
    if (value === undefined) {
      found.push(token)
      continue
    }
    const isSet = assignment.test(next) || /^(?:\+\+|--)$/.test(before)
    if ((isSet && before !== '*') || (before === '&' && next !== '->')) return undefined
    const path = value[0]?.text === '&' && isPath(value.slice(1)) ? value.slice(1) : undefined
    if (path !== undefined && next === '->') {
      found.push(...path, { ...body[++at]!, text: '.' })
    } else if (path !== undefined && before === '*') {
      found.pop()
      found.push(...path)
    } else if (isPath(value) || (/^[(,]$/.test(before) && /^[),]$/.test(next))) found.push(...value)
    else found.push(...inBrackets('(', value, token))
  }
  return found
}

/** `a->b.c`, a number or a constant. */
function isPath(tokens: Tokens): boolean {
  return tokens.every((token, at) => (at % 2 === 0 ? token.kind !== 'punctuator' : isArrow(token)))
}

function inBrackets(open: '(' | '{', tokens: Tokens, beside: Token): Token[] {
  const sign = (text: string): Token => ({ ...beside, kind: 'punctuator', text })
  return [sign(open), ...tokens, sign(open === '(' ? ')' : '}')]
}

/** What a function returns that does nothing else. */
function onlyValueOf(body: Tokens): Tokens | undefined {
  const isOne = body[0]?.text === 'return' && body.findIndex(({ text }) => text === ';') === body.length - 1
  return isOne && body.length > 2 ? body.slice(1, -1) : undefined
}

/**
 * The statements that stand for one that calls.
 * @param receiver what stands in front of the call in its statement: `err =`, `return`
 */
function statementsFor(body: Tokens, receiver: Tokens): Tokens | undefined {
  const returns = body.flatMap(({ text }, at) => (text === 'return' ? [at] : []))
  if (receiver.length === 1 && receiver[0]!.text === 'return') return body
  if (receiver.at(-1)?.text === '=') return body.flatMap((token) => (token.text === 'return' ? receiver : [token]))
  if (receiver.length > 0) return undefined
  // What leaves the helper early does not leave the caller.
  const isAtEnd = returns.length === 1 && returns[0] === body.length - 2
  return isAtEnd ? body.slice(0, -2) : returns.length === 0 ? body : undefined
}
