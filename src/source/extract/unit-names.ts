// SPDX-License-Identifier: GPL-3.0-or-later
// The names of a unit: which declarations declare each of them, and which of them each declaration uses.

import { isWritten } from '../../c/expanded/local-statics.ts'
import { type Use, usesOf } from '../../c/expanded/name-uses.ts'
import { wordsOf } from '../../c/tokens/lexer.ts'
import { addOnce } from '../../ground/values/grouped.ts'
import { getOrInsertComputed, lazy } from '../../ground/values/remembered.ts'
import { definitionAmong, definitionOf } from '../view/declared-names.ts'
import { pointersInHeaders } from '../view/pointed-types.ts'
import type { Item, View } from '../view/unit-view.ts'
import { isParameterList } from './bound-declaration.ts'

export class UnitNames {
  /** The declarations of the unit, in their order. */
  readonly items: readonly Item[]
  readonly #order: ReadonlyMap<Item, number>
  /** The declarations of each name: of `struct x` by `t x`, of all others by `o x`. */
  readonly #index: ReadonlyMap<string, readonly Item[]>
  readonly #uses = new Map<Item, readonly Use[]>()
  #assembled: ReadonlySet<string> | undefined
  readonly #pointers = lazy(() => pointersInHeaders(this.view, this.#index))

  constructor(private readonly view: View) {
    this.items = view.chunks.flatMap((chunk) => chunk.items)
    this.#order = new Map(this.items.map((item, at) => [item, at]))
    this.#index = indexOf(this.items)
  }

  /** Where in the unit a declaration stands, counted in declarations. */
  orderOf(item: Item): number {
    return this.#order.get(item)!
  }

  /** What declares a function, a variable, a constant or a type's name. */
  candidates(name: string): readonly Item[] {
    return this.#index.get(`o ${name}`) ?? []
  }

  /** What declares or defines `struct tag`, a union or an enum of the tag. */
  tagged(tag: string): readonly Item[] {
    return this.#index.get(`t ${tag}`) ?? []
  }

  definition(name: string): Item | undefined {
    return definitionAmong(this.candidates(name), name)
  }

  tagDefinitions(tag: string): Item[] {
    return this.tagged(tag).filter(({ declaration: { tags } }) =>
      tags.some(({ name, isDefined }) => name === tag && isDefined),
    )
  }

  /** The uses of the unit's names in a declaration. */
  usesIn(item: Item): readonly Use[] {
    return getOrInsertComputed(this.#uses, item, () => {
      const { declarators, tags, body } = item.declaration
      const own = new Set([
        ...(body === undefined ? declarators : declarators.slice(0, 1)).map(({ at }) => at),
        ...tags.filter(({ isDefined }) => isDefined).map(({ at }) => at),
      ])
      return usesOf(item.tokens, own, (name, isTag) => this.#index.has(`${isTag ? 't' : 'o'} ${name}`))
    })
  }

  /** The types of the unit to which a header's declaration of a name leads by a pointer. */
  typesBehind(name: string): readonly Item[] {
    return this.#pointers().get(name) ?? []
  }

  /** Whether assembly beside the functions has a name, and may be what defines it. */
  isInAssembly(name: string): boolean {
    this.#assembled ??= new Set(
      this.items.flatMap(({ tokens, declaration }) =>
        declaration.declarators.length === 0 && /^(?:asm|__asm__|__asm)$/.test(tokens[0]?.text ?? '')
          ? tokens.flatMap(({ kind, text }) => (kind === 'string' ? wordsOf(text) : []))
          : [],
      ),
    )
    return this.#assembled.has(name)
  }

  /** A private variable that nothing in the unit writes to: the compiler has put its value wherever it is used. */
  isNeverWritten(name: string, item: Item): boolean {
    const one = definitionOf(item, name)!
    const isArray = item.tokens[one.at + 1]?.text === '['
    return (
      item.declaration.storage.has('static') &&
      this.items.every(({ tokens }) => !isWritten(tokens, name, 0, tokens === item.tokens ? tokens.length : 0, isArray))
    )
  }

  /**
   * The definition; of a function in the style of K&R, whose parameters only a prototype tells to callers, that
   * prototype.
   */
  withParameters(item: Item, name: string): Item {
    const one = item.declaration.declarators.find((it) => it.name === name)
    if (one === undefined || !isParameterList(item.tokens, item.declaration, one)) return item
    const typed = this.candidates(name).find((it) => {
      const other = it.declaration.declarators.find((own) => own.name === name)
      return it !== item && other?.isFunction === true && it.tokens[other.at + 2]?.text !== ')'
    })
    return typed ?? item
  }
}

/** The names that each declaration of the file declares: `struct x` as `t x`, all others as `o x`. */
function indexOf(items: readonly Item[]): Map<string, Item[]> {
  const index = new Map<string, Item[]>()
  for (const item of items) {
    const { declarators, tags, enumerators, body } = item.declaration
    for (const { name } of body === undefined ? declarators : declarators.slice(0, 1)) addOnce(index, `o ${name}`, item)
    for (const name of enumerators) addOnce(index, `o ${name}`, item)
    for (const { name, isDefined, at } of tags) if (isDefined || isForward(item, at)) addOnce(index, `t ${name}`, item)
  }
  return index
}

/** `struct x;` and nothing else. */
function isForward(item: Item, at: number): boolean {
  return item.tokens.length === at + 2 && item.tokens.length <= 4
}
