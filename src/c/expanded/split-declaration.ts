// SPDX-License-Identifier: GPL-3.0-or-later
// One declaration of several variables, taken apart: each gets one of its own, and a type that is defined in it is
// defined once.
import type { Declaration, Declarator } from '../tokens/declarators.ts'
import { closing, isOpening, type Token } from '../tokens/lexer.ts'

/** The type that a declaration of variables defines, with the name that it has; undefined when it defines none. */
export function typeIn(
  tokens: readonly Token[],
  { declarators, tags }: Declaration,
): { readonly name: string | undefined } | undefined {
  const end = declarators[0]?.from ?? 0
  const specifiers = tokens.slice(0, end)
  const open = specifiers.findIndex(({ text }) => text === '{')
  if (open === -1) return undefined
  const tag = tags.find(({ at, isDefined }) => isDefined && at < end)
  if (tag === undefined || tag.at > open) return { name: undefined }
  const qualifiers = specifiers.flatMap(({ text }, at) =>
    (at < tag.at || at > open) && /^(?:const|volatile)$/.test(text) ? [`${text} `] : [],
  )
  return { name: `${qualifiers.join('')}${tag.keyword} ${tag.name}` }
}

/** The one of which others can say that they have its type: nothing but a name where there is one. */
export function plainest(declarators: readonly Declarator[]): Declarator | undefined {
  return (
    declarators.find(({ from, core }) => core === from + 1) ??
    declarators.find(({ isFunction }) => !isFunction) ??
    declarators[0]
  )
}

/**
 * The type of the specifiers, told by a variable that was declared with them: what is left of it without `*` and
 * brackets.
 */
export function typeThrough(tokens: readonly Token[], { name, at, from, core }: Declarator, as = name): string {
  let depth = 0
  for (let index = from; index < at; index++) if (tokens[index]!.text === '*') depth++
  for (let index = at + 1; index < core; index = isOpening(tokens[index]!) ? closing(tokens, index) : index + 1)
    if (tokens[index]!.text === '[') depth++
  return `__typeof__(${'*'.repeat(depth)}${as})`
}
