// SPDX-License-Identifier: GPL-3.0-or-later
// Where a name stands in C text: `lock` of `x->lock` is a member's name, and has nothing to do with a variable `lock`.
import type { Token } from './lexer.ts'

/** True of `->` and `.`. */
export function isArrow(token: Token | undefined): boolean {
  return token?.text === '->' || token?.text === '.'
}

/** True when what stands at an index is the name of a member: `m` of `x->m` and `v.m`. */
export function isMember(tokens: readonly Token[], at: number): boolean {
  return isArrow(tokens[at - 1])
}

/** Where a name stands that is no member's, also in `&V` and `V[i]`. */
export function wordsAt(tokens: readonly Token[], name: string): number[] {
  return tokens.flatMap(({ text }, at) => (text === name && !isMember(tokens, at) ? [at] : []))
}

/** True when a name stands there that is no member's. */
export function isNamed(tokens: readonly Token[], name: string): boolean {
  return tokens.some(({ text }, at) => text === name && !isMember(tokens, at))
}

/**
 * Tokens as text, with other words in the place of names that are no members'.
 * @param put the word for a name; undefined leaves it as it is
 */
export function renamed(tokens: readonly Token[], put: (name: string) => string | undefined): string {
  return tokens
    .map(({ kind, text }, at) => (kind === 'name' && !isMember(tokens, at) ? (put(text) ?? text) : text))
    .join(' ')
}
