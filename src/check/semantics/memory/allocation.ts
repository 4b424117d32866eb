// SPDX-License-Identifier: GPL-3.0-or-later
// Which thing a function allocates or frees, by which family of allocators, and for whom.

import { withoutParentheses } from '../../../c/tokens/brackets.ts'
import { callsIn } from '../../../c/tokens/calls.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { isMember } from '../../../c/tokens/names.ts'
import { statementsOf } from '../../../c/tokens/statements.ts'
import { squeezed } from '../../../c/tokens/text.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { parametersOf, variablesOf } from '../../../c/written/local-variables.ts'
import { type Side, textOf } from '../../subject/changed-functions.ts'
import { accessPathOf, isCast, pathBefore } from '../reading/access-paths.ts'
import { acceptedBy, type Family, familyOf } from '../reading/allocators.ts'

export interface Allocation {
  readonly role: 'take' | 'give'
  /** Of a take: the family; of a give: those that it takes. */
  readonly families: readonly Family[]
  readonly word: string
  /** The struct, or the last name where it is no struct. */
  readonly thing: string
  /** How the address differs from the allocator's, such as `- 64`; empty for none. */
  readonly offset: string
  readonly definition: Definition
  /** The local variable in which it lies. */
  readonly variable?: string
  /** The thing is what the function returns, or a parameter of it. */
  readonly forOthers?: 'result' | number
}

/** Arithmetic at the top level of a pointer's expression: `- 64` of `(void *)msg - 64`. */
function offsetIn(written: readonly Token[]): string {
  const tokens = withoutParentheses(written)
  for (let at = 1; at < tokens.length; at++) {
    const { text } = tokens[at]!
    // A cast, or parentheses around a part, are looked into only at the start.
    if (text === '[' || text === '(') at = closing(tokens, at) - 1
    else if (text === '-' || text === '+') return textOf(tokens.slice(at))
  }
  return ''
}

function thingOf(tokens: readonly Token[], definition: Definition): string | undefined {
  // `(void *)p - 64` is about p.
  const end = tokens.findIndex(({ text }, at) => at > 0 && (text === '-' || text === '+'))
  const variables = variablesOf(definition)
  const place = accessPathOf(end < 0 ? tokens : tokens.slice(0, end), variables)
  if (place === undefined || place.member !== '') return place?.member
  const variable = variables.get(place.base)
  if (variable !== undefined && /^(?:struct|union) /.test(variable.type)) return variable.type
  if (variable === undefined || variable.isParameter) return place.base
  return keptAs(definition, place.base) ?? `${place.base} of ${definition.name}`
}

/** The name alone of a variable that is the function's own. */
function localIn(written: readonly Token[], definition: Definition): { readonly variable?: string } {
  const tokens = withoutParentheses(written)
  const variable = tokens.length === 1 ? variablesOf(definition).get(tokens[0]!.text) : undefined
  return variable === undefined || variable.isParameter || variable.isStatic ? {} : { variable: variable.name }
}

/**
 * The member that gets a local pointer, or the pointer's own name where it is returned; undefined when it stays local.
 */
function keptAs({ body }: Definition, name: string): string | undefined {
  const at = body.findIndex(
    ({ text }, index) =>
      text === name && /^(?:=|return)$/.test(body[index - 1]?.text ?? '') && body[index + 1]?.text === ';',
  )
  if (at < 0) return undefined
  if (body[at - 1]!.text === 'return') return name
  return isMember(body, at - 2) ? body[at - 2]!.text : undefined
}

/** What the functions of a side allocate and free. */
export function allocationsOf(side: Side): Allocation[] {
  return [...side.definitions.values()].flatMap((definition) => allocationsThrough(side, definition))
}

/**
 * What a function allocates and frees; where it only does so for others, by what these call it. `buf` of
 * `m->buf = seq_buf_alloc(size)` is what that function returns.
 */
export function allocationsThrough(side: Side, definition: Definition): Allocation[] {
  return allocationsIn(definition).flatMap((one) => {
    if (one.forOthers === undefined) return [one]
    const things = thingsOfUsers(side, definition, one.forOthers)
    return things.length === 0 ? [one] : things.map((thing): Allocation => ({ ...one, thing }))
  })
}

/** @param what `result`, or the number of the parameter */
function thingsOfUsers(side: Side, { name }: Definition, what: 'result' | number): string[] {
  return [...side.users(name)].flatMap((user) => {
    const definition = side.definitions.get(user)
    if (definition === undefined) return []
    return statementsOf(definition.body).flatMap(({ tokens }) =>
      callsIn(tokens).flatMap((call): string | [] => {
        if (call.name !== name) return []
        const thing =
          what === 'result'
            ? receiverOf(tokens, call.at, definition)?.name
            : thingOf(call.values[what] ?? [], definition)
        return thing ?? []
      }),
    )
  })
}

function allocationsIn(definition: Definition): Allocation[] {
  return statementsOf(definition.body).flatMap(({ tokens }) =>
    callsIn(tokens).flatMap(({ name: word, at, values }): Allocation[] => {
      const give = acceptedBy(word, values)
      if (give !== undefined) {
        const argument = values[give.argument] ?? []
        const thing = thingOf(argument, definition)
        const parameter = argument.length === 1 ? parameterOf(definition, argument[0]!.text) : undefined
        const forOthers = parameter === undefined ? {} : { forOthers: parameter }
        const own = { ...localIn(argument, definition), ...forOthers, offset: offsetIn(argument) }
        return thing === undefined ? [] : [{ role: 'give', families: give.families, word, thing, ...own, definition }]
      }
      const family = familyOf(word, values)
      if (family === undefined) return []
      const take = { role: 'take', families: [family], word, definition } as const
      if (isReturned(tokens, at, definition))
        return [{ ...take, thing: `the result of ${definition.name}`, offset: '', forOthers: 'result' }]
      const receiver = receiverOf(tokens, at, definition)
      if (receiver === undefined) return []
      const { name: thing, target, offset } = receiver
      return [{ ...take, ...localIn(target, definition), thing, offset }]
    }),
  )
}

/** `return kvmalloc(…)`, also behind a cast; of a macro, all that it stands for. */
function isReturned(tokens: readonly Token[], call: number, { kind }: Definition): boolean {
  if (kind === 'macro' && (call === 0 || (isCast(tokens, 0) && closing(tokens, 0) === call))) return true
  return tokens[0]?.text === 'return' && (call === 1 || (isCast(tokens, 1) && closing(tokens, 1) === call))
}

/** The number of a parameter that is no pointer to a struct: such a one is told by its type. */
function parameterOf(definition: Definition, name: string): number | undefined {
  const parameters = parametersOf(definition)
  const at = parameters.findIndex((one) => one.name === name)
  return at < 0 || /^(?:struct|union) /.test(parameters[at]!.type) ? undefined : at
}

/** What an allocation is assigned to, and what is added to it there or by the next assignment to the same. */
function receiverOf(tokens: readonly Token[], call: number, definition: Definition) {
  const equals = tokens.findLastIndex(({ text }, at) => at < call && text === '=')
  if (equals < 0) return undefined
  const path = pathBefore(tokens, equals)
  const target = path[0]?.text === '*' ? path.slice(1) : path
  const name = thingOf(target, definition)
  if (name === undefined) return undefined
  const behind = tokens.slice(closing(tokens, call + 1))
  if (/^[-+]$/.test(behind[0]?.text ?? '')) return { name, target, offset: textOf(behind) }
  // `msg = (void *)msg + 64;`
  const values = statementsOf(definition.body).flatMap(({ tokens: other }) => {
    const at = other.findIndex(({ text }) => text === '=')
    return at > 0 && squeezed(other.slice(0, at)) === squeezed(target) ? [other.slice(at + 1)] : []
  })
  const moved = values.find((value) => {
    const words = value.map(({ text }) => text)
    return words.includes(target.at(-1)?.text ?? '') && !words.includes('?') && offsetIn(value) !== ''
  })
  return { name, target, offset: offsetIn(moved ?? []) }
}
