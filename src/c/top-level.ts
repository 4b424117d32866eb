// SPDX-License-Identifier: GPL-3.0-or-later
// Heaps up the tokens of expanded C and cuts them into top-level declarations: behind a semicolon outside of all
// brackets, and behind the body of a function. Linear, and undisturbed by anything inside of the brackets.
import { attributeEnd } from './declarators.ts'
import { closing, type Token } from './lexer.ts'

/** Whether the brace behind `tokens` opens the body of a function, not that of a type or an initial value. */
function opensBody(tokens: readonly Token[]): boolean {
  let tagged = -1
  let hasParens = false
  for (let index = 0; index < tokens.length; index++) {
    const { text } = tokens[index]!
    const attribute = attributeEnd(tokens, index, tokens.length)
    if (attribute !== undefined) {
      index = attribute - 1
      continue
    }
    if (text === '=') return false
    if (text === 'struct' || text === 'union' || text === 'enum') {
      tagged = index
      hasParens = false
    } else if (text === '(') {
      hasParens = true
      index = closing(tokens, index) - 1
    } else if (text === '{') index = closing(tokens, index) - 1
  }
  if (tagged !== -1 && !hasParens) return false
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
    if (/^(?:__)?typeof(?:__)?$/.test(text) && tokens[index + 1]?.text === '(') {
      index = closing(tokens, index + 1) - 1
      continue
    }
    if (text !== '(') continue
    const end = closing(tokens, index)
    const names = tokens.slice(index + 1, end - 1)
    if (
      names.length === 0 ||
      !names.every(({ kind, text }, at) => (at % 2 === 0 ? kind === 'name' : text === ','))
    )
      return false
    const next = tokens[end]
    return (
      next !== undefined && next.kind === 'name' && attributeEnd(tokens, end, tokens.length) === undefined
    )
  }
  return false
}

export class Pile {
  readonly #items: Token[][] = []
  #current: Token[] = []
  #depth = 0
  #inBody = false

  /** Whether the last declaration is not complete yet. */
  get isOpen(): boolean {
    return this.#current.length > 0
  }

  add(tokens: readonly Token[]): void {
    for (const token of tokens) {
      const { text, kind } = token
      if (kind !== 'punctuator') {
        this.#current.push(token)
        continue
      }
      if (text === '{' && this.#depth === 0) this.#inBody = opensBody(this.#current)
      this.#current.push(token)
      if (text === '(' || text === '[' || text === '{') this.#depth++
      else if (text === ')' || text === ']' || text === '}') {
        this.#depth = Math.max(0, this.#depth - 1)
        if (this.#depth === 0 && text === '}' && this.#inBody) this.#cut()
      } else if (text === ';' && this.#depth === 0 && !isParameterDeclaration(this.#current)) this.#cut()
    }
  }

  #cut(): void {
    if (this.#current.length > 1) this.#items.push(this.#current)
    this.#current = []
    this.#inBody = false
  }

  /** The declarations; what is left over at the end is one, too. */
  finish(): Token[][] {
    this.#cut()
    return this.#items
  }
}
