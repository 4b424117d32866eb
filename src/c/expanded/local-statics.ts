// SPDX-License-Identifier: GPL-3.0-or-later
// Static variables inside of functions. The running kernel's copy of each must stay the only one.
import { type Declaration, type Declarator, type Declared, parseDeclaration } from '../tokens/declarators.ts'
import { closing, findOutside, openingOf, type Token } from '../tokens/lexer.ts'
import { assignment, isTagWord } from '../tokens/words.ts'

export interface StaticLocal {
  readonly name: string
  /** Its declaration in the function's expanded tokens, the semicolon included; and the word `static` in it. */
  readonly from: number
  readonly to: number
  readonly word: number
  readonly declaration: Declaration
  readonly declarator: Declarator
  readonly value: { readonly from: number; readonly to: number } | undefined
  readonly isConst: boolean
  /** Whether something in the function may change it. */
  readonly isWritten: boolean
}

/**
 * Whether something in the tokens may change a variable: it is assigned to, or its address is taken.
 * @param from tokens from here to `to` declare it
 */
export function isWritten(tokens: readonly Token[], name: string, from: number, to: number, isArray: boolean): boolean {
  for (let at = 0; at < tokens.length; at++) {
    if (tokens[at]!.text !== name || (at >= from && at < to)) continue
    const before = tokens[at - 1]?.text ?? ''
    if (before === '.' || before === '->') continue
    if (before === '&' || before === '++' || before === '--') return true
    let next = at + 1
    let isElement = false
    while (tokens[next]?.text === '[' || tokens[next]?.text === '.') {
      isElement = true
      next = tokens[next]!.text === '[' ? closing(tokens, next) : next + 2
    }
    if (isArray && !isElement) return true
    const behind = tokens[next]?.text ?? ''
    if (behind === '->' || assignment.test(behind)) return true
  }
  return false
}

/** Where the declaration begins in which `static` stands at `at`: specifiers and attributes may stand before it. */
export function declarationStart(tokens: readonly Token[], at: number, low: number): number {
  let start = at
  while (start > low) {
    const { kind, text } = tokens[start - 1]!
    if (text === ')' || text === '}') {
      const type = text === ')' ? start - 1 : typeStart(tokens, start - 1, low)
      const open = text === ')' ? openingOf(tokens, start - 1) - 1 : type
      if (open < low || tokens[open]?.kind !== 'name') return start
      start = open
    } else if (kind !== 'name') return start
    else start--
  }
  return start
}

/** The `struct`, `union` or `enum` of which the brace at `close` closes the body; -1 when it closes another block. */
function typeStart(tokens: readonly Token[], close: number, low: number): number {
  for (let at = openingOf(tokens, close) - 1; at >= low; at--) {
    const { kind, text } = tokens[at]!
    if (isTagWord(text)) return at
    if (text === ')') at = openingOf(tokens, at)
    else if (kind !== 'name') return -1
  }
  return -1
}

/** Whether `static` at `at` begins or belongs to a declaration: in `int a[static 3]` it does not. */
export function isStorage(tokens: readonly Token[], at: number): boolean {
  if (tokens[at]!.text !== 'static') return false
  let before = at - 1
  while (/^(?:const|volatile|restrict)$/.test(tokens[before]?.text ?? '')) before--
  return tokens[before]?.text !== '['
}

/** Whether a name is that of a label in a function's body. */
export function isLabel(
  tokens: readonly Token[],
  name: string,
  body: { readonly from: number; readonly to: number },
): boolean {
  for (let at = body.from + 1; at < body.to; at++)
    if (
      tokens[at]!.text === name &&
      tokens[at]!.kind === 'name' &&
      tokens[at + 1]?.text === ':' &&
      /^[{};:]$/.test(tokens[at - 1]!.text)
    )
      return true
  return false
}

/** The static variables that a function declares. */
export function staticLocalsOf({ tokens, declaration: { body } }: Declared): StaticLocal[] {
  const found: StaticLocal[] = []
  if (body === undefined) return found
  const [low, high] = [body.from + 1, body.to]
  for (let at = low; at < high; at++) {
    if (!isStorage(tokens, at)) continue
    const end = Math.min(findOutside(tokens, at, ';', high) + 1, high)
    const from = declarationStart(tokens, at, low)
    const declaration = parseDeclaration(tokens, from, end)
    for (const declarator of declaration.declarators) {
      if (declarator.isFunction) continue
      const isArray = tokens[declarator.at + 1]?.text === '['
      found.push({
        name: declarator.name,
        from,
        to: end,
        word: at,
        declaration,
        declarator,
        value: declarator.value,
        isConst: declarator.isConst,
        isWritten: isWritten(tokens, declarator.name, from, end, isArray),
      })
    }
    at = end - 1
  }
  return found
}

/** A static local's declaration as one of its own: indexes count from its first token. */
export function shifted({ declaration, from }: StaticLocal): StaticLocal['declaration'] {
  const move = <T extends { from: number; to: number }>(one: T): T => ({
    ...one,
    from: one.from - from,
    to: one.to - from,
  })
  return {
    ...declaration,
    declarators: declaration.declarators.map((one) => ({
      ...move(one),
      at: one.at - from,
      core: one.core - from,
      ...(one.value === undefined ? {} : { value: move(one.value) }),
      ...(one.openBound === undefined ? {} : { openBound: one.openBound - from }),
    })),
  }
}
