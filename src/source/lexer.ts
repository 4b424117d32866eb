// SPDX-License-Identifier: GPL-3.0-or-later
// C text as preprocessing tokens (C11, 6.4), with GNU's additions. The same tokens serve text as it was written and text
// that comes out of the preprocessor.

export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'char' | 'punctuator'
  readonly text: string
  /** Offsets in the text. */
  readonly start: number
  readonly end: number
  /** From 1. */
  readonly line: number
}

const lexeme = new RegExp(
  [
    String.raw`(?<space>[ \t\f\v\r]+|\\\r?\n|/\*[\s\S]*?\*/|//[^\n]*)`,
    String.raw`(?<newline>\n)`,
    String.raw`(?<string>(?:u8|[uUL])?"(?:[^"\\\n]|\\[\s\S])*")`,
    String.raw`(?<char>[uUL]?'(?:[^'\\\n]|\\[\s\S])+')`,
    String.raw`(?<name>[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*)`,
    String.raw`(?<number>\.?\d(?:[eEpP][+-]|[\w.])*)`,
    String.raw`(?<punctuator>\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|##|[\s\S])`,
  ].join('|'),
  'y',
)

/** The number of line feeds in a part of a text. */
function linesIn(text: string, start: number, end: number): number {
  let count = 0
  for (let at = text.indexOf('\n', start); at !== -1 && at < end; at = text.indexOf('\n', at + 1)) count++
  return count
}

/**
 * The tokens of `text` from `start` to `end`; comments and white space are left out.
 * @param line the number of the line at `start`
 */
export function tokenize(text: string, start = 0, end = text.length, line = 1, into: Token[] = []): Token[] {
  let at = start
  while (at < end) {
    lexeme.lastIndex = at
    const match = lexeme.exec(text)!
    const next = lexeme.lastIndex
    const groups = match.groups!
    if (groups.newline !== undefined) line++
    else if (groups.space !== undefined) line += linesIn(text, at, next)
    else {
      const kind =
        groups.name !== undefined
          ? 'name'
          : groups.punctuator !== undefined
            ? 'punctuator'
            : groups.number !== undefined
              ? 'number'
              : groups.string !== undefined
                ? 'string'
                : 'char'
      into.push({ kind, text: match[0], start: at, end: next, line })
      if (kind === 'string') line += linesIn(text, at, next)
    }
    at = next
  }
  return into
}

/**
 * The index behind the bracket that closes the one at `open`; `end` when it is not closed.
 */
export function closing(tokens: readonly Token[], open: number, end = tokens.length): number {
  let depth = 0
  for (let index = open; index < end; index++) {
    const { text, kind } = tokens[index]!
    if (kind !== 'punctuator') continue
    if (text === '(' || text === '[' || text === '{') depth++
    else if ((text === ')' || text === ']' || text === '}') && --depth === 0) return index + 1
  }
  return end
}

const word = /[A-Za-z_$][\w$]*/g

/** The words of a text, strings and comments included. */
export function wordsOf(text: string): string[] {
  return text.match(word) ?? []
}
