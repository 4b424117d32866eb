// SPDX-License-Identifier: GPL-3.0-or-later
// Prototypes without parentheses: `handler_fn name;` declares a function where handler_fn is a function's type, and
// looks like a variable of which the running kernel would have a symbol.

import { type Declarator, type Declared, parseDeclaration } from '../tokens/declarators.ts'
import { closing, type Token, tokenize } from '../tokens/lexer.ts'
import { isTagWord } from '../tokens/words.ts'

/** The types of functions that a text defines: `typedef int handler_fn(int);`, and other names of them. */
function functionTypes(text: string): Set<string> {
  const types = new Set<string>()
  for (const { 0: found, index } of text.matchAll(
    /(?:^|[;}])[ \t]*(?:__extension__\s+)?\btypedef\b(?:[^;{}=]*\(|\s+\w+\s+\w+\s*;)/gm,
  )) {
    const end = text.indexOf(';', index + found.length - 1)
    if (end === -1) continue
    const tokens = tokenize(text, index + found.indexOf('typedef'), end + 1)
    const { declarators } = parseDeclaration(tokens, 0, tokens.length)
    for (const one of declarators) if (one.isFunction || isOfFunctionType(tokens, one, types)) types.add(one.name)
  }
  return types
}

/** Whether a declarator that is nothing but a name has a function's type, or that of a function by `typeof`. */
function isOfFunctionType(
  tokens: readonly Token[],
  { at, from, core }: Declarator,
  functions: ReadonlySet<string>,
): boolean {
  if (core !== at + 1 || tokens.slice(from, at).some(({ kind }) => kind === 'punctuator')) return false
  for (let index = 0; index < from; index++) {
    const { kind, text } = tokens[index]!
    if (/^(?:__)?typeof(?:__)?$/.test(text))
      return tokens[index + 3]?.text === ')' && functions.has(tokens[index + 2]!.text)
    if (/^[({]$/.test(text)) index = closing(tokens, index, from) - 1
    else if (kind === 'name' && functions.has(text)) return !isTagWord(tokens[index - 1]?.text)
  }
  return false
}

/**
 * `handler_fn name;` looks like a variable's declaration; where `name` has a body, or its type is a function's, it is
 * none.
 */
export function withPrototypesByType<One extends Declared, Chunk extends { readonly items: One[] }>(
  chunks: readonly Chunk[],
  text: string,
): readonly Chunk[] {
  const functions = new Set<string>()
  const types = functionTypes(text)
  for (const { items } of chunks)
    for (const { body, declarators } of items.map(({ declaration }) => declaration))
      if (body !== undefined && declarators[0] !== undefined) functions.add(declarators[0].name)
  // What typeof is asked about.
  for (const name of functions) types.add(name)
  for (const { items } of chunks)
    for (const [at, item] of items.entries()) {
      const { tokens, declaration } = item
      const { declarators, storage, body } = declaration
      const looksOtherwise = (one: Declarator) =>
        !one.isFunction && one.value === undefined && (functions.has(one.name) || isOfFunctionType(tokens, one, types))
      if (body !== undefined || storage.has('typedef') || !declarators.some(looksOtherwise)) continue
      const all = declarators.map((one) => (looksOtherwise(one) ? { ...one, isFunction: true } : one))
      items[at] = { ...item, declaration: { ...declaration, declarators: all } }
    }
  return chunks
}
