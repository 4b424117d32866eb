// SPDX-License-Identifier: GPL-3.0-or-later
// Whether objects of a type can outlive the functions that use it. When all of them lie on the stack of functions, a
// task has them laid out as the code that it runs expects, before and after it is switched: they are no danger.

import path from 'node:path'
import type { Item, Meaning, Outline } from '../../c/expanded/outline.ts'
import { spell } from '../../c/tokens/spelling.ts'

/**
 * `stack`: objects are only variables of functions, and functions hand them to each other. `shared`: the same, but some
 * function finds one by a pointer of another kind, so that it may be another task's. `own`: some are allocated, but
 * nothing is seen that finds one again. `live`: they can be found again, or it can't be told.
 */
export type Lifetime = 'stack' | 'shared' | 'own' | 'live'

/** How functions come to objects of the type. */
type Origin = 'variable' | 'allocation' | 'found' | 'static'

const allocates = /\b\w*(?:alloc|memdup)\w*\s*\(/

/** The first value of a pointer, or what is stored in it later, up to the semicolon. */
function valuesOf(body: string, name: string): string[] {
  return [...body.matchAll(new RegExp(`(?<![\\w.>])${name}\\s*=(?!=)([^;]*)`, 'g'))].map(([, value]) => value!)
}

/** What a function's body says about where objects of the type come from. */
function originsIn(body: string, type: string): Set<Origin> {
  const found = new Set<Origin>()
  for (const { index, 0: words } of body.matchAll(new RegExp(`(?<!\\w)${type}(?!\\w)`, 'g'))) {
    const behind = body.slice(index + words.length)
    const ahead = body.slice(Math.max(0, index - 60), index)
    if (/^\s+[A-Za-z_]\w*\s*(?:=|;|,|\[)/.test(behind))
      found.add(/\bstatic\s+(?:const\s+)?$/.test(ahead) ? 'static' : 'variable')
    else if (/^\s*\)\s*\{/.test(behind)) found.add('variable')
    else if (/\bsizeof\s*\(\s*$/.test(ahead)) {
      if (allocates.test(ahead)) found.add('allocation')
    } else {
      const pointer = /^\s*\*\s*(?:const\s+)?([A-Za-z_]\w*)\s*(?:=|;|,)/.exec(behind)
      const values = pointer === null ? [] : valuesOf(body.slice(index), pointer[1]!)
      if (values.length === 0) found.add('found')
      for (const value of values) {
        const plain = value.trim()
        if (/^&\s*\w+\s*$|^(?:\(\(void \*\)0\)|NULL|0)$/.test(plain)) continue
        found.add(allocates.test(plain) ? 'allocation' : 'found')
      }
    }
  }
  return found
}

function lifetimeFrom(origins: ReadonlySet<Origin>): Lifetime {
  if (origins.has('static')) return 'live'
  if (origins.has('found')) return origins.has('variable') && !origins.has('allocation') ? 'shared' : 'live'
  return origins.has('allocation') ? 'own' : 'stack'
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
  const origins = new Set<Origin>()
  for (const item of mentions(side, type)) {
    const text = side.text.slice(item.start, item.end)
    if (item.body === undefined) {
      if (definition.test(text)) {
        if (path.posix.normalize(item.file) !== source) return 'live'
        // With a variable, or inside of another type.
        const isAlone = /^(?:typedef\s+)?(?:struct|union)\b[^{]*\{/.test(text) && /\}[^{}=]*;\s*$/.test(text)
        if (!isAlone || new RegExp(`(?<!\\w)${pattern}(?!\\w)`, 'g')[Symbol.match](text)!.length > 1) return 'live'
        continue
      }
      const meaning = side.meaning(item)
      // A prototype, or that there is such a type.
      const isSaid = meaning.kind === 'declaration' && !text.includes('{')
      if (!isSaid || (meaning.names.length > 0 && !text.includes('('))) return 'live'
      continue
    }
    const result = resultOf(side.meaning(item))
    if (result.includes('*') && new RegExp(pattern).test(result)) return 'live'
    for (const origin of originsIn(side.text.slice(item.body, item.end), pattern)) origins.add(origin)
  }
  return lifetimeFrom(origins)
}

/** What a function's head says that it returns. */
function resultOf({ tokens, declaration: { declarators } }: Meaning): string {
  return spell(tokens.slice(0, declarators[0]?.at ?? 0))
}
