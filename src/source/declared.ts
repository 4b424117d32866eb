// SPDX-License-Identifier: GPL-3.0-or-later
// What the declarations of a file declare, and what people call them.
import type { Declarator } from './declarators.ts'
import type { Item } from './view.ts'

/** The declarator with which a declaration defines a name; undefined when it only declares it. */
export function definitionOf(item: Item, name: string): Declarator | undefined {
  const { declaration } = item
  const one = declaration.declarators.find((candidate) => candidate.name === name)
  if (one === undefined || declaration.storage.has('typedef')) return undefined
  if (one.isFunction) return declaration.body !== undefined ? one : undefined
  return declaration.storage.has('extern') && one.value === undefined ? undefined : one
}

/** The names that each declaration of the file declares: `struct x` as `t x`, all others as `o x`. */
export function indexOf(items: readonly Item[]): Map<string, Item[]> {
  const index = new Map<string, Item[]>()
  const put = (key: string, item: Item) => {
    const list = index.get(key)
    if (list === undefined) index.set(key, [item])
    else if (list.at(-1) !== item) list.push(item)
  }
  for (const item of items) {
    const { declarators, tags, enumerators, body } = item.declaration
    for (const { name } of body === undefined ? declarators : declarators.slice(0, 1)) put(`o ${name}`, item)
    for (const name of enumerators) put(`o ${name}`, item)
    for (const { name, isDefined, at } of tags) if (isDefined || isForward(item, at)) put(`t ${name}`, item)
  }
  return index
}

/** `struct x;` and nothing else. */
function isForward(item: Item, at: number): boolean {
  return item.tokens.length === at + 2 && item.tokens.length <= 4
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
