// SPDX-License-Identifier: GPL-3.0-or-later
// Whether objects of a type can outlive the functions that use it. When all of them lie on the stack of functions, a
// task has them laid out as the code that it runs expects, before and after it is switched: they are no danger.
import path from 'node:path'
import type { Item, Outline } from '../source/outline.ts'

/**
 * `stack`: objects are only variables of functions. `own`: they are also allocated, but nothing is seen that finds one
 * again. `live`: they can be found by others, or it can't be told.
 */
export type Lifetime = 'stack' | 'own' | 'live'

const allocates = /\b\w*(?:alloc|memdup)\w*\s*\(/

/** The first value of a pointer, or what is stored in it later, up to the semicolon. */
function valuesOf(body: string, name: string): string[] {
  return [...body.matchAll(new RegExp(`(?<![\\w.>])${name}\\s*=(?!=)([^;]*)`, 'g'))].map(
    ([, value]) => value!,
  )
}

function lifetimeIn(body: string, type: string): Lifetime {
  let worst: Lifetime = 'stack'
  for (const { index, 0: words } of body.matchAll(new RegExp(`(?<!\\w)${type}(?!\\w)`, 'g'))) {
    const behind = body.slice(index + words.length)
    const ahead = body.slice(Math.max(0, index - 40), index)
    // A variable of the type itself, or a value of it.
    if (/^\s+[A-Za-z_]\w*\s*(?:=|;|,|\[)/.test(behind)) {
      if (/\bstatic\s+(?:const\s+)?$/.test(ahead)) return 'live'
      continue
    }
    if (/^\s*\)\s*\{/.test(behind)) continue
    if (/\bsizeof\s*\(\s*$/.test(ahead)) continue
    const pointer = /^\s*\*\s*(?:const\s+)?([A-Za-z_]\w*)\s*(=|;|,)/.exec(behind)
    if (pointer === null) return 'live'
    const values = valuesOf(body.slice(index), pointer[1]!)
    for (const value of values) {
      const plain = value.trim()
      if (/^&\s*\w+\s*$|^(?:\(\(void \*\)0\)|NULL|0)$/.test(plain)) continue
      if (!allocates.test(plain)) return 'live'
      worst = 'own'
    }
    if (values.length === 0) return 'live'
  }
  return worst
}

function worse(one: Lifetime, other: Lifetime): Lifetime {
  const order: readonly Lifetime[] = ['stack', 'own', 'live']
  return order[Math.max(order.indexOf(one), order.indexOf(other))]!
}

/** Where the words of a type stand in a unit. */
function mentions(side: Outline, type: string): Item[] {
  const pattern = new RegExp(`(?<!\\w)${type.replace(' ', '\\s+')}(?!\\w)`)
  return side
    .itemsWith(type.slice(type.indexOf(' ') + 1))
    .filter(({ start, end }) => pattern.test(side.text.slice(start, end)))
}

/**
 * @param side the unit before the patch
 * @param source the unit's C file; a type of a header is for others to see
 * @param type `struct foo`, or a typedef's name
 */
export function lifetimeOf(side: Outline, source: string, type: string): Lifetime {
  const pattern = type.replace(' ', '\\s+')
  const definition = new RegExp(`(?<!\\w)${pattern}\\s*\\{|\\}[^;{}]*(?<!\\w)${pattern}\\s*;`)
  let worst: Lifetime = 'stack'
  for (const item of mentions(side, type)) {
    const text = side.text.slice(item.start, item.end)
    if (item.body === undefined) {
      if (definition.test(text)) {
        if (path.posix.normalize(item.file) !== source) return 'live'
        // With a variable, or inside of another type.
        const isAlone = /^(?:typedef\s+)?(?:struct|union)\b[^{]*\{/.test(text) && /\}[^{}=]*;\s*$/.test(text)
        if (!isAlone || new RegExp(`(?<!\\w)${pattern}(?!\\w)`, 'g')[Symbol.match](text)!.length > 1)
          return 'live'
        continue
      }
      const meaning = side.meaning(item)
      // A prototype, or that there is such a type.
      const isSaid = meaning.kind === 'declaration' && !text.includes('{')
      if (!isSaid || (meaning.names.length > 0 && !text.includes('('))) return 'live'
      continue
    }
    if (
      /\*/.test(resultOf(side.meaning(item).head)) &&
      new RegExp(pattern).test(resultOf(side.meaning(item).head))
    )
      return 'live'
    const body = side.text.slice(item.body, item.end)
    worst = worse(worst, lifetimeIn(body, pattern))
    if (worst === 'live') return worst
  }
  return worst
}

/** What a function's head says that it returns. */
function resultOf(head: string): string {
  return head.slice(0, head.indexOf('('))
}
