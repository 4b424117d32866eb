// SPDX-License-Identifier: GPL-3.0-or-later
// The calls in C text and their arguments.
import { closing, isOpening, openingOf, type Token } from './lexer.ts'
import { isMember } from './names.ts'

export interface Call {
  /** The function or the macro. */
  readonly name: string
  /** Where the name stands. */
  readonly at: number
  /** Where the call ends, behind its parenthesis. */
  readonly end: number
  readonly values: Token[][]
}

/** Words in front of a parenthesis that are no call. */
const keywords = /^(?:if|while|for|switch|return|sizeof)$/

/**
 * The calls by name, an outer one before those within its arguments; a call through an object's member (`ops->open()`)
 * is none of a name.
 * @param words of which the name is one
 */
export function callsIn(tokens: readonly Token[], words?: RegExp): Call[] {
  return tokens.flatMap(({ kind, text: name }, at): Call[] => {
    if (kind !== 'name' || tokens[at + 1]?.text !== '(' || isMember(tokens, at) || keywords.test(name)) return []
    if (words?.test(name) === false) return []
    return [
      {
        name,
        at,
        get end() {
          return closing(tokens, at + 1)
        },
        get values() {
          return argumentsAt(tokens, at + 1)
        },
      },
    ]
  })
}

/** The arguments behind the parenthesis at `open`. */
export function argumentsAt(tokens: readonly Token[], open: number): Token[][] {
  const end = closing(tokens, open) - 1
  const found: Token[][] = [[]]
  for (let at = open + 1; at < end; at++) {
    if (tokens[at]!.text === ',') found.push([])
    else if (isOpening(tokens[at]!)) {
      const close = closing(tokens, at)
      found.at(-1)!.push(...tokens.slice(at, close))
      at = close - 1
    } else found.at(-1)!.push(tokens[at]!)
  }
  return found
}

/** Brackets around something: of `read(file, len + 1)` around `len` those of `read`, and 1 for the argument. */
export interface Enclosing {
  /** What stands in front of the bracket; empty when that is no name. */
  readonly name: string
  readonly open: number
  /** The number of the argument. */
  readonly index: number
}

/** The parentheses and square brackets of its statement that are open at `at`, the innermost first. */
export function bracketsAround(tokens: readonly Token[], at: number): Enclosing[] {
  const found: Enclosing[] = []
  let index = 0
  for (let open = at - 1; open >= 0 && !/^[;{}]$/.test(tokens[open]!.text); open--) {
    const { text } = tokens[open]!
    if (text === ',') index++
    else if (text === ')' || text === ']') open = openingOf(tokens, open)
    else if (text === '(' || text === '[') {
      const before = tokens[open - 1]
      found.push({ name: before?.kind === 'name' ? before.text : '', open, index })
      index = 0
    }
  }
  return found
}

/** The call of which what stands at `at` is an argument; undefined for none. */
export function callAround(tokens: readonly Token[], at: number): Enclosing | undefined {
  const [around] = bracketsAround(tokens, at)
  return around !== undefined && around.name !== '' && tokens[around.open]!.text === '(' ? around : undefined
}
