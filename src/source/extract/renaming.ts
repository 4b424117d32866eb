// SPDX-License-Identifier: GPL-3.0-or-later
// Which words of a text are the function that gets another name, and not a tag, a member, a local name or a label that
// is called like it. The expanded tokens tell; the written ones are held against them in their order.

import type { Token } from '../../c/tokens/lexer.ts'
import { addTo } from '../../ground/values/grouped.ts'
import type { Item } from '../view/unit-view.ts'
import type { Closure } from './closure.ts'

/**
 * @param items that the tokens stand for
 * @param tokens as written, or the items' own
 * @param part `body`: the tokens are those of the functions' bodies only
 */
export function renamedWords(
  closure: Closure,
  items: readonly Item[],
  tokens: readonly Token[],
  part?: 'body',
): Token[] {
  const { renamed } = closure
  if (renamed.size === 0) return []
  const written = new Map<string, number[]>()
  for (const [at, { kind, text }] of tokens.entries())
    if (kind === 'name' && renamed.has(text)) addTo(written, text, at)
  const found: Token[] = []
  for (const [name, places] of written) {
    const roles = rolesOf(closure, items, name, part)
    const isSame = roles.length === places.length
    const all = roles.every(({ isFunction }) => isFunction)
    const none = !roles.some(({ isFunction }) => isFunction)
    for (const [index, at] of places.entries()) {
      const token = tokens[at]!
      const before = tokens[at - 1]?.text ?? ''
      // A macro takes some of the words, or brings more of them.
      const isFunction = isSame
        ? roles[index]!.isFunction
        : !none &&
          !/^(?:\.|->|struct|union|enum|goto)$/.test(before) &&
          (all || isFunctionAt(roles, token.line) || tokens[at + 1]?.text === '(')
      if (isFunction) found.push(token)
    }
  }
  return found
}

interface Role {
  readonly line: number
  readonly isFunction: boolean
}

function isFunctionAt(roles: readonly Role[], line: number): boolean {
  const here = roles.filter((role) => role.line === line)
  return here.length > 0 && here.every(({ isFunction }) => isFunction)
}

/** What a word stands for at each of its places. */
function rolesOf(closure: Closure, items: readonly Item[], name: string, part: 'body' | undefined): Role[] {
  return items.flatMap((item) => {
    const { tokens, declaration } = item
    const own = declaration.declarators.find((one) => one.name === name && one.isFunction)?.at
    const uses = new Map(
      closure
        .usesIn(item)
        .flatMap(({ name: used, isTag, at, how }) => (used === name && !isTag ? [[at, how] as const] : [])),
    )
    return tokens.flatMap(({ kind, text, line }, at) => {
      if (kind !== 'name' || text !== name) return []
      if (part === 'body' && at < (declaration.body?.from ?? 0)) return []
      const how = uses.get(at)
      // Who takes its address gets that of the running function, which leads to the new one.
      const isFunction = at === own || how === 'call' || (how !== undefined && !closure.bindings.has(name))
      return [{ line, isFunction }]
    })
  })
}
