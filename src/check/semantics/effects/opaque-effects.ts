// SPDX-License-Identifier: GPL-3.0-or-later
// What a statement does by way of something that has no text to read: a function that was handed over or stands in a
// table, assembly, and a macro that is known to ask or compute but stands alone, so that its answer can't be what it is
// there for.

import { argumentsAt } from '../../../c/tokens/calls.ts'
import { closing, openingOf, type Token } from '../../../c/tokens/lexer.ts'
import { isMember } from '../../../c/tokens/names.ts'
import type { Statement } from '../../../c/tokens/statements.ts'
import { squeezed } from '../../../c/tokens/text.ts'
import type { Variable } from '../../../c/written/local-variables.ts'
import { primitiveOf } from '../../locks/primitives.ts'
import { isCast, pathBefore } from '../reading/access-paths.ts'
import { callOf } from '../reading/calls-and-assignments.ts'
import { asks, says, writtenBy } from '../reading/known-callees.ts'
import { type Effect, effectOn } from './effects.ts'

/** Macros that declare, and calls that leave everything as it is although nobody asks for an answer. */
const idle =
  /^(?:DEFINE_\w+|DECLARE_\w+|LIST_HEAD|HLIST_HEAD|\w*_BUG\w*|static_assert|cond_resched\w*|cpu_relax|smp_\w*mb\w*|[rw]?mb|dma_[rw]mb|barrier\w*|va_\w+|__aligned|__section)$/

export function opaqueEffectsIn(statement: Statement, variables: ReadonlyMap<string, Variable>): Effect[] {
  const { tokens, kind } = statement
  const found: Effect[] = []
  const put = (name: string, open: number) => {
    const act = callOf(name, argumentsAt(tokens, open), variables)
    found.push(effectOn('call', `${name}()`, 'is called', statement, act))
  }
  const first = tokens[0]?.text ?? ''
  if (/^(?:asm|__asm__)$/.test(first)) {
    const assembly = 'inline assembly'
    return [effectOn('call', assembly, 'is run', statement, callOf(assembly, [tokens.slice(1)], variables))]
  }
  for (let at = 1; at < tokens.length; at++) {
    if (tokens[at]!.text !== '(') continue
    const before = tokens[at - 1]!
    if (before.kind === 'name' && variables.has(before.text) && !isMember(tokens, at - 1) && !isDeclared(tokens, at))
      put(before.text, at)
    else if (before.text === ']' || (before.text === ')' && isFunction(tokens, at)))
      put(squeezed(pathBefore(tokens, at)), at)
  }
  // A timer, a work item or a list entry behind a variable; memory behind one may as well be of the call.
  const written = tokens[1]?.text === '(' ? writtenBy(first) : undefined
  if (written !== undefined && written.how !== 'is written') {
    const value = argumentsAt(tokens, 1)[written.argument] ?? []
    const variable = value.length === 1 ? variables.get(value[0]!.text) : undefined
    if (variable !== undefined && variable.pointers > 0 && !variable.isArray) put(first, 1)
  }
  const isAlone = kind === 'expression' && tokens[1]?.text === '(' && closing(tokens, 1) === tokens.length
  const isRead = [says, idle].some((words) => words.test(first)) || writtenBy(first) !== undefined
  if (isAlone && asks.test(first) && !isRead && primitiveOf(first, () => true) === undefined) {
    const isOwn = argumentsAt(tokens, 1).every((value) => isOfTheCall(value, variables))
    if (!isOwn) put(first, 1)
  }
  return found
}

/** `int (*f)(int)` and `int f(int)` are no calls. */
function isDeclared(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 2]
  return before !== undefined && (before.text === '*' || (before.kind === 'name' && before.text !== 'return'))
}

/** `(*f)(x)` and `(p->f)(x)`, and neither `(type)(x)` nor `if (x) (y)`. */
function isFunction(tokens: readonly Token[], at: number): boolean {
  const open = openingOf(tokens, at - 1)
  return tokens[open - 1]?.kind !== 'name' && !isCast(tokens, open)
}

/** A number, a constant, or a variable that is gone when the function returns. */
function isOfTheCall(value: readonly Token[], variables: ReadonlyMap<string, Variable>): boolean {
  return value.every(({ kind, text }) => {
    if (text === '->') return false
    const variable = kind === 'name' ? variables.get(text) : undefined
    if (variable === undefined) return kind !== 'name' || /^[A-Z][A-Z0-9_]*$/.test(text)
    return variable.pointers === 0 && !variable.isStatic
  })
}
