// SPDX-License-Identifier: GPL-3.0-or-later
// How far functions reach into the room of an object or a buffer: by an index, by an offset, behind the object's own
// end, or by a call that is given the place and a length; and by which conditions and values that is bounded.

import { partsBetween, topOf, valueFrom, withoutParentheses } from '../../../c/tokens/brackets.ts'
import { argumentsAt, bracketsAround, callsIn } from '../../../c/tokens/calls.ts'
import { constantValue } from '../../../c/tokens/constant-value.ts'
import { closing, openingOf, type Token } from '../../../c/tokens/lexer.ts'
import { isArrow, isMember, isNamed, renamed, wordsAt } from '../../../c/tokens/names.ts'
import { statementsOf } from '../../../c/tokens/statements.ts'
import { assignment } from '../../../c/tokens/words.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { textOf } from '../../subject/changed-functions.ts'
import { accessPathOf, accessPathStart, isCast, pathBefore } from '../reading/access-paths.ts'
import { freesOfAnySize } from '../reading/allocators.ts'
import { says } from '../reading/known-callees.ts'
import { namesOf, packet, type Reading } from './allocation-sizes.ts'
import { elementIn, flexibleOf, isOfAll, type Size, sizeOf, sizeOfType, sum } from './sizes.ts'

export interface BoundedAccess {
  /** The place and how far, with types in place of the names of variables. */
  readonly key: string
  /** The conditions and assignments that say how large the names in it are. */
  readonly guards: ReadonlySet<string>
  /** Where it ends, when that is the same in all functions. */
  readonly end?: Size
}

/** Neither reaches into what a pointer leads to. */
const asks =
  /^(?:sizeof|typeof|container_of\w*|IS_ERR\w*|PTR_ERR\w*|unlikely|likely|if|while|for|switch|return|READ_ONCE|WRITE_ONCE|swap|struct_size|flex_array_size|offsetof\w*|rcu_\w+|virt_to_\w+|is_\w+)$/
/** Which argument is the length, of functions whose other arguments say nothing about it. */
const lengths: readonly (readonly [RegExp, number])[] = [
  [
    /^(?:__)?mem(?:cpy|move|set|cmp|chr|chr_inv|zero_explicit)\w*$|^(?:_*copy_(?:from|to)_user\w*|str(?:n|s|l)?(?:cpy|scpy))$|^strscpy\w*$/,
    2,
  ],
  [/^v?s(?:n|cn)printf$|^get_random_bytes\w*$/, 1],
]
const pushes = /^_*(?:skb|pskb)_(?:push|put|tail)\w*$/
const makesRoom =
  /^(?:skb_cow\w*|pskb_expand_head|skb_(?:head|tail)room|skb_availroom|skb_expand_head|skb_pad\w*|__skb_pad|skb_realloc_headroom|skb_put_padto|eth_skb_pad|alloc_skb\w*|\w+_alloc_skb\w*|nlmsg_new)$/
/** The private area behind an object of a subsystem. */
const privates = /^(?:netdev_priv|\w+_(?:priv|ctx|ctx_dma|pdu))$/

/** What a function reaches of a thing: `struct x`, `struct x.buf`, `the buf`. */
export function boundedAccessesIn(reading: Reading, definition: Definition, thing: string): BoundedAccess[] {
  const { body } = definition
  const names = namesOf(reading, definition)
  const variables = names.variables
  const statements = statementsOf(body)
  const isType = /^(?:struct|union) \w+$/.test(thing)
  const flexible = isType ? flexibleOf(thing, names) : undefined
  const found: BoundedAccess[] = []

  const put = (written: readonly Token[], end?: Size) => {
    const key = spelled(written)
    if (key !== '')
      found.push({ key, guards: guardsOf(written), ...(end !== undefined && isOfAll(end) ? { end } : {}) })
  }
  /** With the values of constants, and the types of pointers to structs. */
  const spelled = (tokens: readonly Token[]) =>
    renamed(tokens, (name) => {
      const constant = reading.constants.get(name)
      if (constant !== undefined) return `${constantValue(constant, new Map()) ?? textOf(constant)}`
      const variable = variables.get(name)
      return variable?.pointers === 1 && /^(?:struct|union) /.test(variable.type) ? variable.type : undefined
    })
  /** Numbers and names of numbers in a reach, and what these are made of. */
  const guardsOf = (written: readonly Token[]): ReadonlySet<string> => {
    const own = new Set<string>()
    const note = (tokens: readonly Token[]) => {
      for (const [at, { text }] of tokens.entries()) {
        const variable = variables.get(text)
        const isName = variable !== undefined && !isMember(tokens, at)
        if (isName && (variable.pointers === 0 || variable.value !== undefined)) own.add(text)
      }
    }
    note(written)
    const guards = new Set<string>()
    for (const name of own)
      for (const { kind, tokens } of statements) {
        if (!isNamed(tokens, name)) continue
        if (kind === 'condition' || kind === 'loop') {
          for (const part of partsOf(tokens)) if (part.some(({ text }) => text === name)) guards.add(spelled(part))
        } else if (isGiven(tokens, name)) {
          guards.add(spelled(tokens))
          if (own.size < mostNames) note(tokens)
        }
      }
    return guards
  }

  const values = new Map<string, readonly (readonly Token[])[]>()
  const valuesOf = (name: string) => {
    const known = values.get(name) ?? valuesGiven(body, name)
    values.set(name, known)
    return known
  }

  /** Where the room begins at `at`: the end of the place's tokens, and the offset of what it names. */
  const rootAt = (
    tokens: readonly Token[],
    at: number,
    depth = 0,
  ): { end: number; offset: Size; element: Size } | undefined => {
    const { text, kind } = tokens[at]!
    if (kind !== 'name' || tokens[at + 1]?.text === '(' || isArrow(tokens[at + 1])) return undefined
    const offset = isType ? sizeOfType(thing) : new Map()
    if (isMember(tokens, at)) {
      const wanted = isType ? flexible : thing.slice(thing.lastIndexOf('.') + 1)
      const place = text === wanted ? accessPathOf(pathBefore(tokens, at + 1), variables) : undefined
      if (place === undefined) return undefined
      const owner = isType ? thing : thing.slice(0, thing.lastIndexOf('.'))
      // Behind a second arrow the struct is not known.
      const areKnown = [place.object, owner].every((one) => /^(?:struct|union) /.test(one))
      if (areKnown && place.object !== owner) return undefined
      return { end: at + 1, offset, element: elementIn(owner, text, names) }
    }
    if (`the ${text}` === thing && !(variables.get(text)?.isStatic === false))
      return { end: at + 1, offset, element: new Map([[`element of ${text}`, 1n]]) }
    const variable = variables.get(text)
    if (variable === undefined || variable.isParameter || variable.pointers !== 1 || depth > deepest) return undefined
    // `u8 *p = x->buf;`, or one of several values.
    const isRoot = valuesOf(text).some((given) => {
      const value = withoutCasts(given)
      return value.some((one, index) => {
        const root = one.text === text ? undefined : rootAt(value, index, depth + 1)
        return root !== undefined && root.end === value.length && accessPathStart(value, value.length) === 0
      })
    })
    return isRoot ? { end: at + 1, offset, element: sizeOfType(variable.type) } : undefined
  }

  for (const { tokens, kind } of statements) {
    if (kind === 'label') continue
    for (let at = 0; at < tokens.length; at++) {
      const { text, kind: sort } = tokens[at]!
      if (sort !== 'name') continue
      if (thing === packet && pushes.test(text) && tokens[at + 1]?.text === '(')
        put(tokens.slice(at, closing(tokens, at + 1)))
      if (isType && isBehind(tokens, at)) {
        put(tokens.slice(Math.max(0, at - 1), endOfOperand(tokens, at)))
        continue
      }
      if (isType && isPrivate(tokens, at)) put(tokens.slice(at, closing(tokens, at + 1)))
      const root = rootAt(tokens, at)
      if (root !== undefined) noteRoot(tokens, root)
      else if (isWhole(tokens, at)) noteCall(tokens, at, at + 1, undefined)
    }
  }
  return found

  /** `p`, alone, of a pointer to the struct itself. */
  function isWhole(tokens: readonly Token[], at: number): boolean {
    const variable = variables.get(tokens[at]!.text)
    return isType && variable?.pointers === 1 && variable.type === thing && !isMember(tokens, at)
  }

  /** `(v + 1)`, `&v[1]`, `(void *)v + sizeof(*v)`. */
  function isBehind(tokens: readonly Token[], at: number): boolean {
    if (!isWhole(tokens, at)) return false
    const next = tokens[at + 1]?.text
    if (next === '[') return tokens[at + 2]?.text !== '0' || tokens[at + 3]?.text !== ']'
    if (next === '+') return true
    // Behind a cast, also in parentheses.
    const isClosed = next === ')' && tokens[at - 1]?.text === '('
    const behind = isClosed ? at + 2 : at + 1
    const close = isClosed ? at - 2 : at - 1
    if (tokens[behind]?.text !== '+' || tokens[close]?.text !== ')') return false
    return isCast(tokens, openingOf(tokens, close))
  }

  /** The struct taken out of the private area of an object of a subsystem. */
  function isPrivate(tokens: readonly Token[], at: number): boolean {
    if (!privates.test(tokens[at]!.text) || tokens[at + 1]?.text !== '(') return false
    const open = openingOf(tokens, at - 1)
    const equals = (tokens[at - 1]?.text === ')' && isCast(tokens, open) ? open : at) - 1
    const variable = variables.get(tokens[equals - 1]?.text ?? '')
    return tokens[equals]?.text === '=' && variable?.pointers === 1 && variable.type === thing
  }

  function noteRoot(tokens: readonly Token[], { end, offset, element }: { end: number; offset: Size; element: Size }) {
    const start = accessPathStart(tokens, end)
    const next = tokens[end]?.text ?? ''
    if (next === '[') {
      const close = closing(tokens, end)
      const index = tokens.slice(end + 1, close - 1)
      if (index.length === 1 && index[0]!.text === '0') return
      if (isBoundedByItself(tokens[start]!.text, index)) return
      const last = sum(sizeOf(index, names), new Map([['', 1n]]))
      const isNumber = last.size === 1 && last.has('')
      const own = [...element].map(([factors, count]) => [factors, count * (last.get('') ?? 0n)] as const)
      put(tokens.slice(start, close), isNumber ? sum(offset, new Map(own)) : undefined)
    } else if (/^(?:\+|\+\+|\+=)$/.test(next)) put(tokens.slice(start, endOfOperand(tokens, end)))
    else noteCall(tokens, start, end, offset)
  }

  /** A place, or the object, that is handed to a function with something that may be a length. */
  function noteCall(tokens: readonly Token[], start: number, end: number, offset: Size | undefined) {
    // What a cast or the parentheses of no call are around has no name.
    const around = bracketsAround(tokens, start).find(({ open }) => tokens[open]!.text === '(')
    if (around === undefined || around.name === '') return
    if ([freesOfAnySize, asks, says].some((words) => words.test(around.name))) return
    const values = argumentsAt(tokens, around.open)
    const place = tokens.slice(start, end)
    const number = lengths.find(([words]) => words.test(around.name))?.[1]
    const others = number === undefined ? values.filter((value) => !value.includes(place[0]!)) : [values[number] ?? []]
    if (others.every((value) => value.length === 0)) return
    if (offset === undefined) {
      // Of the object itself, only a length that names more than it has.
      const longer = others.find((value) => mayBeLonger(sizeOf(value, names)))
      if (longer !== undefined) put([...place, ...longer], number === undefined ? undefined : sizeOf(longer, names))
      return
    }
    // Numbers, and not which other objects are meant.
    put([...place, ...others.flat()], number === undefined ? undefined : sum(offset, sizeOf(others[0]!, names)))
  }

  function mayBeLonger(length: Size): boolean {
    const own = [...sizeOfType(thing)][0]
    return own !== undefined && length.has(own[0]) && length.size > 1
  }

  /** The index stays below a count that the object itself holds. */
  function isBoundedByItself(base: string, index: readonly Token[]): boolean {
    const name = index.length === 1 ? index[0]!.text : undefined
    return (
      name !== undefined &&
      statements.some(
        ({ kind, tokens }) =>
          kind === 'loop' &&
          partsOf(tokens).some((part) => {
            const [first, operator, of, arrow] = part.map(({ text }) => text)
            return first === name && operator === '<' && of === base && arrow === '->' && part.length === 5
          }),
      )
    )
  }
}

/** True when the function itself sees to it that a packet has the room, or makes it. */
export function checksRoom({ body }: Definition): boolean {
  return callsIn(body, makesRoom).length > 0
}

/** How many pointers are followed to where they come from. */
const deepest = 4
/** More names of one reach are not followed. */
const mostNames = 8

/** The parts of a condition, or of the head of a loop. */
function partsOf(tokens: readonly Token[]): Token[][] {
  return partsBetween(tokens[1]?.text === '(' ? tokens.slice(2, -1) : tokens, /^(?:&&|\|\||;)$/)
}

/** All that a pointer is given; nothing of one that moves, or that others may set. */
function valuesGiven(body: readonly Token[], name: string): readonly (readonly Token[])[] {
  const uses = wordsAt(body, name)
  const isMoved = uses.some((at) => {
    const [before, next] = [body[at - 1]?.text ?? '', body[at + 1]?.text ?? '']
    const isLentOut = before === '&' && !/^(?:->|\[)$/.test(next)
    return (next !== '=' && assignment.test(next)) || /^(?:\+\+|--)$/.test(before) || isLentOut
  })
  return isMoved ? [] : uses.flatMap((at) => (body[at + 1]?.text === '=' ? [valueFrom(body, at + 2)] : []))
}

/** The statement gives the name a value, or hands out its address. */
function isGiven(tokens: readonly Token[], name: string): boolean {
  return tokens.some(
    ({ text }, at) =>
      text === name &&
      (assignment.test(tokens[at + 1]?.text ?? '') || /^(?:&|\+\+|--)$/.test(tokens[at - 1]?.text ?? '')),
  )
}

/** The end of what is added to the operand at `at`. */
function endOfOperand(tokens: readonly Token[], at: number): number {
  const ends = /^(?:[,;)\]=?]|[<>]=?|[=!]=|&&|\|\|)$/
  const behind = topOf(tokens.slice(at)).find((index) => ends.test(tokens[at + index]!.text))
  const end = behind === undefined ? tokens.length : at + behind
  // `((void *)v) + n`.
  if (tokens[end]?.text === ')' && tokens[end + 1]?.text === '+') return endOfOperand(tokens, end + 1)
  return end
}

function withoutCasts(written: readonly Token[]): readonly Token[] {
  const tokens = withoutParentheses(written)
  const isBehindCast = tokens[0]?.text === '(' && isCast(tokens, 0)
  return isBehindCast ? withoutCasts(tokens.slice(closing(tokens, 0))) : tokens
}
