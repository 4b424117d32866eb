// SPDX-License-Identifier: GPL-3.0-or-later
// What a function does to a thing that outlasts its call, where a value of it is another one now, or another condition
// stands above it: `radix_tree_insert(&x->tree, id + 1, …)` in place of `radix_tree_insert(&x->tree, id, …)`.

import { partsBetween } from '../../../c/tokens/brackets.ts'
import { callsIn } from '../../../c/tokens/calls.ts'
import type { Token } from '../../../c/tokens/lexer.ts'
import { isArrow, isMember } from '../../../c/tokens/names.ts'
import { type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import { lastName } from '../../locks/operations.ts'
import type { ChangedFunction } from '../../subject/changed-functions.ts'
import { liveMember, livePlace } from '../reading/access-paths.ts'
import { spelled } from '../reading/calls-and-assignments.ts'
import { countsOf } from '../reading/differences.ts'
import { type Direction, directionOf } from '../reading/directions.ts'
import { saysSomething } from '../reading/member-accesses.ts'
import {
  argumentsThatChange,
  bothVariables,
  exchangeOf,
  type Replacement,
  sameInBoth,
  skeleton,
  type Variables,
  withPlainAccesses,
} from './replacements.ts'

export interface ChangedOperation {
  readonly name: string
  readonly file: string
  readonly callee: string
  /** The number of the argument that is another one; -1 where it is a condition or an operand. */
  readonly index: number
  readonly direction?: Direction
  /** What the callee and the one that undoes it are called without their direction. */
  readonly pair?: string
  /** What the call is handed by its address, and lives: `struct io_context.icq_tree`, `ext_devt_ida`. */
  readonly things: readonly string[]
  /** What differs, without the names of variables. */
  readonly change: string
  /** As it was written, and as it is written. */
  readonly gone: string
  readonly come: string
}

/** Members of objects that live, and variables of the file, whose address a call is handed. */
export function thingsOf(values: readonly (readonly Token[])[], variables: Variables): string[] {
  return values.flatMap((value) => {
    const place = value[0]?.text === '&' ? livePlace(value, variables) : undefined
    return place === undefined ? [] : [liveMember(place) ?? place.base]
  })
}

/** `add(…, -1)` takes off. */
export function directionOfCall(callee: string, values: readonly (readonly Token[])[]) {
  const named = directionOf(callee)
  const isNegative = values.some(([first, second]) => first?.text === '-' && second?.kind === 'number')
  return named?.direction === 'up' && isNegative ? { ...named, direction: 'down' as const } : named
}

const none = /^(?: → |[^a-z]*GFP_[^a-z]*)$/

/** Another way to the same value, such as `x->id` in place of `id`, is no other value. */
function isOther(change: string): boolean {
  const [gone = '', come = ''] = change.split(' → ')
  const says = (text: string) => saysSomething(text.replace(/ (?:\.|->) /g, '').replace(/^[&*]+/, ''))
  return gone !== come && !none.test(change) && (says(gone) || says(come))
}

/** Calls of which an argument is another one. */
export function changedArguments(of: ChangedFunction, replacements: readonly Replacement[]): ChangedOperation[] {
  const { name, file } = of
  const variables = bothVariables(of)
  return replacements.flatMap((one) =>
    argumentsThatChange(one).flatMap(({ callee, index, gone, come, values }): ChangedOperation[] => {
      const change = sameInBoth(gone, come, variables)
      if (!isOther(change)) return []
      const things = thingsOf(values.toSpliced(index, 1), variables.after)
      const parts = { gone: spelled(gone), come: spelled(come) }
      return [{ name, file, callee, index, change, ...directionOfCall(callee, values), things, ...parts }]
    }),
  )
}

/** Operands of a sum that are another one: `held = old + x->pages`. The things are members that the function names. */
export function changedOperands(of: ChangedFunction, replacements: readonly Replacement[]): ChangedOperation[] {
  const { name, file } = of
  const variables = bothVariables(of)
  const body = of.after?.body ?? []
  const things = body.flatMap(({ kind, text }, at) => (kind === 'name' && isMember(body, at) ? [text] : []))
  return replacements.flatMap((one): ChangedOperation[] => {
    const { gone, come, after, from } = exchangeOf(one)
    const change = `${skeleton(gone, variables.before)} → ${skeleton(come, variables.after)}`
    // What differs may begin within the operand’s path.
    const sign = after.slice(0, from).findLast((token) => token.kind === 'punctuator' && !isArrow(token))?.text ?? ''
    if (!/^[+-]=?$/.test(sign) || !isOther(change)) return []
    const direction = sign.startsWith('+') ? 'up' : 'down'
    const parts = { gone: spelled(gone), come: spelled(come) }
    return [{ name, file, callee: sign, index: -1, direction, things, change, ...parts }]
  })
}

/** Steps that stay as they are, and stand below another condition. */
export function changedConditions(of: ChangedFunction): ChangedOperation[] {
  const { name, file, before, after } = of
  if (before === undefined || after === undefined) return []
  const variables = bothVariables(of)
  const [old, young] = [before, after].map((one) => onlyOnes(statementsOf(withPlainAccesses(one).body)))
  return young!.flatMap((one): ChangedOperation[] => {
    const was = old!.find(({ text }) => text === one.text)
    if (was === undefined || was.within === one.within || one.kind !== 'expression') return []
    const [above, now] = [conditionsOf(was, variables.before), conditionsOf(one, variables.after)]
    const gone = [...above].flatMap(([part, text]) => (now.has(part) ? [] : [text]))
    const come = [...now].flatMap(([part, text]) => (above.has(part) ? [] : [text]))
    if (gone.length + come.length === 0) return []
    return callsIn(one.tokens).flatMap(({ name: callee, values }): ChangedOperation[] => {
      const things = thingsOf(values, variables.after)
      const direction = directionOfCall(callee, values)
      if (direction === undefined || things.length === 0) return []
      const parts = {
        gone: gone.join(', ') || 'no such condition',
        come: come.join(', ') || 'no such condition',
      }
      return [{ name, file, callee, index: -1, ...direction, things, change: 'condition', ...parts }]
    })
  })
}

/** Statements of which a text stands only once. */
function onlyOnes(statements: readonly Statement[]): Statement[] {
  const counts = countsOf(statements.map(({ text }) => text))
  return statements.filter(({ text }) => counts.get(text) === 1)
}

/**
 * The parts of the conditions above a statement, as they are written, by what they are without the names of variables.
 */
function conditionsOf({ under }: Statement, variables: Variables): Map<string, string> {
  const parts = under
    .filter(({ kind }) => kind === 'condition')
    .flatMap(({ tokens }) => partsBetween(tokens.slice(2, -1)))
  return new Map(parts.map((part) => [skeleton(part, variables), spelled(part)]))
}

/** The member or variable at the end of a thing. */
export function nameOfThing(thing: string): string {
  return lastName(thing)
}
