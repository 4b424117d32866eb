// SPDX-License-Identifier: GPL-3.0-or-later
// Types that a function comes to without a word of it: a header declares a pointer to a type of which only the unit has
// the definition (`mm->notifier_subscriptions->lock`), and the function follows it.
import { addOnce } from '../../ground/values/grouped.ts'
import { type Item, isFromHeader, type View } from './unit-view.ts'

/**
 * What headers declare as a pointer to a type of which the unit has the definition: members, functions, variables,
 * typedefs.
 */
export function pointersInHeaders(
  { expanded: { text, headers } }: View,
  index: ReadonlyMap<string, readonly Item[]>,
): Map<string, Item[]> {
  const found = new Map<string, Item[]>()
  const tags = new Map<string, Item>()
  for (const items of index.values())
    for (const item of items)
      if (!isFromHeader(item))
        for (const { name, isDefined, keyword } of item.declaration.tags)
          if (isDefined) tags.set(`${keyword} ${name}`, item)
  if (tags.size === 0) return found
  const pointer = /\b(struct|union)\s+(\w+)\s*\*[\s*(]*(?:const\s+|__\w+\s+)*(\w+)/g
  for (let at = 0; at < headers.length; at += 2)
    for (const [, keyword, tag, name] of text.slice(headers[at]!, headers[at + 1]!).matchAll(pointer)) {
      const item = tags.get(`${keyword} ${tag}`)
      if (item !== undefined) addOnce(found, name!, item)
    }
  return found
}
