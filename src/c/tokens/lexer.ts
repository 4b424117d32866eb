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
  loneQuote: /"(?:[^"\\\n]|\\[\s\S])*|'(?:[^'\\\n]|\\[\s\S])*/y,
  name: /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/y,
  number: /\.?\d(?:[eEpP][+-]|[\w.])*/y,
  punctuator: /\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|##|[\s\S]/y,
}

/** Where a pattern ends that begins at `at`; `at` itself when it does not. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

function endOfComment(text: string, at: number): number {
  return Math.max(endOf(patterns.blockComment, text, at), endOf(patterns.lineComment, text, at))
}

/**
 * Finds strings and characters in a text, from its beginning to its end. A quote without its second one on the line is
 * none. So are then all like it up to where the second one was looked for: each stands behind a backslash, and what
 * follows it was read alike. So the time is linear for hostile text, too.
 */
class Literals {
  #loneDouble = 0
  #loneSingle = 0

  constructor(private readonly text: string) {}

  /** Where a string ends that begins at `at`; `at` itself when none does. */
  string(at: number): number {
    if (at < this.#loneDouble) return at
    const end = endOf(patterns.string, this.text, at)
    if (end === at && this.text.charCodeAt(at) === 34) this.#loneDouble = endOf(patterns.loneQuote, this.text, at)
    return end
  }

  char(at: number): number {
    if (at < this.#loneSingle) return at
    const end = endOf(patterns.char, this.text, at)
    if (end === at && this.text.charCodeAt(at) === 39 && this.text.charCodeAt(at + 1) !== 39)
      this.#loneSingle = endOf(patterns.loneQuote, this.text, at)
    return end
  }
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
export function tokenize(text: string, start = 0, end = text.length, line = 1): Token[] {
  const tokens: Token[] = []
  const literals = new Literals(text)
  let at = start
  const put = (kind: Token['kind'], to: number) => {
    tokens.push({ kind, text: text.slice(at, to), start: at, end: to, line })
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
      tokens.push({ kind: 'punctuator', text: shared, start: at, end: at + 1, line })
      at++
      continue
    }
    const isLetter =
      (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code === 36 || code >= 128
    if (isLetter || code === 34 || code === 39) {
      // u8"…", L'…'
      if (!isLetter || code === 117 || code === 85 || code === 76) {
        const string = literals.string(at)
        if (string > at) {
          const lines = linesIn(text, at, string)
          put('string', string)
          line += lines
          continue
        }
        const char = literals.char(at)
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
      const comment = endOfComment(text, at)
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
  return tokens
}

/** What a pattern finds in a text outside of strings and characters, in order. */
export function outsideLiterals(
  pattern: string,
): (text: string) => Generator<{ text: string; start: number; end: number }> {
  const mark = new RegExp(`["']|${pattern}`, 'gm')
  return function* scan(text) {
    const literals = new Literals(text)
    for (let at = 0; ; ) {
      mark.lastIndex = at
      const match = mark.exec(text)
      if (match === null) return
      const { 0: found, index: start } = match
      at = start + found.length
      if (found === '"' || found === "'") at = Math.max(at, literals.string(start), literals.char(start))
      else yield { text: found, start, end: at }
    }
  }
}

/** Comments begin where no string or character is open (C11, 6.4.9). */
export const comment = String.raw`\/\*[\s\S]*?(?:\*\/|$(?![\s\S]))|\/\/(?:\\\r?\n|[^\n])*`

const scanComments = outsideLiterals(comment)

/** The comments of a text. */
export function commentsIn(text: string): { text: string; start: number; end: number }[] {
  return text.includes('/') ? [...scanComments(text)] : []
}

/** Comments become spaces, and lines that a backslash continues are joined; strings are left as they are. */
export function withoutComments(source: string): string {
  const text = source.replace(/\\\r?\n/g, ' ')
  let plain = ''
  let from = 0
  for (const { start, end } of commentsIn(text)) {
    plain += `${text.slice(from, start)} `
    from = end
  }
  return plain + text.slice(from)
}

/** Whether a token opens brackets. */
export function isOpening({ text }: Token): boolean {
  return text === '(' || text === '[' || text === '{'
}

/** Whether a token closes brackets. */
export function isClosing({ text }: Token): boolean {
  return text === ')' || text === ']' || text === '}'
}

/**
 * The index behind the bracket that closes the one at `open`; `end` when it is not closed.
 */
export function closing(tokens: readonly Token[], open: number, end = tokens.length): number {
  let depth = 0
  for (let index = open; index < end; index++) {
    const token = tokens[index]!
    if (isOpening(token)) depth++
    else if (isClosing(token) && --depth === 0) return index + 1
  }
  return end
}

/** The index of the first of some punctuators that stands outside of all brackets; `end` when there is none. */
export function findOutside(tokens: readonly Token[], from: number, marks: string, end = tokens.length): number {
  let at = from
  while (at < end && !marks.includes(tokens[at]!.text)) at = isOpening(tokens[at]!) ? closing(tokens, at, end) : at + 1
  return at
}

/** What commas outside of all brackets divide: from where to where each part goes. */
export function partsOf(tokens: readonly Token[], from = 0, end = tokens.length): { from: number; to: number }[] {
  const parts: { from: number; to: number }[] = []
  for (let at = from; at < end; ) {
    const to = findOutside(tokens, at, ',', end)
    parts.push({ from: at, to })
    at = to + 1
  }
  return parts
}

/** The index of the bracket that the one at `close` closes; 0 when none does. */
export function openingOf(tokens: readonly Token[], close: number): number {
  let depth = 0
  for (let at = close; at >= 0; at--) {
    const token = tokens[at]!
    if (isClosing(token)) depth++
    else if (isOpening(token) && --depth === 0) return at
  }
  return 0
}

const word = /[A-Za-z_][\w$]*/g

/** The words of a text, strings and comments included; of `$name`, as assembly has it, the name. */
export function wordsOf(text: string): string[] {
  return text.match(word) ?? []
}
