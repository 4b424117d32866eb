// SPDX-License-Identifier: GPL-3.0-or-later
// The attributes of what a declaration declares. The compiler puts together those of all declarations of a name, so an
// extract that has only the definition would lose what stands on an earlier prototype: `int entry(int) notrace;`.
import { attributeEnd, type Declared, parseDeclaration } from '../../c/tokens/declarators.ts'
import { closing, partsOf, type Token, tokenize } from '../../c/tokens/lexer.ts'
import { spell } from '../../c/tokens/spelling.ts'
import { declarationsIn } from '../../c/tokens/top-level.ts'
import { headersThatDeclare, type View } from './unit-view.ts'

export interface Attribute {
  /** Without the underscores around it. */
  readonly name: string
  /** With its arguments, as it stands between the parentheses. */
  readonly text: string
}

/**
 * The attributes that a declaration gives one of its names; not those of its parameters, nor of a type that it defines.
 */
export function attributesOf({ tokens, declaration }: Declared, name: string): Attribute[] {
  const { declarators } = declaration
  const one = declarators.find((it) => it.name === name)
  const found: Attribute[] = []
  if (one === undefined) return found
  const collect = (from: number, to: number) => {
    for (let at = from; at < to; at++) {
      const { text } = tokens[at]!
      const end = attributeEnd(tokens, at, to)
      if (end !== undefined) {
        const isOfType = /^(?:struct|union|enum|\})$/.test(tokens[at - 1]?.text ?? '')
        if (/^__attribute(?:__)?$/.test(text) && !isOfType) found.push(...attributesBetween(tokens, at, end))
        at = end - 1
      } else if (at >= one.at ? text === '(' : text === '{' || (text === '(' && to <= one.from))
        at = closing(tokens, at, to) - 1
    }
  }
  collect(0, declarators[0]!.from)
  collect(one.from, one.to)
  return found
}

/** `__attribute__((a, b(1)))` from its first token to the end. */
function attributesBetween(tokens: readonly Token[], from: number, to: number): Attribute[] {
  return partsOf(tokens, from + 3, to - 2).flatMap((part) => {
    const own = tokens.slice(part.from, part.to)
    const name = own[0]?.text.replace(/^__(.*)__$/, '$1')
    return name === undefined ? [] : [{ name, text: spell(own) }]
  })
}

/** The attributes that declarations give a name, and that its definition does not. */
export function attributesOnly(others: readonly Declared[], definition: Declared, name: string): Attribute[] {
  const said = new Set(attributesOf(definition, name).map(({ text }) => text))
  const all = others.flatMap((one) => attributesOf(one, name)).filter(({ text }) => !said.has(text))
  return [...new Map(all.map((one) => [one.text, one])).values()]
}

/** The declarations of a function in the headers. */
export function declarationsInHeaders(view: View, name: string): Declared[] {
  const parts = new Map([...headersThatDeclare(view, name, true)])
  return [...parts]
    .flatMap(([from, to]) => declarationsIn([tokenize(view.expanded.text, from, to)]))
    .filter((tokens) => tokens.some(({ text }) => text === name))
    .map((tokens) => ({ tokens, declaration: parseDeclaration(tokens, 0, tokens.length) }))
}
