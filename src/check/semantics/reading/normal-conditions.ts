// SPDX-License-Identifier: GPL-3.0-or-later
// Conditions in one spelling: `unlikely(!!(p))`, `(p)`, `p != NULL` and `p` ask the same, and so do `!p || IS_ERR(p)`
// and `IS_ERR_OR_NULL(p)`. What a function decides is compared by what it asks, and not by how that is written.

import { topOf, withoutParentheses } from '../../../c/tokens/brackets.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { isArrow } from '../../../c/tokens/names.ts'
import type { Definition } from '../../../c/written/functions.ts'

/** A condition: parts of which one, or all, must hold, or one question. */
type Condition =
  | { readonly joins: '||' | '&&'; readonly parts: readonly Condition[] }
  | { readonly asks: readonly Token[]; readonly isNot: boolean }

/** What binds less than a comparison: a question that has one of them at its top is left as it is. */
const loose = /^(?:[?:,&|^]|=|[-+*/%&|^]=|<<=|>>=)$/
const compares = /^(?:==|!=)$/
const hint = /^(?:un)?likely$/
const nothing = /^(?:NULL|0)$/

/** The function with each condition in one spelling. */
export function withNormalConditions(definition: Definition): Definition {
  return { ...definition, body: respelled(definition.body) }
}

function respelled(body: readonly Token[]): Token[] {
  const found: Token[] = []
  for (let at = 0; at < body.length; at++) {
    const { kind, text } = body[at]!
    const opens = body[at + 1]?.text === '('
    const end = opens ? closing(body, at + 1) : 0
    const inner = opens ? body.slice(at + 2, end - 1) : []
    if (kind !== 'name' || inner.length === 0) found.push(body[at]!)
    else if (text === 'if' || text === 'while') {
      found.push(body[at]!, body[at + 1]!, ...spelled(decisionOf(inner, false)), body[end - 1]!)
      at = end - 1
    } else if (hint.test(text)) {
      const plain = respelled(inner)
      found.push(...(isOne(plain) ? plain : [body[at + 1]!, ...plain, body[end - 1]!]))
      at = end - 1
    } else found.push(body[at]!)
  }
  return found
}

function decisionOf(written: readonly Token[], isNot: boolean): Condition {
  const tokens = bare(written)
  const question = { asks: tokens, isNot }
  if (hasAtTop(tokens, /^(?:[?,]|=|[-+*/%&|^]=|<<=|>>=)$/)) return question
  for (const word of ['||', '&&'] as const) {
    const parts = splitAt(tokens, word)
    if (parts.length < 2) continue
    const joins = isNot ? (word === '||' ? '&&' : '||') : word
    return joined(
      joins,
      parts.map((part) => decisionOf(part, isNot)),
    )
  }
  if (tokens[0]?.text === '!' && isOne(tokens.slice(1))) return decisionOf(tokens.slice(1), !isNot)
  const isCall = tokens[1]?.text === '(' && closing(tokens, 1) === tokens.length
  const value = tokens.slice(2, -1)
  if (tokens[0]?.text === 'IS_ERR_OR_NULL' && isCall && !value.some(({ text }) => text === '(')) {
    const error = [{ ...tokens[0], text: 'IS_ERR' }, ...tokens.slice(1)]
    const parts = [decisionOf(value, !isNot), { asks: error, isNot }]
    return joined(isNot ? '&&' : '||', parts)
  }
  return comparisonOf(question)
}

/** `p == NULL` is `!p`, and `!(a == b)` is `a != b`. */
function comparisonOf(question: { readonly asks: readonly Token[]; readonly isNot: boolean }): Condition {
  const { asks, isNot } = question
  if (hasAtTop(asks, loose)) return question
  const at = topOf(asks).find((index) => compares.test(asks[index]!.text))
  if (at === undefined) return question
  const [left, right] = [asks.slice(0, at), asks.slice(at + 1)]
  if (hasAtTop(right, compares)) return question
  const isEqual = asks[at]!.text === '=='
  const isNothing = (side: readonly Token[]) => side.length === 1 && nothing.test(side[0]!.text)
  if (isNothing(right)) return decisionOf(left, isEqual !== isNot)
  if (isNothing(left)) return decisionOf(right, isEqual !== isNot)
  const sign = { ...asks[at]!, text: isEqual === isNot ? '!=' : '==' }
  return { asks: [...bare(left), sign, ...bare(right)], isNot: false }
}

function joined(joins: '||' | '&&', parts: readonly Condition[]): Condition {
  return {
    joins,
    parts: parts.flatMap((part) => ('joins' in part && part.joins === joins ? part.parts : [part])),
  }
}

function spelled(decision: Condition, isPart = false): Token[] {
  if ('asks' in decision) {
    const { asks, isNot } = decision
    const put = isOne(asks) || (!isNot && !hasAtTop(asks, loose)) ? asks : within(asks)
    return isNot ? [sign('!', asks), ...put] : [...put]
  }
  const { joins, parts } = decision
  const tokens = parts.flatMap((part, index) => {
    const own = spelled(part, true)
    return index === 0 ? own : [sign(joins, own), ...own]
  })
  return isPart ? within(tokens) : tokens
}

function sign(text: string, beside: readonly Token[]): Token {
  return { ...beside[0]!, kind: 'punctuator', text }
}

function within(tokens: readonly Token[]): Token[] {
  return [sign('(', tokens), ...tokens, sign(')', tokens)]
}

/** Without parentheses and hints around the whole. */
function bare(written: readonly Token[]): readonly Token[] {
  const tokens = withoutParentheses(written)
  const isHint = hint.test(tokens[0]?.text ?? '') && tokens[1]?.text === '('
  return isHint && closing(tokens, 1) === tokens.length ? bare(tokens.slice(2, -1)) : tokens
}

/** @param words of which a `&` that takes an address is none */
function hasAtTop(tokens: readonly Token[], words: RegExp): boolean {
  return topOf(tokens).some((at) => words.test(tokens[at]!.text) && (at > 0 || tokens[at]!.text !== '&'))
}

function splitAt(tokens: readonly Token[], word: string): Token[][] {
  const parts: Token[][] = []
  let from = 0
  for (const at of topOf(tokens))
    if (tokens[at]!.text === word) {
      parts.push(tokens.slice(from, at))
      from = at + 1
    }
  return [...parts, tokens.slice(from)]
}

/** True of `x`, `!x->y[i]`, `f(x)` and `(x + y)`: nothing that stands in front of it takes a part of it only. */
function isOne(tokens: readonly Token[]): boolean {
  if (/^[!~*&]$/.test(tokens[0]?.text ?? '')) return isOne(tokens.slice(1))
  if (tokens[0]?.text === '(' && closing(tokens, 0) === tokens.length) return true
  return (
    tokens.length > 0 &&
    topOf(tokens).every((at, number, all) => {
      const last = number === 0 ? undefined : tokens[all[number - 1]!]
      return tokens[at]!.kind === 'punctuator' ? isArrow(tokens[at]) : last === undefined || last.kind === 'punctuator'
    })
  )
}
