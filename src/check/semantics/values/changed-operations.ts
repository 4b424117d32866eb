// SPDX-License-Identifier: GPL-3.0-or-later
// What a function does to a thing that outlasts its call, where a value of it is another one now, or another condition
// stands above it: `radix_tree_insert(&x->tree, id + 1, …)` in place of `radix_tree_insert(&x->tree, id, …)`.
import type { Token } from '../../../c/tokens/lexer.ts'
import { type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import { lastName } from '../../locks/operations.ts'
import type { ChangedFunction } from '../../subject/changed-functions.ts'
import { accessPathOf } from '../reading/access-paths.ts'
import { spelled } from '../reading/calls-and-assignments.ts'
import { type Direction, directionOf } from '../reading/directions.ts'
import { saysSomething } from '../reading/member-accesses.ts'
import {
  argumentsThatChange,
  bothVariables,
  callsIn,
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
    if (value[0]?.text !== '&') return []
    const place = accessPathOf(value, variables)
    if (place?.isLive !== true || (place.member === '' && variables.get(place.base)?.isStatic === false)) return []
    return [place.member === '' ? place.base : `${place.object}.${place.member}`]
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
      const others = values.filter((_, at) => at !== index)
      return [
        {
          ...{ name, file, callee, index, change },
          ...directionOfCall(callee, values),
          things: thingsOf(others, variables.after),
          gone: spelled(gone),
          come: spelled(come),
        },
      ]
    }),
  )
}

/** Operands of a sum that are another one: `held = old + x->pages`. The things are members that the function names. */
export function changedOperands(of: ChangedFunction, replacements: readonly Replacement[]): ChangedOperation[] {
  const { name, file } = of
  const variables = bothVariables(of)
  const things = (of.after?.body ?? []).flatMap(({ kind, text }, at, body) =>
    kind === 'name' && /^(?:->|\.)$/.test(body[at - 1]?.text ?? '') ? [text] : [],
  )
  return replacements.flatMap((one): ChangedOperation[] => {
    const { gone, come, after, from } = exchangeOf(one)
    const change = `${skeleton(gone, variables.before)} → ${skeleton(come, variables.after)}`
    // What differs may begin within the operand’s path.
    const sign = after
      .slice(0, from)
      .findLast(({ kind, text }) => kind === 'punctuator' && !/^(?:->|\.)$/.test(text))?.text
    const direction = /^\+=?$/.test(sign ?? '') ? 'up' : /^-=?$/.test(sign ?? '') ? 'down' : undefined
    if (direction === undefined || !isOther(change)) return []
    return [
      {
        name,
        file,
        callee: sign!,
        index: -1,
        direction,
        things,
        change,
        gone: spelled(gone),
        come: spelled(come),
      },
    ]
  })
}

/** Steps that stay as they are, and stand below another condition. */
export function changedConditions(of: ChangedFunction): ChangedOperation[] {
  const { name, file, before, after } = of
  if (before === undefined || after === undefined) return []
  const variables = bothVariables(of)
  const [old, young] = [before, after].map((one) => onlyOnes(statementsOf(withPlainAccesses(one).body)))
  return [...young!].flatMap(([text, one]): ChangedOperation[] => {
    const was = old!.get(text)
    if (was === undefined || was.within === one.within || one.kind !== 'expression') return []
    const [above, now] = [conditionsOf(was, variables.before), conditionsOf(one, variables.after)]
    const gone = [...above].flatMap(([part, text]) => (now.has(part) ? [] : [text]))
    const come = [...now].flatMap(([part, text]) => (above.has(part) ? [] : [text]))
    if (gone.length + come.length === 0) return []
    return callsIn(one.tokens).flatMap(({ callee, values }): ChangedOperation[] => {
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
function onlyOnes(statements: readonly Statement[]): Map<string, Statement> {
  const count = new Map<string, number>()
  for (const { text } of statements) count.set(text, (count.get(text) ?? 0) + 1)
  return new Map(statements.flatMap((one) => (count.get(one.text) === 1 ? [[one.text, one] as const] : [])))
}

/**
 * The parts of the conditions above a statement, as they are written, by what they are without the names of variables.
 */
function conditionsOf({ under }: Statement, variables: Variables): Map<string, string> {
  const parts = under.filter(({ kind }) => kind === 'condition').flatMap(({ tokens }) => partsOf(tokens.slice(2, -1)))
  return new Map(parts.map((part) => [skeleton(part, variables), spelled(part)]))
}

function partsOf(tokens: readonly Token[]): Token[][] {
  const found: Token[][] = [[]]
  for (const token of tokens)
    if (token.text === '&&' || token.text === '||') found.push([])
    else found.at(-1)!.push(token)
  return found
}

/** The member or variable at the end of a thing. */
export function nameOfThing(thing: string): string {
  return lastName(thing)
}
