// SPDX-License-Identifier: GPL-3.0-or-later
// Where the top-level declarations of C end (C11, 6.9): behind a semicolon outside of all brackets, and behind the body
// of a function. One rule for tokens and for characters, linear, and undisturbed by anything inside of the brackets.
import { attributeEnd } from './declarators.ts'
import { closing, type Token } from './lexer.ts'
import { typeofWords } from './words.ts'

/** Whether the brace behind `tokens` opens the body of a function, not that of a type or an initial value. */
function opensBody(tokens: readonly Token[]): boolean {
  let hasParens = false
  for (let index = 0; index < tokens.length; index++) {
    const { text } = tokens[index]!
    const attribute = attributeEnd(tokens, index, tokens.length)
    if (attribute !== undefined) {
      index = attribute - 1
      continue
    }
    if (text === '=' || text === 'typedef') return false
    // Behind the parameters of K&R.
    if (text === ';') return true
    if (text === 'struct' || text === 'union' || text === 'enum') hasParens = false
    else if (text === '(' || text === '{') {
      hasParens ||= text === '('
      index = closing(tokens, index) - 1
    }
  }
  return hasParens
}

/** Whether a semicolon here ends the declaration of a parameter in the style of K&R: `int f(a) int a; { … }`. */
function isParameterDeclaration(tokens: readonly Token[]): boolean {
  for (let index = 0; index < tokens.length; index++) {
    const attribute = attributeEnd(tokens, index, tokens.length)
    if (attribute !== undefined) {
      index = attribute - 1
      continue
    }
    const { text } = tokens[index]!
    if (text === '=' || text === '{' || text === 'typedef') return false
    if (typeofWords.has(text) && tokens[index + 1]?.text === '(') {
      index = closing(tokens, index + 1) - 1
      continue
    }
    if (text !== '(') continue
    const end = closing(tokens, index)
    // `(f)(a)`: the parameters come behind.
    if (tokens[end]?.text === '(') {
      index = end - 1
      continue
    }
    const names = tokens.slice(index + 1, end - 1)
    const isList = names.every(({ kind, text }, at) => (at % 2 === 0 ? kind === 'name' : text === ','))
    return (
      names.length > 0 &&
      isList &&
      tokens[end]?.kind === 'name' &&
      attributeEnd(tokens, end, tokens.length) === undefined
    )
  }
  return false
}

/** Characters that say where declarations end. */
export enum Mark {
  openParen = 40,
  closeParen = 41,
  semicolon = 59,
  equals = 61,
  openBracket = 91,
  closeBracket = 93,
  openBrace = 123,
  closeBrace = 125,
}

/** Told of each bracket, `=` and semicolon in turn, it says where a declaration ends. */
export class TopLevelCutter {
  /** Brackets that are open. */
  depth = 0
  /** The body of a function is open. */
  inBody = false
  #hasParens = false
  #assigns = false

  /**
   * @param head the tokens of the declaration so far
   * @param isWritten macros are not expanded: one that makes a declaration may lack the semicolon
   */
  constructor(
    private readonly head: () => readonly Token[],
    private readonly isWritten = false,
  ) {}

  /**
   * @param mark a character's code; others than those of `Mark` say nothing
   * @returns whether the declaration ends behind it
   */
  endsBehind(mark: number): boolean {
    switch (mark) {
      case Mark.openParen:
        if (this.depth++ === 0) this.#hasParens = true
        return false
      case Mark.openBracket:
        this.depth++
        return false
      case Mark.openBrace:
        if (this.depth++ === 0) this.inBody = this.#hasParens && !this.#assigns && opensBody(this.head())
        return false
      case Mark.closeParen:
      case Mark.closeBracket:
        this.depth = Math.max(0, this.depth - 1)
        return false
      case Mark.closeBrace:
        this.depth = Math.max(0, this.depth - 1)
        return this.depth === 0 && this.inBody && this.#next()
      case Mark.equals:
        if (this.depth === 0) this.#assigns = true
        return false
      case Mark.semicolon:
        return this.depth === 0 && !this.#goesOn() && this.#next()
      default:
        return false
    }
  }

  #goesOn(): boolean {
    return this.#hasParens && !this.#assigns && !this.isWritten && isParameterDeclaration(this.head())
  }

  #next(): true {
    this.inBody = false
    this.#hasParens = false
    this.#assigns = false
    return true
  }
}

/** Cuts the tokens of expanded C. */
export class TopLevelSplitter {
  readonly #items: Token[][] = []
  #current: Token[] = []
  readonly #cutter = new TopLevelCutter(() => this.#current)

  /** Whether the last declaration is not complete yet. */
  get isOpen(): boolean {
    return this.#current.length > 0
  }

  add(tokens: readonly Token[]): void {
    for (const token of tokens) {
      const { text, kind } = token
      const ends = kind === 'punctuator' && text.length === 1 && this.#cutter.endsBehind(text.charCodeAt(0))
      this.#current.push(token)
      if (ends) this.#cut()
    }
  }

  #cut(): void {
    if (this.#current.length > 1) this.#items.push(this.#current)
    this.#current = []
  }

  /** The declarations; what is left over at the end is one, too. */
  finish(): Token[][] {
    this.#cut()
    return this.#items
  }
}

/** The declarations of several parts of a text that follow one another. */
export function declarationsIn(parts: Iterable<readonly Token[]>): Token[][] {
  const splitter = new TopLevelSplitter()
  for (const part of parts) splitter.add(part)
  return splitter.finish()
}
