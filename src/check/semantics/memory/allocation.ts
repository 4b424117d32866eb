// SPDX-License-Identifier: GPL-3.0-or-later
// Which thing a function allocates or frees, by which family of allocators, and for whom.

import { argumentsAt } from '../../../c/tokens/calls.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import type { Side } from '../../subject/changed-functions.ts'
import { accessPathOf, accessPathStart, isCast } from '../reading/access-paths.ts'
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
function offsetIn(tokens: readonly Token[]): string {
  const found: string[] = []
  for (let at = 0; at < tokens.length; at++) {
    const { text } = tokens[at]!
    // A cast, or parentheses around a part, are looked into only at the start.
    if (text === '[' || (text === '(' && at > 0)) at = closing(tokens, at) - 1
    else if ((text === '-' || text === '+') && at > 0) {
      found.push(
        tokens
          .slice(at)
          .map((token) => token.text)
          .join(' '),
      )
      break
    }
  }
  return found.join('')
}

function thingOf(tokens: readonly Token[], definition: Definition): string | undefined {
  // `(void *)p - 64` is about p.
  const end = tokens.findIndex(({ text }, at) => at > 0 && (text === '-' || text === '+'))
  const place = accessPathOf(end < 0 ? tokens : tokens.slice(0, end), variablesOf(definition))
  if (place === undefined) return undefined
  const variable = variablesOf(definition).get(place.base)
  if (place.member === '' && variable !== undefined && /^(?:struct|union) /.test(variable.type)) return variable.type
  if (place.member !== '' || variable === undefined || variable.isParameter) return place.member || place.base
  return keptAs(definition, place.base) ?? `${place.base} of ${definition.name}`
}

/** The name alone of a variable that is the function's own. */
function localIn(written: readonly Token[], definition: Definition): { readonly variable?: string } {
  const tokens = bare(written)
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
  return /^(?:->|\.)$/.test(body[at - 3]?.text ?? '') ? body[at - 2]!.text : undefined
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
      tokens.flatMap(({ text }, at): string[] => {
        if (text !== name || tokens[at + 1]?.text !== '(') return []
        const thing =
          what === 'result'
            ? receiverOf(tokens, at, definition)?.name
            : thingOf(argumentsAt(tokens, at + 1)[what] ?? [], definition)
        return thing === undefined ? [] : [thing]
      }),
    )
  })
}

export function allocationsIn(definition: Definition): Allocation[] {
  const found: Allocation[] = []
  for (const { tokens } of statementsOf(definition.body))
    for (let at = 0; at < tokens.length; at++) {
      const { kind, text } = tokens[at]!
      if (kind !== 'name' || tokens[at + 1]?.text !== '(') continue
      const inner = argumentsAt(tokens, at + 1)
      const give = acceptedBy(text, inner)
      if (give !== undefined) {
        const argument = inner[give.argument] ?? []
        const thing = thingOf(argument, definition)
        const parameter = argument.length === 1 ? parameterOf(definition, argument[0]!.text) : undefined
        if (thing !== undefined)
          found.push({
            role: 'give',
            ...localIn(argument, definition),
            ...(parameter === undefined ? {} : { forOthers: parameter }),
            families: give.families,
            word: text,
            thing,
            offset: offsetIn(bare(argument)),
            definition,
          })
        continue
      }
      const family = familyOf(text, inner)
      if (family === undefined) continue
      const thing = isReturned(tokens, at, definition)
        ? { name: `the result of ${definition.name}`, offset: '', forOthers: 'result' as const }
        : receiverOf(tokens, at, definition)
      if (thing !== undefined)
        found.push({
          ...('forOthers' in thing ? { forOthers: thing.forOthers } : {}),
          role: 'take',
          ...('target' in thing ? localIn(thing.target, definition) : {}),
          families: [family],
          word: text,
          thing: thing.name,
          offset: thing.offset,
          definition,
        })
    }
  return found
}

/** `return kvmalloc(…)`, also behind a cast; of a macro, all that it stands for. */
function isReturned(tokens: readonly Token[], call: number, { kind }: Definition): boolean {
  if (kind === 'macro' && (call === 0 || (isCast(tokens, 0) && closing(tokens, 0) === call))) return true
  return tokens[0]?.text === 'return' && (call === 1 || (isCast(tokens, 1) && closing(tokens, 1) === call))
}

/** The number of a parameter that is no pointer to a struct: such a one is told by its type. */
function parameterOf(definition: Definition, name: string): number | undefined {
  const parameters = [...variablesOf(definition).values()].filter(({ isParameter }) => isParameter)
  const at = parameters.findIndex((one) => one.name === name)
  return at < 0 || /^(?:struct|union) /.test(parameters[at]!.type) ? undefined : at
}

function bare(tokens: readonly Token[]): readonly Token[] {
  return tokens[0]?.text === '(' && closing(tokens, 0) === tokens.length ? bare(tokens.slice(1, -1)) : tokens
}

/** What an allocation is assigned to, and what is added to it there or by the next assignment to the same. */
function receiverOf(tokens: readonly Token[], call: number, definition: Definition) {
  let at = call - 1
  while (at >= 0 && tokens[at]!.text !== '=') at--
  if (at < 0) return undefined
  const from = accessPathStart(tokens, at)
  const target = tokens.slice(tokens[from]?.text === '*' ? from + 1 : from, at)
  const name = thingOf(target, definition)
  if (name === undefined) return undefined
  const behind = tokens.slice(closing(tokens, call + 1))
  const here = /^[-+]$/.test(behind[0]?.text ?? '') ? behind.map(({ text }) => text).join(' ') : ''
  const own = target.map(({ text }) => text).join('')
  // `msg = (void *)msg + 64;`
  const later = statementsOf(definition.body).find(({ tokens: other }) => {
    const equals = other.findIndex(({ text }) => text === '=')
    if (
      equals < 1 ||
      other
        .slice(0, equals)
        .map(({ text }) => text)
        .join('') !== own
    )
      return false
    const value = other.slice(equals + 1)
    return (
      value.some(({ text }) => text === target.at(-1)?.text) &&
      offsetIn(bare(value)) !== '' &&
      !value.some(({ text }) => text === '?')
    )
  })
  const moved =
    later === undefined
      ? ''
      : offsetIn(bare(later.tokens.slice(later.tokens.findIndex(({ text }) => text === '=') + 1)))
  return { name, target, offset: here || moved }
}
