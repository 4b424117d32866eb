// SPDX-License-Identifier: GPL-3.0-or-later
// The room that functions ask for: how large the memory is that an allocation gives an object, a buffer that an object
// keeps, or the private area behind an object of a subsystem.

import { valueFrom } from '../../../c/tokens/brackets.ts'
import { argumentsAt, callsIn } from '../../../c/tokens/calls.ts'
import type { Token } from '../../../c/tokens/lexer.ts'
import { isMember } from '../../../c/tokens/names.ts'
import { type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import { squeezed } from '../../../c/tokens/text.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { namesOfParameters, variablesOf } from '../../../c/written/local-variables.ts'
import type { Side } from '../../subject/changed-functions.ts'
import { accessPathOf, pathBefore } from '../reading/access-paths.ts'
import { packetSizes, sizeArguments } from '../reading/allocators.ts'
import { type Names, type Size, sizeOf } from './sizes.ts'

export interface AllocationSize {
  /** What has the room: `struct x`, `struct x.buf`, or `the buf` for a variable of the file. */
  readonly things: readonly string[]
  readonly size: Size
  /** The call, or the member that is given the size. */
  readonly word: string
  readonly statement: Statement
  /** It is made where it is missing, and stays: a later call of the same function finds it as it was made. */
  readonly isKept: boolean
}

/** What a size is read from: one side of a patch. */
export interface Reading {
  readonly side: Side
  readonly constants: ReadonlyMap<string, readonly Token[]>
  type(name: string): readonly Token[] | undefined
  find(name: string): Definition | undefined
}

export const packet = 'struct sk_buff'

/** Members that tell a subsystem how much to allocate for each of its objects: with the size of a struct in it. */
const askedBy = /size$|_sz$|_pad$|^needed_(?:head|tail)room$/

export function namesOf(reading: Reading, definition: Definition, given?: ReadonlyMap<string, Size>): Names {
  return {
    variables: variablesOf(definition),
    body: definition.body,
    constants: reading.constants,
    type: reading.type,
    ...(given === undefined ? {} : { given }),
  }
}

/** A wrapper's text beyond this is not put in. */
const longestWrapper = 600
/** How many wrappers around each other are followed. */
const deepest = 3
/** Of functions that stand in other files, the names of those that may allocate. */
const mayAllocate = /alloc|new|create|dup|make/

/** What a function asks for, by itself or by way of functions that are given a size. */
export function allocationSizesIn(reading: Reading, definition: Definition): AllocationSize[] {
  const variables = variablesOf(definition)
  return statementsOf(definition.body).flatMap((statement): AllocationSize[] => {
    const { tokens } = statement
    const found: AllocationSize[] = []
    for (const [at, { kind, text: word }] of tokens.entries()) {
      if (kind !== 'name') continue
      const next = tokens[at + 1]?.text
      if (isMember(tokens, at)) {
        if (next !== '=' || !askedBy.test(word)) continue
        const value = valueFrom(tokens, at + 2)
        const things = word.startsWith('needed_') ? [packet] : typesIn(value, definition, reading.constants)
        const size = sizeOf(value, namesOf(reading, definition))
        if (things.length > 0) found.push({ things, size, word, statement, isKept: false })
      } else if (next === '(')
        for (const { size, types } of sizesAt(reading, definition, tokens, at)) {
          const things = [...new Set([...receiverOf(reading, definition, tokens, at), ...types])]
          if (things.length === 0 || isOfOneCall(definition, tokens, at)) continue
          const guards = statement.under.map((outer) => squeezed(outer.tokens)).join('\n')
          const target = accessPathOf(pathBefore(tokens, equalsBefore(tokens, at)), variables)
          const isKept = target?.isLive === true && guards.includes(target.text)
          found.push({ things, size, word, statement, isKept })
        }
    }
    return found
  })
}

interface Asked {
  readonly size: Size
  /** The types whose sizes are summands. */
  readonly types: readonly string[]
}

/** What the call at `at` asks for; nothing when it is no allocation. */
function sizesAt(
  reading: Reading,
  definition: Definition,
  tokens: readonly Token[],
  at: number,
  given?: ReadonlyMap<string, Size>,
  depth = 0,
): Asked[] {
  const name = tokens[at]!.text
  const values = argumentsAt(tokens, at + 1)
  const names = namesOf(reading, definition, given)
  const numbers = sizeArguments.find(([words]) => words.test(name))?.[1]
  if (numbers !== undefined) {
    if (numbers.some((number) => (values[number] ?? []).length === 0)) return []
    const asked = numbers.map((number) => values[number]!)
    // `n, size` as one expression.
    const whole = asked.flatMap((value, index): Token[] => [
      ...(index === 0 ? [] : [{ ...tokens[at]!, kind: 'punctuator' as const, text: '*' }]),
      ...inParentheses(value),
    ])
    const fromCache = /^kmem_cache_create/.test(name) ? typesFromCache(reading, tokens, at) : []
    return [{ size: sizeOf(whole, names), types: [...typesIn(whole, definition, reading.constants), ...fromCache] }]
  }
  const number = packetSizes.find(([words]) => words.test(name))?.[1]
  if (number !== undefined)
    return values[number] === undefined ? [] : [{ size: sizeOf(values[number], names), types: [packet] }]
  const isAssigned = equalsBefore(tokens, at) > 0 || tokens[0]?.text === 'return'
  if (depth >= deepest || !isAssigned) return []
  const wrapper = reading.side.definitions.get(name) ?? (mayAllocate.test(name) ? reading.find(name) : undefined)
  if (wrapper === undefined || wrapper === definition || wrapper.body.length > longestWrapper) return []
  const put = new Map(
    namesOfParameters(wrapper).flatMap((parameter, index) =>
      values[index] === undefined ? [] : [[parameter, sizeOf(values[index], names)] as const],
    ),
  )
  return statementsOf(wrapper.body).flatMap(({ tokens: inner }) =>
    inner.flatMap(({ kind }, index) =>
      kind === 'name' && inner[index + 1]?.text === '(' && isGivenBack(wrapper, inner, index)
        ? sizesAt(reading, wrapper, inner, index, put, depth + 1)
        : [],
    ),
  )
}

function inParentheses(value: readonly Token[]): Token[] {
  const [first] = value
  return [{ ...first!, kind: 'punctuator', text: '(' }, ...value, { ...first!, kind: 'punctuator', text: ')' }]
}

/** The structs whose sizes an expression names: `sizeof(*x)`, `struct_size(x, …)`. */
function typesIn(
  written: readonly Token[],
  definition: Definition,
  constants: ReadonlyMap<string, readonly Token[]>,
): string[] {
  const variables = variablesOf(definition)
  const tokens = written.flatMap((token) => constants.get(token.text) ?? [token])
  const found = new Set<string>()
  for (const [at, { text }] of tokens.entries()) {
    if (!/^(?:sizeof|struct_size|struct_size_t)$/.test(text)) continue
    const open = tokens[at + 1]?.text === '(' ? at + 2 : at + 1
    const [first, second] = tokens.slice(open, open + 2)
    if (/^(?:struct|union)$/.test(first?.text ?? '')) {
      const isPointer = tokens[open + 2]?.text === '*'
      if (!isPointer) found.add(`${first!.text} ${second!.text}`)
      continue
    }
    const variable = variables.get((first?.text === '*' ? second : first)?.text ?? '')
    const levels = first?.text === '*' || text !== 'sizeof' ? 1 : 0
    // `sizeof(*x)` of a buffer of numbers names nothing.
    const isWhole = /^[),]$/.test(tokens[open + (first?.text === '*' ? 2 : 1)]?.text ?? '')
    if (variable !== undefined && isWhole && variable.pointers === levels && /^(?:struct|union) \w/.test(variable.type))
      found.add(variable.type)
  }
  return [...found]
}

/** The structs that functions take out of the cache that the call at `at` makes. */
function typesFromCache({ side }: Reading, tokens: readonly Token[], at: number): string[] {
  const cache = tokens[equalsBefore(tokens, at) - 1]?.text
  return [...side.definitions.values()].flatMap((user) =>
    callsIn(user.body, /^kmem_cache_z?alloc/).flatMap((call) => {
      if (call.values[0]?.at(-1)?.text !== cache) return []
      const variable = variablesOf(user).get(user.body[equalsBefore(user.body, call.at) - 1]?.text ?? '')
      return variable?.pointers === 1 && /^struct /.test(variable.type) ? [variable.type] : []
    }),
  )
}

/** Where the assignment stands whose value the call is; -1 for none. */
function equalsBefore(tokens: readonly Token[], call: number): number {
  let at = call - 1
  while (at >= 0 && !/^[=;{}]$/.test(tokens[at]!.text)) at--
  return tokens[at]?.text === '=' ? at : -1
}

/** True when what the call gives is what the function returns. */
function isGivenBack(definition: Definition, tokens: readonly Token[], call: number): boolean {
  if (definition.kind === 'macro' || tokens[0]?.text === 'return') return true
  const name = tokens[equalsBefore(tokens, call) - 1]?.text
  return name !== undefined && isFollowed(definition.body, 'return', name)
}

function isFollowed(body: readonly Token[], word: string, name: string): boolean {
  return body.some(({ text }, at) => text === word && body[at + 1]?.text === name && body[at + 2]?.text === ';')
}

/** What gets the memory; of a pointer without a struct, the member that gets it later. */
function receiverOf(reading: Reading, definition: Definition, tokens: readonly Token[], call: number): string[] {
  const equals = equalsBefore(tokens, call)
  if (equals < 0)
    return tokens[0]?.text === 'return' || definition.kind === 'macro' ? ofResult(reading, definition) : []
  const own = thingAt(definition, tokens, equals)
  if (own !== undefined) return [own]
  const name = tokens[equals - 1]?.text ?? ''
  const { body } = definition
  const later = body.flatMap(({ text }, at) => {
    const isValue = text === name && body[at - 1]?.text === '=' && /^[;,]$/.test(body[at + 1]?.text ?? '')
    return (isValue ? thingAt(definition, body, at - 1) : undefined) ?? []
  })
  return later.length === 0 && isFollowed(body, 'return', name) ? ofResult(reading, definition) : later
}

/** What the place in front of an assignment is; undefined for a local pointer without a struct. */
function thingAt(definition: Definition, tokens: readonly Token[], equals: number): string | undefined {
  const variables = variablesOf(definition)
  const place = accessPathOf(pathBefore(tokens, equals), variables)
  if (place === undefined) return undefined
  const variable = variables.get(place.base)
  if (place.member !== '') return `${place.object}.${place.member}`
  if (variable === undefined || variable.isStatic) return `the ${place.base}`
  return variable.pointers === 1 && /^(?:struct|union) \w/.test(variable.type) ? variable.type : undefined
}

/** The struct that a function returns, or what its users give the result to. */
function ofResult({ side }: Reading, { name, head }: Definition): string[] {
  const at = head.findIndex(({ text }) => /^(?:struct|union)$/.test(text))
  if (at >= 0 && head[at + 2]?.text === '*' && head[at + 3]?.text !== '*')
    return [`${head[at]!.text} ${head[at + 1]!.text}`]
  return [...side.users(name)].flatMap((user) => {
    const definition = side.definitions.get(user)!
    return definition.body.flatMap(({ text }, call) => {
      const equals = text === name ? equalsBefore(definition.body, call) : -1
      return (equals < 0 ? undefined : thingAt(definition, definition.body, equals)) ?? []
    })
  })
}

/** True when the function itself frees what it got on its plain way: nobody meets it later. */
function isOfOneCall(definition: Definition, tokens: readonly Token[], call: number): boolean {
  const target = equalsBefore(tokens, call) - 1
  const variable = variablesOf(definition).get(tokens[target]?.text ?? '')
  if (variable === undefined || variable.isParameter || variable.isStatic || isMember(tokens, target)) return false
  for (const { kind, under, tokens: own } of statementsOf(definition.body)) {
    const isFree =
      /^k?v?z?free\w*$|^(?:kfree|consume)_skb$|^kmem_cache_free$/.test(own[0]?.text ?? '') &&
      own.some(({ text }) => text === variable.name)
    if (isFree && under.every((outer) => !outer.leaves || outer.kind === 'loop')) return true
    if (kind === 'exit' && under.length === 0 && own[0]?.text === 'return') return false
  }
  return false
}
