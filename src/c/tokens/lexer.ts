// SPDX-License-Identifier: GPL-3.0-or-later
// C text as preprocessing tokens (C11, 6.4), with GNU's additions. The same tokens serve text as it was written and
// text that comes out of the preprocessor.

export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'char' | 'punctuator'
  readonly text: string
  /** Offsets in the text. */
  readonly start: number
  readonly end: number
  /** From 1. */
  readonly line: number
}

// Each is tried at one place, told by the first character.
const patterns = {
  space: /(?:[ \t\f\v\r]|\\\r?\n)+/y,
  blockComment: /\/\*[\s\S]*?(?:\*\/|$)/y,
  lineComment: /\/\/(?:\\\r?\n|[^\n])*/y,
  string: /(?:u8|[uUL])?"(?:[^"\\\n]|\\[\s\S])*"/y,
  char: /[uUL]?'(?:[^'\\\n]|\\[\s\S])+'/y,
  name: /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/y,
  number: /\.?\d(?:[eEpP][+-]|[\w.])*/y,
  punctuator: /\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|##|[\s\S]/y,
}

/** Where a pattern ends that begins at `at`; `at` itself when it does not. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

/** The number of line feeds in a part of a text. */
function linesIn(text: string, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at++) if (text.charCodeAt(at) === 10) count++
  return count
}

/** Punctuators that are no beginning of a longer one; as texts that all tokens share. */
const single = new Map([...'(){}[];,~?:'].map((text) => [text.charCodeAt(0), text]))

/**
 * The tokens of `text` from `start` to `end`; comments and white space are left out.
 * @param line the number of the line at `start`
 */
export function tokenize(text: string, start = 0, end = text.length, line = 1, into: Token[] = []): Token[] {
  let at = start
  const put = (kind: Token['kind'], to: number) => {
    into.push({ kind, text: text.slice(at, to), start: at, end: to, line })
    at = to
  }
  const pass = (to: number) => {
    line += linesIn(text, at, to)
    at = to
  }
  while (at < end) {
    const code = text.charCodeAt(at)
    if (code === 10) {
      line++
      at++
      continue
    }
    if (code === 32 || code === 9) {
      at++
      continue
    }
    const shared = single.get(code)
    if (shared !== undefined) {
      into.push({ kind: 'punctuator', text: shared, start: at, end: at + 1, line })
      at++
      continue
    }
    const isLetter =
      (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code === 36 || code >= 128
    if (isLetter || code === 34 || code === 39) {
      // u8"…", L'…'
      if (!isLetter || code === 117 || code === 85 || code === 76) {
        const string = endOf(patterns.string, text, at)
        if (string > at) {
          const lines = linesIn(text, at, string)
          put('string', string)
          line += lines
          continue
        }
        const char = endOf(patterns.char, text, at)
        if (char > at) {
          put('char', char)
          continue
        }
      }
      put(isLetter ? 'name' : 'punctuator', isLetter ? endOf(patterns.name, text, at) : at + 1)
      continue
    }
    if (code >= 48 && code <= 57) {
      put('number', endOf(patterns.number, text, at))
      continue
    }
    if (code === 47) {
      const comment = Math.max(endOf(patterns.blockComment, text, at), endOf(patterns.lineComment, text, at))
      if (comment > at) {
        pass(comment)
        continue
      }
    }
    const space = endOf(patterns.space, text, at)
    if (space > at) {
      pass(space)
      continue
    }
    const number = code === 46 ? endOf(patterns.number, text, at) : at
    if (number > at) put('number', number)
    else put('punctuator', endOf(patterns.punctuator, text, at))
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

/** The index of the parenthesis that the one at `close` closes; 0 when none does. */
export function openingOf(tokens: readonly Token[], close: number): number {
  let depth = 0
  for (let at = close; at >= 0; at--) {
    if (tokens[at]!.text === ')') depth++
    else if (tokens[at]!.text === '(' && --depth === 0) return at
  }
  return 0
}

const word = /[A-Za-z_$][\w$]*/g

/** The words of a text, strings and comments included. */
export function wordsOf(text: string): string[] {
  return text.match(word) ?? []
}
