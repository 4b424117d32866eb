// SPDX-License-Identifier: GPL-3.0-or-later
// The members that the text of a struct declares, and the one at its end that has no length of its own.
import { closing, findOutside, type Token } from '../tokens/lexer.ts'
import { declaredAt } from './local-variables.ts'

export interface StructMember {
  readonly name: string
  /** `struct x`, `u8`. */
  readonly type: string
  readonly pointers: number
  readonly isArray: boolean
  /** An array that ends the object wherever its memory ends: `data[]`, `data[0]`. */
  readonly isFlexible: boolean
}

/** @param tokens between the braces */
export function membersOf(tokens: readonly Token[]): StructMember[] {
  const found: StructMember[] = []
  for (let at = 0; at < tokens.length; ) {
    const end = findOutside(tokens, at, ';')
    const item = tokens.slice(at, end)
    at = end + 1
    if (/^(?:DECLARE_FLEX_ARRAY|__DECLARE_FLEX_ARRAY)$/.test(item[0]?.text ?? '')) {
      const [name, type] = [item.at(-2)!, item.slice(2, -3).map(({ text }) => text)]
      const pointers = type.filter((text) => text === '*').length
      const plain = type.filter((text) => text !== '*').join(' ')
      found.push({ name: name.text, type: plain, pointers, isArray: true, isFlexible: true })
      continue
    }
    // A struct or union without a name has the members of its own braces.
    const open = item.findIndex(({ text }) => text === '{')
    if (open >= 0 && closing(item, open) === item.length) {
      found.push(...membersOf(item.slice(open + 1, -1)))
      continue
    }
    for (const { name, type, pointers, isArray } of declaredAt(item, 0, false)) {
      const where = item.findIndex((one, index) => one.text === name && item[index + 1]?.text === '[')
      const length = where < 0 ? undefined : item[where + 2]?.text
      const isFlexible = isArray && (length === ']' || (length === '0' && item[where + 3]?.text === ']'))
      found.push({ name, type, pointers, isArray, isFlexible })
    }
  }
  return found
}

export function flexibleMember(tokens: readonly Token[]): string | undefined {
  return membersOf(tokens).findLast(({ isFlexible }) => isFlexible)?.name
}
