// SPDX-License-Identifier: GPL-3.0-or-later
// The lines of a text that speak to the preprocessor (C11, 6.10), each with those that a backslash or a comment
// continues it on, and the macros that they define.
import { closing, partsOf, type Token, tokenize } from './lexer.ts'
import { squeezed } from './text.ts'

export interface DirectiveLine {
  /** `define`, `if`, …; empty for what begins with no word. */
  readonly name: string
  /** Indexes of its tokens, from the `#` on; the end is exclusive. */
  readonly from: number
  readonly to: number
  /** Offsets in the text: of the `#`, behind the name, and of the line feed that ends it. */
  readonly start: number
  readonly behindName: number
  readonly end: number
}

/** What can stand between two tokens of one line. */
const gap = /(?:[ \t\f\v\r]|\\\r?\n|\/\*[\s\S]*?(?:\*\/|$)|\/\/(?:\\\r?\n|[^\n])*)*/y

/** The offset of the line feed that ends a line behind its token that ends at `at`; undefined when another follows. */
function endOfLine(text: string, at: number): number | undefined {
  gap.lastIndex = at
  gap.test(text)
  const end = gap.lastIndex
  return end === text.length || text[end] === '\n' ? end : undefined
}

/** @param tokens all of the text */
export function directivesIn(text: string, tokens: readonly Token[]): DirectiveLine[] {
  const found: DirectiveLine[] = []
  for (let at = 0; at < tokens.length; at++) {
    const { text: mark, start } = tokens[at]!
    if (mark !== '#' || (at > 0 && !text.slice(tokens[at - 1]!.end, start).includes('\n'))) continue
    let to = at + 1
    let end = endOfLine(text, tokens[at]!.end)
    for (; end === undefined; to++) end = endOfLine(text, tokens[to]!.end)
    const word = to > at + 1 && tokens[at + 1]!.kind === 'name' ? tokens[at + 1]! : undefined
    const behindName = (word ?? tokens[at]!).end
    found.push({ name: word?.text ?? '', from: at, to, start, behindName, end })
    at = to - 1
  }
  return found
}

export interface MacroDefinition {
  readonly name: string
  readonly line: number
  /** Undefined for a macro without parentheses; `...` and `rest...` are as written. */
  readonly parameters: readonly string[] | undefined
  readonly body: readonly Token[]
}

/** What a `#define` defines. */
export function macroDefinedBy({ from, to }: DirectiveLine, tokens: readonly Token[]): MacroDefinition | undefined {
  const [name, open] = [tokens[from + 2], tokens[from + 3]]
  if (name?.kind !== 'name' || from + 2 >= to) return undefined
  const { text, line, end } = name
  // White space in front of it makes it a part of the body.
  if (from + 3 >= to || open?.text !== '(' || open.start !== end)
    return { name: text, line, parameters: undefined, body: tokens.slice(from + 3, to) }
  const close = closing(tokens, from + 3, to)
  const parameters = partsOf(tokens, from + 4, close - 1).map((part) => squeezed(tokens.slice(part.from, part.to)))
  return { name: text, line, parameters, body: tokens.slice(close, to) }
}

/** The macros that a file defines, in its order, whatever conditions they stand under. */
export function macrosIn(text: string): MacroDefinition[] {
  const tokens = tokenize(text)
  return directivesIn(text, tokens).flatMap((one) => (one.name === 'define' ? (macroDefinedBy(one, tokens) ?? []) : []))
}
