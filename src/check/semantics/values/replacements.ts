// SPDX-License-Identifier: GPL-3.0-or-later
// Values in a function’s text that take the place of others: an argument of a call that stays, an operand of a
// statement that stays, the conditions above a step that stays. An added check that leaves replaces nothing.

import { argumentsAt, callsIn } from '../../../c/tokens/calls.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { renamed } from '../../../c/tokens/names.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { type Variable, variablesOf } from '../../../c/written/local-variables.ts'
import { type ChangedFunction, textOf } from '../../subject/changed-functions.ts'
import { isCast } from '../reading/access-paths.ts'
import { says } from '../reading/known-callees.ts'
import { withNormalConditions } from '../reading/normal-conditions.ts'

export type Variables = ReadonlyMap<string, Variable>

/** A statement of the new text with the one of the old text whose place it takes. */
export interface Replacement {
  readonly before: Statement
  readonly after: Statement
}

/** A value of a statement on both sides. */
export interface Exchange {
  readonly gone: readonly Token[]
  readonly come: readonly Token[]
  /** The statement as it is now, and where the new tokens begin in it. */
  readonly after: readonly Token[]
  readonly from: number
}

/** An argument that is another one now, of a call that is made as before. */
export interface ArgumentExchange {
  readonly callee: string
  readonly index: number
  readonly gone: readonly Token[]
  readonly come: readonly Token[]
  /** All arguments as they are now. */
  readonly values: readonly (readonly Token[])[]
}

const accessors = /^(?:READ_ONCE|WRITE_ONCE|data_race|(?:un)?likely)$/

/** Without casts, `READ_ONCE` and hints, and with `WRITE_ONCE` as an assignment: they change no value. */
export function withPlainAccesses(definition: Definition): Definition {
  return { ...definition, body: bare(withNormalConditions(definition).body) }
}

function bare(tokens: readonly Token[]): Token[] {
  const found: Token[] = []
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!
    const isAccessor = accessors.test(token.text) && tokens[at + 1]?.text === '('
    const isStripped = token.text === '(' && tokens[at - 1]?.kind !== 'name' && isCast(tokens, at)
    if (!isAccessor && !isStripped) {
      found.push(token)
      continue
    }
    const end = closing(tokens, at)
    const [place = [], value = []] = isAccessor ? argumentsAt(tokens, at + 1) : []
    if (token.text === 'WRITE_ONCE')
      found.push(...bare(place), { ...token, kind: 'punctuator', text: '=' }, ...bare(value))
    else if (isAccessor) found.push(...bare(tokens.slice(at + 2, end - 1)))
    at = end - 1
  }
  return found
}

/** How much of two statements must be the same. */
const leastAlike = 0.5

/** @returns none where only one side has the function */
export function replacementsIn({ before, after }: ChangedFunction): Replacement[] {
  if (before === undefined || after === undefined) return []
  const [old, young] = [before, after].map((one) => statementsOf(withPlainAccesses(one).body))
  const { gone, come } = differenceOf(old!, young!)
  const free = new Set(gone)
  return come.flatMap((one): Replacement[] => {
    if (saysOnly(one)) return []
    let best: Statement | undefined
    let most = leastAlike
    for (const other of free) {
      const alike = other.kind === one.kind && one.text !== other.text ? likeness(other.tokens, one.tokens) : 0
      if (alike > most) [best, most] = [other, alike]
    }
    if (best === undefined) return []
    free.delete(best)
    return [{ before: best, after: one }]
  })
}

function saysOnly({ tokens }: Statement): boolean {
  return tokens[1]?.text === '(' && says.test(tokens[0]!.text)
}

/** The share of the shorter text that the other one has in the same order. */
function likeness(old: readonly Token[], young: readonly Token[]): number {
  const { from, end, to } = windowOf(old, young)
  const [left, right] = [old.slice(from, end), young.slice(from, to)]
  let row = new Array<number>(right.length + 1).fill(0)
  if (left.length * right.length < mostCompared)
    for (const { text } of left) {
      const next = [0]
      for (const [at, other] of right.entries())
        next.push(text === other.text ? row[at]! + 1 : Math.max(row[at + 1]!, next[at]!))
      row = next
    }
  return (from + (old.length - end) + row.at(-1)!) / Math.min(old.length, young.length)
}

/** Longer texts are compared by their beginning and end alone. */
const mostCompared = 40_000

function windowOf(old: readonly Token[], young: readonly Token[]) {
  const least = Math.min(old.length, young.length)
  let from = 0
  while (from < least && old[from]!.text === young[from]!.text) from++
  let behind = 0
  while (behind < least - from && old.at(-1 - behind)!.text === young.at(-1 - behind)!.text) behind++
  return { from, to: young.length - behind, end: old.length - behind }
}

/** What differs between two statements, from the first token to the last. */
export function exchangeOf({ before: { tokens: old }, after: { tokens: young } }: Replacement): Exchange {
  const { from, to, end } = windowOf(old, young)
  return { gone: old.slice(from, end), come: young.slice(from, to), after: young, from }
}

export function argumentsThatChange({ before, after }: Replacement): ArgumentExchange[] {
  const old = callsIn(before.tokens)
  return callsIn(after.tokens).flatMap(({ name: callee, values }): ArgumentExchange[] => {
    const at = old.findIndex((one) => one.name === callee && one.values.length === values.length)
    if (at < 0) return []
    const was = old.splice(at, 1)[0]!.values
    return values.flatMap((come, index): ArgumentExchange[] => {
      const gone = was[index]!
      return textOf(gone) === textOf(come) ? [] : [{ callee, index, gone, come, values }]
    })
  })
}

/** Tokens as text without what local variables are called: members, constants, numbers, operators and calls stay. */
export function skeleton(tokens: readonly Token[], variables: Variables): string {
  return renamed(tokens, (name) => (variables.has(name) ? '_' : undefined)).replaceAll('->', '.')
}

/** The parts of an argument that differ, as one text for comparing with another function's. */
export function sameInBoth(
  gone: readonly Token[],
  come: readonly Token[],
  variables: { readonly before: Variables; readonly after: Variables },
): string {
  const { from, to, end } = windowOf(gone, come)
  return `${skeleton(gone.slice(from, end), variables.before)} → ${skeleton(come.slice(from, to), variables.after)}`
}

export function bothVariables({ before, after }: ChangedFunction) {
  return {
    before: before === undefined ? new Map<string, Variable>() : variablesOf(before),
    after: after === undefined ? new Map<string, Variable>() : variablesOf(after),
  }
}
