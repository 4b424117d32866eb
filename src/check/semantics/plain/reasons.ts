// SPDX-License-Identifier: GPL-3.0-or-later
// Why a change of a function is plain: what the statements do that only one side has, or has elsewhere.

import type { Statement } from '../../../c/tokens/statements.ts'
import { declaredAt, type variablesOf } from '../../../c/written/local-variables.ts'
import { exactly } from '../reading/calls-and-assignments.ts'
import { says } from '../reading/known-callees.ts'

/** What a plain change does, in the order in which it is told. */
export const reasons = {
  check: 'adds a check and leaves early',
  removed: 'leaves out a check',
  condition: 'decides otherwise',
  value: 'computes a local value otherwise',
  result: 'returns another value',
  order: 'orders accesses to memory',
  wait: 'waits for a grace period',
  message: 'says something else',
  release: 'gives back, where it leaves, what it took itself',
  held: 'holds something for the time of the call',
  interface: 'takes or returns another type',
  handed: 'hands more to a function that the patch changes, too',
  moved: 'takes the same steps in another order',
  cut: 'does a part by a function that only one side has',
} as const

export type Reason = keyof typeof reasons

/** What a value is kept in that only tells how a call ended. */
export const outcome = /^(?:err\w*|re?t(?:val|v)?|rc|error|status|res(?:ult)?|reason)$/

/** What orders accesses, or keeps the compiler from tearing them. */
const ordering =
  /^(?:READ_ONCE|WRITE_ONCE|data_race|smp_\w+|[rw]?mb|barrier|dma_[rw]mb|rcu_assign_pointer|RCU_INIT_POINTER|\w+_(?:acquire|release|relaxed))$/

export function orderOf(statements: readonly Statement[]): string[] {
  return statements.flatMap(({ tokens }) => tokens.flatMap(({ text }) => (ordering.test(text) ? [text] : [])))
}

export type BothVariables = Record<'before' | 'after', ReturnType<typeof variablesOf>>

/** Why the statements that only one side has, or has elsewhere, are plain. */
export function reasonsOf(
  { gone, come, old, young }: Record<'gone' | 'come' | 'old' | 'young', readonly Statement[]>,
  variables: BothVariables,
  effective: ReadonlySet<Statement>,
): Set<Reason> {
  const barriers = (one: Statement) => {
    const all = gone.includes(one) ? old : young
    return orderOf(all.slice(0, all.indexOf(one))).length
  }
  const said = new Set<Reason>()
  const note = (one: Statement, others: readonly Statement[], side: 'gone' | 'come') => {
    const own = variables[side === 'gone' ? 'before' : 'after']
    const other = variables[side === 'gone' ? 'after' : 'before']
    const twin = others.find(({ text }) => text === one.text)
    const reason = reasonOf(one, own, side)
    if (twin !== undefined && one.kind === 'expression') {
      said.add(reason === 'order' || reason === 'wait' ? reason : 'moved')
      if (barriers(twin) !== barriers(one)) said.add('order')
      if (twin.within !== one.within) said.add('condition')
    } else if (reason !== undefined) said.add(reason)
    // What a statement does is told, and not what it does it upon.
    else if (effective.has(one)) {
      if (/ (?:\?|&&|\|\|) /.test(one.text)) said.add('condition')
    } else if (one.kind === 'expression') {
      const text = exactly(one.tokens, own)
      const declared = one.tokens.some(({ text: word }) => word === '=') ? [] : declaredAt(one.tokens, 0, false)
      const isSame =
        declared.length > 0
          ? declared.every(({ name }) => !other.has(name))
          : others.some(({ tokens }) => exactly(tokens, other) === text)
      if (!isSame) said.add('value')
    }
  }
  for (const one of come) note(one, gone, 'come')
  for (const one of gone) note(one, come, 'gone')
  return said
}

function reasonOf(
  { kind, tokens, leaves }: Statement,
  variables: ReturnType<typeof variablesOf>,
  side: 'gone' | 'come',
): Reason | undefined {
  if (kind === 'condition') return leaves ? (side === 'come' ? 'check' : 'removed') : 'condition'
  if (kind === 'loop') return 'condition'
  if (kind === 'exit') return tokens[0]?.text === 'return' ? 'result' : side === 'come' ? 'check' : 'condition'
  if (kind === 'label') return /^(?:case|default)$/.test(tokens[0]?.text ?? '') ? 'condition' : undefined
  const first = tokens[0]?.text ?? ''
  if (/^(?:smp_\w*mb\w*|[rw]?mb|barrier|dma_[rw]mb)$/.test(first)) return 'order'
  if (/^synchronize_/.test(first)) return 'wait'
  if (tokens.some(({ text }) => /^(?:\+\+|--|[-+*/%&|^]?=|<<=|>>=)$/.test(text))) {
    const target = tokens.find(({ text }) => variables.has(text))?.text ?? ''
    return outcome.test(target) ? 'result' : 'value'
  }
  return tokens[1]?.text === '(' && says.test(first) ? 'message' : undefined
}
