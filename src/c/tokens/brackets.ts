// SPDX-License-Identifier: GPL-3.0-or-later
// Parts of C text by its brackets and by what separates them.
import { closing, findOutside, isOpening, type Token } from './lexer.ts'

/** `((x))` is `x`. */
export function withoutParentheses(tokens: readonly Token[]): readonly Token[] {
  const isWhole = tokens[0]?.text === '(' && closing(tokens, 0) === tokens.length
  return isWhole ? withoutParentheses(tokens.slice(1, -1)) : tokens
}

/** The value that begins at `start`: an argument, an initialiser, what is assigned. */
export function valueFrom(tokens: readonly Token[], start: number): readonly Token[] {
  return tokens.slice(start, findOutside(tokens, start, ',;)}'))
}

/** Where the statement, or the block, begins in which something stands. */
export function statementStart(tokens: readonly Token[], at: number): number {
  let start = at
  while (start > 0 && !/^[;{}]$/.test(tokens[start - 1]!.text)) start--
  return start
}

/** What stands between words, in brackets or not: `a` and `b` of `a && b`. */
export function partsBetween(tokens: readonly Token[], words = /^(?:&&|\|\|)$/): Token[][] {
  const parts: Token[][] = [[]]
  for (const token of tokens)
    if (words.test(token.text)) parts.push([])
    else parts.at(-1)!.push(token)
  return parts
}

/** The tokens that are in no brackets, by number. */
export function topOf(tokens: readonly Token[]): number[] {
  const found: number[] = []
  for (let at = 0; at < tokens.length; at++)
    if (isOpening(tokens[at]!)) at = closing(tokens, at) - 1
    else found.push(at)
  return found
}
