// SPDX-License-Identifier: GPL-3.0-or-later
// How each variable of a unit is used by what is in the output: whether a constant may be copied depends on it.

import type { Use } from '../../c/expanded/name-uses.ts'
import type { Token } from '../../c/tokens/lexer.ts'
import { getOrInsertComputed } from '../../ground/values/remembered.ts'
import { definitionOf } from './declared-names.ts'
import type { Item } from './unit-view.ts'

export class VariableManners {
  readonly #manners = new Map<string, Set<Use['how'] | 'sizeof'>>()

  /** @param tokens in which the use stands */
  note({ name, how, at }: Use, tokens: readonly Token[]): void {
    const manners = getOrInsertComputed(this.#manners, name, () => new Set())
    manners.add(how)
    const before = tokens[at - 1]?.text
    if (before === 'sizeof' || (before === '(' && tokens[at - 2]?.text === 'sizeof' && tokens[at + 1]?.text === ')'))
      manners.add('sizeof')
  }

  /** Whether the size of a variable is asked for. */
  isSized(name: string): boolean {
    return this.#manners.get(name)?.has('sizeof') === true
  }

  /** Whether more of a constant is used than its elements, so that it has an identity. */
  escapes(name: string, item: Item): boolean {
    const isScalar = isPlainScalar(item, name)
    return [...(this.#manners.get(name) ?? [])].some(
      (one) => one !== 'element' && one !== 'sizeof' && !(isScalar && one === 'other'),
    )
  }
}

/** Whether a variable is a number or a pointer. */
function isPlainScalar(item: Item, name: string): boolean {
  const one = definitionOf(item, name)!
  const specifiers = item.tokens.slice(0, one.from)
  // An array, or a structure, by a typedef: its initial value tells.
  const value = one.value === undefined ? undefined : item.tokens[one.value.from + 1]
  const isPointer = item.tokens.slice(one.from, one.at).some(({ text }) => text === '*')
  return (
    item.tokens[one.at + 1]?.text !== '[' &&
    value?.text !== '{' &&
    (isPointer || value?.kind !== 'string') &&
    !specifiers.some(({ text }) => text === 'struct' || text === 'union')
  )
}
