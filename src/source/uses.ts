// SPDX-License-Identifier: GPL-3.0-or-later
// Which names of the file a declaration uses, and how. Each word of its expanded tokens counts unless it is a member, a label
// or a local name; so what the grammar can't follow makes a use too many, never one too few.
import { attributeEnd } from './declarators.ts'
import type { Grammar, Scopes } from './grammar.ts'
import { closing, type Token, wordsOf } from './lexer.ts'

export interface Use {
  readonly name: string
  readonly isTag: boolean
  /** Index of its token in the declaration. */
  readonly at: number
  /** `call`: parentheses follow. `element`: a part of it is read. `change`: it is written to. */
  readonly how: 'call' | 'element' | 'change' | 'other'
}

const keywords = new Set(
  (
    'auto break case char const continue default do double else enum extern float for goto if inline int long ' +
    'register restrict return short signed sizeof static struct switch typedef union unsigned void volatile ' +
    'while _Bool _Alignof __alignof__ __inline __inline__ __extension__ __volatile__ __const __signed__ asm __asm__ ' +
    'typeof __typeof__ __attribute__ __label__ __auto_type __int128 _Static_assert _Generic __func__ __restrict'
  ).split(' '),
)

const assignment = /^(?:=|\+=|-=|\*=|\/=|%=|&=|\|=|\^=|<<=|>>=|\+\+|--)$/

/** How the name at `at` is used, told from its neighbours. */
function manner(tokens: readonly Token[], at: number): Use['how'] {
  let next = at + 1
  if (tokens[next]?.text === '(') return 'call'
  const before = tokens[at - 1]?.text ?? ''
  if (before === '++' || before === '--') return 'change'
  let isElement = false
  while (next < tokens.length) {
    const { text } = tokens[next]!
    if (text === '[') next = closing(tokens, next)
    else if (text === '.') next += 2
    else break
    isElement = true
  }
  if (assignment.test(tokens[next]?.text ?? '')) return 'change'
  // A binary & has an operand before it.
  const takesAddress =
    before === '&' &&
    !/^(?:name|number)$/.test(tokens[at - 2]?.kind ?? '') &&
    !/^[)\]]$/.test(tokens[at - 2]?.text ?? '')
  if (takesAddress) return 'other'
  return isElement ? 'element' : 'other'
}

/**
 * The scopes in a declaration. Initial values have none, unless there are statements in them, and tables are long: the grammar
 * sees them only then.
 */
function scopesIn(tokens: readonly Token[], grammar: Grammar): Scopes | undefined {
  const value = tokens.findIndex(({ text }) => text === '=' || text === '{' || text === '(')
  if (value === -1) return undefined
  if (tokens[value]!.text !== '=') return grammar.scopes(tokens)
  const hasStatements = tokens.some(({ text }, at) => text === '{' && tokens[at - 1]?.text === '(')
  return hasStatements ? grammar.scopes(tokens) : undefined
}

/**
 * The uses of names in a declaration.
 * @param isKnown whether a word is a name of the file at all; others are left out
 * @param own indexes of the tokens with which it declares its names
 */
export function usesOf(
  tokens: readonly Token[],
  own: ReadonlySet<number>,
  grammar: Grammar,
  isKnown: (name: string, isTag: boolean) => boolean,
): Use[] {
  const uses: Use[] = []
  const scopes = scopesIn(tokens, grammar)
  const isLocal = (name: string, start: number): boolean =>
    scopes?.locals.get(name)?.some(({ from, to }) => start >= from && start < to) === true
  const ownNames = new Set([...own].map((at) => tokens[at]!.text))
  /** Tokens up to here stand in an attribute or in assembly, whose texts name symbols. */
  let quotedUntil = 0
  /** Tokens in these ranges are members' names. */
  let membersFrom = 0
  let membersTo = 0
  for (let at = 0; at < tokens.length; at++) {
    const { kind, text, start } = tokens[at]!
    if (kind === 'string') {
      if (at < quotedUntil)
        for (const name of wordsOf(text))
          if (isKnown(name, false)) uses.push({ name, isTag: false, at, how: 'other' })
      continue
    }
    if (kind !== 'name') continue
    if (keywords.has(text)) {
      quotedUntil = Math.max(quotedUntil, attributeEnd(tokens, at, tokens.length) ?? 0)
      continue
    }
    if (text === '__builtin_offsetof' && tokens[at + 1]?.text === '(') {
      membersTo = closing(tokens, at + 1)
      membersFrom = at + 2
      for (let depth = 0; membersFrom < membersTo; membersFrom++) {
        const inner = tokens[membersFrom]!.text
        if (/^[([{]$/.test(inner)) depth++
        else if (/^[)\]}]$/.test(inner)) depth--
        else if (inner === ',' && depth === 0) break
      }
      continue
    }
    const before = tokens[at - 1]?.text ?? ''
    if (before === '.' || before === '->') continue
    if (at > membersFrom && at < membersTo && /^[,.]$/.test(before)) continue
    if (scopes?.others.has(start) === true || own.has(at)) continue
    let tag = at - 1
    // struct __attribute__((…)) name
    if (before === ')') {
      for (let back = at - 2; back >= 0 && back > at - 24; back--)
        if (tokens[back]!.text === '__attribute__') {
          if (attributeEnd(tokens, back, tokens.length) === at) tag = back - 1
          break
        }
    }
    if (/^(?:struct|union|enum)$/.test(tokens[tag]?.text ?? '')) {
      if (isKnown(text, true)) uses.push({ name: text, isTag: true, at, how: 'other' })
      continue
    }
    if (!isKnown(text, false)) continue
    if (isLocal(text, start) && !ownNames.has(text)) continue
    uses.push({ name: text, isTag: false, at, how: manner(tokens, at) })
  }
  return uses
}
