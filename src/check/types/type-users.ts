// SPDX-License-Identifier: GPL-3.0-or-later
// Which of the functions that a patch changes see a type: by the words in them and in the inline functions that they
// call. It is for people to read; what must be replaced is told from the code.
import type { Outline } from '../../c/expanded/outline.ts'

/** @param functions names; @param words the type's tag and the members that differ */
export function typeUsers(side: Outline, functions: readonly string[], words: readonly string[]): string[] {
  const isWanted = new RegExp(`(?<!\\w)(?:${words.map((word) => word.replace(/\W/g, '\\$&')).join('|')})(?!\\w)`)
  const textOf = (name: string): string | undefined => {
    const item = side.itemsWith(name).find((one) => side.functionName(one) === name)
    return item && side.text.slice(item.start, item.end)
  }
  return functions.filter((name) => {
    const own = textOf(name)
    if (own === undefined) return false
    if (isWanted.test(own)) return true
    const called = new Set([...own.matchAll(/\b([A-Za-z_]\w*)\s*\(/g)].map(([, callee]) => callee!))
    called.delete(name)
    return [...called].slice(0, mostCalls).some((callee) => {
      const text = textOf(callee)
      return text !== undefined && isWanted.test(text)
    })
  })
}

/** A function calls a few; behind the preprocessor, a few dozen. */
const mostCalls = 60
