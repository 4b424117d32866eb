// SPDX-License-Identifier: GPL-3.0-or-later
// What the declarations of a file declare, and what people call them.
import type { Declarator, Declared } from '../../c/tokens/declarators.ts'
import { closing } from '../../c/tokens/lexer.ts'
import type { Item } from './unit-view.ts'

/** The declarator with which a declaration defines a name; undefined when it only declares it. */
export function definitionOf(item: Item, name: string): Declarator | undefined {
  const { declaration } = item
  const one = declaration.declarators.find((candidate) => candidate.name === name)
  if (one === undefined || declaration.storage.has('typedef')) return undefined
  if (one.isFunction) return declaration.body !== undefined ? one : undefined
  return declaration.storage.has('extern') && one.value === undefined ? undefined : one
}

/** The asm label with which a declaration names the symbol of what it declares: `asm("w")`. */
export function assemblerName({ tokens, declaration }: Declared, name: string): string | undefined {
  const one = declaration.declarators.find((candidate) => candidate.name === name)
  if (one === undefined || declaration.storage.has('register')) return undefined
  for (let at = one.at + 1; at < one.to; at++) {
    if (!/^(?:asm|__asm__|__asm)$/.test(tokens[at]!.text)) continue
    const parts = tokens.slice(at + 2, closing(tokens, at + 1) - 1)
    return parts.map(({ text }) => text.slice(1, -1)).join('')
  }
  return undefined
}

/** The name that an `alias` attribute gives: what a declaration declares is another name of it. */
export function aliased({ tokens, declaration }: Item, name: string): string | undefined {
  if (!declaration.declarators.some((candidate) => candidate.name === name)) return undefined
  const at = tokens.findIndex(
    ({ text }, index) =>
      /^(?:__)?alias(?:__)?$/.test(text) && tokens[index + 1]?.text === '(' && tokens[index + 2]?.kind === 'string',
  )
  return at === -1 ? undefined : tokens[at + 2]!.text.slice(1, -1)
}

/** Whether a function's body is only for inlining, and another one may follow (`extern inline` of gnu89). */
export function isOnlyForInlining({ tokens, declaration: { storage, body } }: Item): boolean {
  if (body === undefined || !storage.has('extern')) return false
  return tokens.slice(0, body.from).some(({ text }) => /^(?:__)?gnu_inline(?:__)?$/.test(text))
}

/** The declaration that defines a name, of all that declare it. */
export function definitionAmong(candidates: readonly Item[], name: string): Item | undefined {
  const all = candidates.filter((one) => definitionOf(one, name) !== undefined)
  return all.find((one) => !isOnlyForInlining(one)) ?? all[0]
}

/** What people call a declaration. */
export function titleOf(item: Item): string {
  const { declarators, tags, enumerators } = item.declaration
  const [one] = declarators
  if (one !== undefined) return one.name
  const tag = tags.find(({ isDefined }) => isDefined) ?? tags[0]
  if (tag !== undefined) return `${tag.keyword} ${tag.name}`
  return enumerators[0] ?? 'a declaration'
}

/** What a declaration is, in a word. */
export function kindOf({ declaration }: Item): string {
  const { declarators, storage, body, tags, enumerators } = declaration
  if (body !== undefined) return 'function'
  if (storage.has('typedef') || declarators.length === 0)
    return tags.length > 0 || enumerators.length > 0 || storage.has('typedef') ? 'type' : 'declaration'
  return declarators[0]!.isFunction ? 'prototype' : 'variable'
}

/** Tells the tokens of what declares from those of what defines: a body, an initial value. */
export function isBeforeBody({ declaration: { body, declarators } }: Item): (at: number) => boolean {
  const values = declarators.flatMap(({ value }) => value ?? [])
  return (at) => (body !== undefined ? at < body.from : !values.some(({ from, to }) => at >= from && at < to))
}

/** Whether a function declares a name inside of its body as one of the whole program: `extern int name;`. */
export function declaresInBody({ tokens, declaration: { body } }: Item, name: string): boolean {
  if (body === undefined) return false
  for (let at = body.from; at < body.to; at++) {
    if (tokens[at]!.text !== 'extern') continue
    for (; at < body.to && tokens[at]!.text !== ';'; at++) if (tokens[at]!.text === name) return true
  }
  return false
}

/** Whether a function may be inlined wherever it is called. */
export function isInline({ declaration: { storage } }: Item): boolean {
  return storage.has('inline') || storage.has('__inline') || storage.has('__inline__')
}

/** Whether a name is that of a function in a declaration. */
export function isFunctionIn(item: Item, name: string): boolean {
  return item.declaration.declarators.some((one) => one.name === name && one.isFunction)
}

/** The asm label that any of the declarations gives a name. */
export function labelAmong(candidates: readonly Declared[], name: string): string | undefined {
  return candidates.flatMap((one) => assemblerName(one, name) ?? [])[0]
}

/** The names of the file that a declaration makes known, as keys of the index, with the places in the expanded text. */
export function declaredBy({ tokens, declaration }: Item): [key: string, start: number][] {
  const { declarators, tags, enumerators, body } = declaration
  const start = tokens[0]!.start
  return [
    ...(body === undefined ? declarators : declarators.slice(0, 1)).map(({ name }): [string, number] => [
      `o ${name}`,
      start,
    ]),
    ...enumerators.map((name): [string, number] => [`o ${name}`, start]),
    ...tags.filter(({ isDefined }) => isDefined).map(({ name }): [string, number] => [`t ${name}`, start]),
  ]
}
