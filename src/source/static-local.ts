// SPDX-License-Identifier: GPL-3.0-or-later
// Static variables inside of functions. The running kernel's copy of each must stay the only one.
import { type Declaration, type Declarator, parseDeclaration } from './declarators.ts'
import { closing, type Token } from './lexer.ts'
import type { Item } from './view.ts'

export interface StaticLocal {
  readonly name: string
  /** Its declaration in the function's expanded tokens, the semicolon included. */
  readonly from: number
  readonly to: number
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
export function isWritten(
  tokens: readonly Token[],
  name: string,
  from: number,
  to: number,
  isArray: boolean,
): boolean {
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
    if (/^(?:=|[-+*/%&|^]=|<<=|>>=|\+\+|--|->)$/.test(tokens[next]?.text ?? '')) return true
  }
  return false
}

/** The static variables that a function declares. */
export function staticLocalsOf({ tokens, declaration: { body } }: Item): StaticLocal[] {
  const found: StaticLocal[] = []
  if (body === undefined) return found
  for (let at = body.from + 1; at < body.to; at++) {
    if (tokens[at]!.text !== 'static') continue
    let end = at
    while (end < body.to && tokens[end]!.text !== ';')
      end = /^[([{]$/.test(tokens[end]!.text) ? closing(tokens, end, body.to) : end + 1
    end = Math.min(end + 1, body.to)
    const declaration = parseDeclaration(tokens, at, end)
    for (const declarator of declaration.declarators) {
      const isArray = tokens[declarator.at + 1]?.text === '['
      found.push({
        name: declarator.name,
        from: at,
        to: end,
        declaration,
        declarator,
        value: declarator.value,
        isConst: declarator.isConst,
        isWritten: isWritten(tokens, declarator.name, at, end, isArray),
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
