// SPDX-License-Identifier: GPL-3.0-or-later
// Which names of the file a declaration uses, and how. Each word of its expanded tokens counts unless it is a member, a
// label or a local name; so what the scopes can't tell makes a use too many, never one too few.

import { attributeEnd } from '../tokens/declarators.ts'
import { closing, findOutside, openingOf, type Token, wordsOf } from '../tokens/lexer.ts'
import { isMember } from '../tokens/names.ts'
import { assignment, isTagWord, keywords } from '../tokens/words.ts'
import { type Scopes, scopesOf } from './scopes.ts'

export interface Use {
  readonly name: string
  readonly isTag: boolean
  /** Index of its token in the declaration. */
  readonly at: number
  /**
   * `call`: parentheses follow. `element`: a part of it is read. `change`: it is written to. `address`: that is taken.
   */
  readonly how: 'call' | 'element' | 'change' | 'address' | 'other'
}

/** How the name at `at` is used, told from its neighbours. */
function manner(tokens: readonly Token[], at: number): Use['how'] {
  let next = at + 1
  if (tokens[next]?.text === '(') return 'call'
  let first = at
  let isElement = false
  while (next < tokens.length) {
    const { text } = tokens[next]!
    if (text === '[') next = closing(tokens, next)
    else if (text === '.') next += 2
    else if (text === ')' && tokens[first - 1]?.text === '(' && tokens[first - 2]?.kind !== 'name') {
      first--
      next++
      continue
    } else break
    isElement = true
  }
  const before = tokens[first - 1]?.text ?? ''
  if (before === '++' || before === '--' || assignment.test(tokens[next]?.text ?? '')) return 'change'
  if (before === '&' && !endsOperand(tokens, first - 2)) return 'address'
  return isElement ? 'element' : 'other'
}

/**
 * Whether an operand ends at a token, so that an `&` behind it is a binary one. In doubt a parenthesis closes a cast.
 */
function endsOperand(tokens: readonly Token[], at: number): boolean {
  const { kind, text } = tokens[at] ?? { kind: 'punctuator', text: '' }
  if (text !== ')') return (kind === 'name' && !keywords.has(text)) || /^(?:number|char)$/.test(kind) || text === ']'
  const open = openingOf(tokens, at)
  const before = tokens[open - 1]
  if (before?.kind === 'name' && !keywords.has(before.text)) return true
  if (/^[)\]]$/.test(before?.text ?? '') || /^(?:sizeof|_Alignof|__alignof__)$/.test(before?.text ?? '')) return true
  const inner = tokens.slice(open + 1, at)
  const isCast =
    inner.at(-1)?.text === '*' ||
    inner.every((one) => one.kind === 'name') ||
    /^(?:__)?typeof(?:__)?$/.test(inner[0]?.text ?? '')
  return !isCast
}

/**
 * The scopes in a declaration. Initial values have none, unless there are statements in them, and tables are long:
 * they are read only then.
 */
function scopesIn(tokens: readonly Token[]): Scopes | undefined {
  const value = tokens.findIndex(({ text }) => text === '=' || text === '{' || text === '(')
  if (value === -1) return undefined
  if (tokens[value]!.text !== '=') return scopesOf(tokens)
  const hasStatements = tokens.some(({ text }, at) => text === '{' && tokens[at - 1]?.text === '(')
  return hasStatements ? scopesOf(tokens) : undefined
}

/** A word that is no member, no label and no keyword. */
interface Word {
  readonly name: string
  readonly at: number
  readonly isTag: boolean
  /** It stands in a text of assembly or of an attribute, which name symbols. */
  readonly isQuoted: boolean
}

function* wordsOfDeclaration(tokens: readonly Token[], scopes: Scopes | undefined): Generator<Word> {
  /** Tokens up to here stand in an attribute or in assembly. */
  let quotedUntil = 0
  /** Tokens in these ranges are members' names. */
  let membersFrom = 0
  let membersTo = 0
  for (let at = 0; at < tokens.length; at++) {
    const { kind, text, start } = tokens[at]!
    if (kind === 'string') {
      if (at < quotedUntil) for (const name of wordsOf(text)) yield { name, at, isTag: false, isQuoted: true }
      continue
    }
    if (kind !== 'name') continue
    if (keywords.has(text)) {
      quotedUntil = Math.max(quotedUntil, attributeEnd(tokens, at, tokens.length) ?? 0)
      continue
    }
    if (text === '__builtin_offsetof' && tokens[at + 1]?.text === '(') {
      membersTo = closing(tokens, at + 1)
      membersFrom = findOutside(tokens, at + 2, ',', membersTo)
      continue
    }
    const before = tokens[at - 1]?.text ?? ''
    if (isMember(tokens, at)) continue
    if (at > membersFrom && at < membersTo && /^[,.]$/.test(before)) continue
    if (scopes?.others.has(start) === true) continue
    let tag = at - 1
    // struct __attribute__((…)) name
    if (before === ')') {
      for (let back = at - 2; back >= 0 && back > at - 24; back--)
        if (tokens[back]!.text === '__attribute__') {
          if (attributeEnd(tokens, back, tokens.length) === at) tag = back - 1
          break
        }
    }
    const isTag = isTagWord(tokens[tag]?.text)
    yield { name: text, at, isTag, isQuoted: false }
  }
}

/**
 * The uses of names in a declaration.
 * @param isKnown whether a word is a name of the file at all; others are left out
 * @param own indexes of the tokens with which it declares its names
 */
export function usesOf(
  tokens: readonly Token[],
  own: ReadonlySet<number>,
  isKnown: (name: string, isTag: boolean) => boolean,
): Use[] {
  const uses: Use[] = []
  const scopes = scopesIn(tokens)
  const isLocal = (name: string, start: number): boolean =>
    scopes?.locals.get(name)?.some(({ from, to }) => start >= from && start < to) === true
  const ownNames = new Set([...own].map((at) => tokens[at]!.text))
  for (const { name, at, isTag, isQuoted } of wordsOfDeclaration(tokens, scopes)) {
    if ((own.has(at) && !isQuoted) || !isKnown(name, isTag)) continue
    if (isQuoted || isTag) uses.push({ name, isTag, at, how: 'other' })
    else if (!isLocal(name, tokens[at]!.start) || ownNames.has(name))
      uses.push({ name, isTag: false, at, how: manner(tokens, at) })
  }
  return uses
}

/**
 * The places of a local variable in a function.
 * @param declared index of the token that declares it
 * @returns indexes of the words that mean it, its declaration's among them; undefined when that can't be told
 */
export function placesOf(tokens: readonly Token[], declared: number): number[] | undefined {
  const { text: wanted, start: from } = tokens[declared]!
  const scopes = scopesOf(tokens)
  const ranges = scopes.locals.get(wanted) ?? []
  if (!ranges.some((range) => range.from === from)) return undefined
  const end = findOutside(tokens, declared, '}')
  const found: number[] = []
  for (const { name, at, isTag, isQuoted } of wordsOfDeclaration(tokens, scopes)) {
    if (name !== wanted || isTag) continue
    if (isQuoted) return undefined
    const { start } = tokens[at]!
    // Of the declarations that are known here, the last one counts.
    const around = ranges.filter((range) => start >= range.from && start < range.to)
    const last = Math.max(...around.map((range) => range.from))
    const isInside = at >= declared && at < end
    if (isInside !== around.some((range) => range.from === from)) return undefined
    if (isInside && last === from) found.push(at)
  }
  return found
}
