// SPDX-License-Identifier: GPL-3.0-or-later
// System calls are written with SYSCALL_DEFINE (include/linux/syscalls.h), which makes several functions of one, and
// tables for tracing and for the injection of errors. A live patch can have it as it is written:
// kernel/include/inarch-source.h leaves the tables out, and macros in front of it give the functions that are replaced
// their names.

import { definitionOf } from '../view/declared-names.ts'
import type { Chunk, Item } from '../view/unit-view.ts'
import type { Closure } from './closure.ts'

/** Whether a chunk is a system call with all its functions, of which those with a symbol for others are replaced. */
export function isSystemCall(
  { tokens, items }: Chunk,
  needed: readonly Item[],
  { targets, renamed, whole, bindings }: Closure,
): boolean {
  const macro = tokens[0]?.text ?? ''
  if (!/^(?:COMPAT_)?SYSCALL_DEFINE[0-6]$/.test(macro)) return false
  if (tokens.at(-1)?.text !== '}') return false
  // Without arguments it is one function, which is private, and has other names.
  const isOne = macro.endsWith('0')
  const functions = items.filter(({ declaration }) => declaration.body !== undefined)
  return (
    functions.length > 0 &&
    functions.every((item) => {
      const [one] = item.declaration.declarators
      const isTarget = one !== undefined && targets.get(one.name) === item && renamed.has(one.name)
      return one !== undefined && whole.has(item) && isTarget === (isOne || !item.declaration.storage.has('static'))
    }) &&
    needed.every(({ declaration }) => declaration.declarators.every(({ name }) => !bindings.has(name))) &&
    // What else is needed of it would be one of its tables.
    needed.every((item) =>
      item.declaration.declarators.every(({ name, isFunction }) => isFunction || !definitionOf(item, name)),
    )
  )
}
