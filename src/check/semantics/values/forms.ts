// SPDX-License-Identifier: GPL-3.0-or-later
// Functions that turn a value into the form in which something that lives keeps it, and back: one function that does
// both (`p ^ key`), two of which the names say so (`encode` and `decode`, `a_to_b` and `b_to_a`), and two that set a
// mark in a word and take it out.

import { callsIn } from '../../../c/tokens/calls.ts'
import { closing, findOutside, openingOf, type Token } from '../../../c/tokens/lexer.ts'
import { isMember } from '../../../c/tokens/names.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import type { ChangedFunctions, RewrittenFunction } from '../../subject/changed-functions.ts'
import { accessPathOf, liveMember, pathBefore } from '../reading/access-paths.ts'
import { spelled } from '../reading/calls-and-assignments.ts'
import { type Variables, withPlainAccesses } from './replacements.ts'

export interface FormSide {
  readonly name: string
  readonly file: string
  readonly gone: string
  readonly come: string
}

/** Two functions that change together. */
export interface FormPair {
  readonly one: FormSide
  readonly other: FormSide
  readonly what: string
}

/** The first statements beside checks that only one side has; undefined where one side has none of its own. */
function exchangeOf({ before, after }: RewrittenFunction): { gone: string; come: string } | undefined {
  const [old, young] = [before, after].map((one) => statementsOf(withPlainAccesses(one).body))
  const { gone, come } = differenceOf(old!, young!)
  const computing = (all: readonly Statement[]) =>
    all.find(({ kind, tokens }) => (kind === 'exit' || kind === 'expression') && computes(tokens))
  const [was, is] = [computing(gone), computing(come)]
  return was === undefined || is === undefined ? undefined : { gone: spelled(was.tokens), come: spelled(is.tokens) }
}

/** A result or a place gets what an operator, an index or a call makes; no message, and no mere error number. */
function computes(tokens: readonly Token[]): boolean {
  const isResult = tokens[0]?.text === 'return'
  const at = isResult ? 0 : tokens.findIndex(({ text }) => /^(?:[-+*/%&|^]|<<|>>)?=$/.test(text))
  if (at < 0) return false
  if (!isResult && tokens[at]!.text !== '=') return true
  const value = tokens.slice(at + 1)
  const isError = value[0]?.text === '-' && value.length === 2
  const isMade = value.some(({ text }) => /^(?:[-+*/%&|^(]|<<|>>)$/.test(text))
  return !isError && (isMade || tokens.slice(0, at).some(({ text }) => text === '['))
}

const words: readonly (readonly [there: RegExp, back: RegExp])[] = [
  [/(?:^|_)encode(?=_|$)/, /(?:^|_)decode(?=_|$)/],
  [/(?:^|_)pack(?=_|$)/, /(?:^|_)unpack(?=_|$)/],
  [/(?:^|_)compress(?=_|$)/, /(?:^|_)(?:de|un)compress(?=_|$)/],
  [/(?:^|_)serialize(?=_|$)/, /(?:^|_)deserialize(?=_|$)/],
  [/(?:^|_)encode_fh$/, /(?:^|_)fh_to_(?:dentry|parent)$/],
]

/** True when the second name says the way back of the first one. */
export function isWayBack(there: string, back: string): boolean {
  if (there === back) return false
  const [from, to] = there.split('_to_')
  if (to !== undefined && back === `${to}_to_${from}`) return true
  return words.some(([one, other]) => {
    const [left, right] = [there.replace(one, '_*'), back.replace(other, '_*')]
    return left !== there && right !== back && left === right
  })
}

function namedPairs(functions: ChangedFunctions): FormPair[] {
  const all = functions.rewritten.filter(({ after }) => after.kind === 'function')
  return all.flatMap((one) =>
    all.flatMap((other): FormPair[] => {
      if (!isWayBack(one.name, other.name)) return []
      // Of `a_to_b` and `b_to_a` each is the other one’s way back.
      if (isWayBack(other.name, one.name) && one.name > other.name) return []
      const [there, back] = [exchangeOf(one), exchangeOf(other)]
      if (there === undefined || back === undefined) return []
      return [{ one: { ...one, ...there }, other: { ...other, ...back }, what: 'turns one form into the other' }]
    }),
  )
}

/** `struct box.link`, or `*` for what an address alone says; undefined for what is only the function’s own. */
function keptPlace(tokens: readonly Token[], variables: Variables): string | undefined {
  const isByAddress = tokens[0]?.text === '*' && tokens[1]?.text === '(' && closing(tokens, 1) < tokens.length
  return isByAddress ? '*' : liveMember(accessPathOf(tokens, variables))
}

/** Where a function keeps what another one makes: `*(void **)at = f(…)`, `x->link = f(…)`. */
function keepsBy(definition: Definition, callee: string): string[] {
  const { body } = definition
  const variables = variablesOf(definition)
  return body.flatMap(({ text }, at) => {
    if (text !== callee || body[at + 1]?.text !== '(' || isMember(body, at)) return []
    let before = at
    while (body[before - 1]?.text === ')') before = openingOf(body, before - 1)
    if (body[before - 1]?.text !== '=') return []
    return keptPlace(withCast(body, pathBefore(body, before - 1), before - 1), variables) ?? []
  })
}

/** The path before an assignment, together with a cast in front of it. */
function withCast(body: readonly Token[], path: readonly Token[], end: number): readonly Token[] {
  let start = end - path.length
  while (start > 0 && !/^[;{}]$/.test(body[start - 1]!.text)) start--
  const whole = body.slice(start, end)
  return whole[0]?.text === '*' ? whole : path
}

/** What a function reads out of such a place and hands on: `f((void *)*(unsigned long *)at)`, `f(x->link)`. */
function readsBy(definition: Definition, callee: string): string[] {
  const { body } = definition
  const variables = variablesOf(definition)
  const filled = new Map<string, string>()
  for (const [at, { text }] of body.entries()) {
    if (text !== '=' || body[at - 1]?.kind !== 'name' || isMember(body, at - 1)) continue
    const place = keptPlace(body.slice(at + 1, findOutside(body, at + 1, ';')), variables)
    if (place !== undefined) filled.set(body[at - 1]!.text, place)
  }
  return callsIn(body).flatMap(({ name, values }) => {
    if (name !== callee) return []
    return values.flatMap((value) => {
      const bare = value[0]?.text === '(' && closing(value, 0) < value.length ? value.slice(closing(value, 0)) : value
      if (isComputed(bare)) return []
      return keptPlace(bare, variables) ?? (bare.length === 1 ? filled.get(bare[0]!.text) : undefined) ?? []
    })
  })
}

/** By an operator that stands outside of parentheses. */
function isComputed(tokens: readonly Token[]): boolean {
  for (let at = 0; at < tokens.length; at++) {
    const { text } = tokens[at]!
    if (text === '(' || text === '[') at = closing(tokens, at) - 1
    else if (/^(?:[-+/%|^?]|<<|>>)$/.test(text)) return true
  }
  return false
}

/** One function by which one function keeps a value, and another one reads it. */
function bothWays(functions: ChangedFunctions): FormPair[] {
  const definitions = [...functions.after.definitions.values()].filter(({ kind }) => kind === 'function')
  return functions.rewritten.flatMap((one): FormPair[] => {
    const exchange = one.after.kind === 'function' ? exchangeOf(one) : undefined
    const users = functions.after.users(one.name)
    if (exchange === undefined || users.size < 2) return []
    const uses = definitions.filter(({ name }) => users.has(name))
    const kept = uses.flatMap((its) => keepsBy(its, one.name).map((place) => ({ name: its.name, place })))
    const read = uses.flatMap((its) => readsBy(its, one.name).map((place) => ({ name: its.name, place })))
    const side = (name: string) => ({ name, file: functions.after.fileOf(name) ?? one.file, ...exchange })
    const pairs = kept.flatMap((put) =>
      read
        .filter(
          (take) => take.place === put.place && take.name !== put.name && !kept.some((its) => its.name === take.name),
        )
        .map((take) => ({ one: side(put.name), other: side(take.name), what: `uses ${one.name}` })),
    )
    return pairs.slice(0, 1)
  })
}

/** Short functions that hand back a word with a mark set, or without it; the mark has another value now. */
function marks(functions: ChangedFunctions): FormPair[] {
  const short = [...functions.after.definitions.values()].filter(
    ({ kind, body }) => kind === 'function' && body.length < longestHelper,
  )
  return functions.constants.flatMap(({ name: mark, file, before, after }): FormPair[] => {
    const sayers = (sign: '|' | '&') =>
      short.filter(({ body }) =>
        body.some(({ text }, at) => {
          const signAt = body[at - 1]?.text === '~' ? at - 2 : at - 1
          return text === mark && body[signAt]?.text === sign && body[0]?.text === 'return'
        }),
      )
    const [put, take] = [sayers('|')[0], sayers('&')[0]]
    if (put === undefined || take === undefined) return []
    const side = (name: string) => ({
      name,
      file: functions.after.fileOf(name) ?? file,
      gone: `${mark} = ${before}`,
      come: `${mark} = ${after}`,
    })
    return [{ one: side(put.name), other: side(take.name), what: `marks a word by ${mark}` }]
  })
}

/** A function’s text that is longer does more than to set a mark. */
const longestHelper = 40

/** Functions that change together, of which one makes the form that another one reads. */
export function formPairs(functions: ChangedFunctions): FormPair[] {
  return [...namedPairs(functions), ...bothWays(functions), ...marks(functions)]
}
