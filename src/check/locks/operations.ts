// SPDX-License-Identifier: GPL-3.0-or-later
// What a function takes and gives back, in the order of its text.

import { argumentsAt } from '../../c/tokens/calls.ts'
import { closing, type Token } from '../../c/tokens/lexer.ts'
import { isArrow, isMember } from '../../c/tokens/names.ts'
import { squeezed } from '../../c/tokens/text.ts'
import type { Definition } from '../../c/written/functions.ts'
import { variablesOf } from '../../c/written/local-variables.ts'
import { emptyLibrary, type Library } from '../subject/callee-bodies.ts'
import type { Side } from '../subject/changed-functions.ts'
import { guardOf, type Kind, lockTakenBy, type Primitive, primitiveOf } from './primitives.ts'

export interface Operation {
  readonly kind: Kind
  readonly role: Primitive['role']
  readonly family: string
  /** The thing as it is written, such as `q->lock`; empty when the family is the thing. */
  readonly on: string
  /** The same thing in other functions: the family and the last name of `on`. */
  readonly key: string
  /** Of which struct `on` is a member, where the text tells: two `->lock` of different structs are two locks. */
  readonly owner?: string
  /** What a wrapper counts: `eventfd_ctx_put` is a `kref kref`. */
  readonly within?: string
  /** The word that does it. */
  readonly word: string
  /**
   * On a path that leaves the function, or jumps, while others go on: the innermost such block, by a number; else 0.
   */
  readonly leaves: number
  readonly line: number
  /** Where the word stands in the function's body. */
  readonly at: number
  /** True where a function that is called does it, which has names of its own for things. */
  readonly isInCallee?: boolean
}

/** `&q->lock` is `q->lock`; casts and outer parentheses say nothing. */
export function plainly(tokens: readonly Token[]): string {
  return tokens
    .map(({ text }) => text)
    .join('')
    .replace(/^\([^()&]*\*\)/, '')
    .replace(/^[&(*]+/, '')
    .replace(/\)+$/, (close) => close.slice(1))
}

/** The last name of a thing: `lock` of `q->lock`, `table[i].lock` and `lock_of(q)->lock`. */
export function lastName(on: string): string {
  const plain = on.replace(/\[[^\]]*\]/g, '').replace(/\([^()]*\)/g, '')
  return /([A-Za-z_]\w*)\W*$/.exec(plain)?.[1] ?? on
}

/** For each token, the innermost block around it that ends by leaving (`return` or `goto`): where it opens, or 0. */
function leavingBlocks(tokens: readonly Token[]): number[] {
  const result = new Array<number>(tokens.length).fill(0)
  const open: number[] = []
  for (const [at, { text }] of tokens.entries()) {
    if (text === '{') open.push(at)
    if (text !== '}') continue
    const start = open.pop()
    if (start === undefined) continue
    // The last statement of the block.
    let from = at - 1
    for (let depth = 0, k = at - 2; k > start; k--) {
      const word = tokens[k]!.text
      if (word === '}' || word === ')') depth++
      else if (word === '{' || word === '(') depth--
      if (depth === 0 && (word === ';' || word === '}')) break
      from = k
    }
    if (!/^(?:return|goto)$/.test(tokens[from]?.text ?? '')) continue
    for (let k = start; k < at; k++) result[k] ||= start
  }
  return result
}

/** The struct that a path is a member of: of `q->lock` that of `q`; undefined behind a second arrow. */
function ownerOf(on: string, definition: Definition): string | undefined {
  const variables = variablesOf(definition)
  // A variable of the file, or of the kernel.
  if (definition.kind === 'function' && /^[A-Za-z_]\w*$/.test(on) && !variables.has(on)) return 'the'
  const [, base = '', arrow = ''] = /^([A-Za-z_]\w*)(->|\.)\w+$/.exec(on) ?? []
  const variable = variables.get(base)
  const isOne = variable !== undefined && /^(?:struct|union) \w/.test(variable.type)
  return isOne && variable.pointers === (arrow === '->' ? 1 : 0) ? variable.type : undefined
}

/** Wrappers are short; what does more is a function of its own. */
const longestWrapper = 120

/** The one count that a wrapper's body takes or gives. */
function countWithin(wrapper: Definition | undefined, mentions: (word: string) => boolean): Operation | undefined {
  if (wrapper === undefined || wrapper.body.length > longestWrapper) return undefined
  const inner = operationsIn(wrapper, mentions).filter((one) => one.kind === 'reference' && one.on !== '')
  return inner.length === 1 ? inner[0] : undefined
}

/** Names of what may count a reference in a way that only its body tells. */
const mayCount = /(?:^|_)(?:get|put|hold|grab|ref|unref|drop|pin|unpin)(?:_|$)/

/**
 * What a function's own text does.
 * @param wrappers finds the body of a function that only looks like a reference, by its name
 * @param calls what a function that is called does, to be told where it is called
 * @param alias what a macro says that a name stands for
 */
export function operationsIn(
  definition: Definition,
  mentions: (word: string) => boolean,
  wrappers: (name: string) => Definition | undefined = () => undefined,
  calls: (name: string) => readonly Operation[] = () => [],
  alias: (name: string) => string = (name) => name,
): Operation[] {
  const { body } = definition
  const found: Operation[] = []
  const leaving = leavingBlocks(body)
  const put = (primitive: Primitive, on: string, at: number, role = primitive.role) => {
    const { kind, family } = primitive
    const named = primitive.argument === undefined ? '' : on
    const name = lastName(named)
    const owner = kind === 'lock' ? ownerOf(named, definition) : undefined
    const isWrapped = kind === 'reference' && primitive.argument === undefined
    const inner = isWrapped ? countWithin(wrappers(body[at]!.text), mentions) : undefined
    const within = inner?.role === role ? inner.key : undefined
    found.push({
      kind,
      role,
      family,
      on: named,
      ...(owner === undefined ? {} : { owner }),
      ...(within === undefined ? {} : { within }),
      // A lock's name stays when its kind changes; a count's name is all that tells it from others.
      key: named === '' ? family : kind === 'lock' ? `lock ${name}` : `${family} ${name}`,
      word: body[at]!.text,
      leaves: leaving[at]!,
      line: body[at]!.line,
      at,
    })
  }
  for (let at = 0; at < body.length; at++) {
    const { kind, text } = body[at]!
    if (kind === 'punctuator' && (text === '++' || text === '--')) {
      const on = countedAt(body, at)
      if (on !== undefined)
        put({ kind: 'reference', family: 'count', role: text === '++' ? 'take' : 'give', argument: 0 }, on, at)
      continue
    }
    if (kind !== 'name' || body[at + 1]?.text !== '(' || isMember(body, at)) continue
    if (text === 'guard' || text === 'scoped_guard' || text === 'CLASS') {
      const inner = argumentsAt(body, at + 1)
      const primitive = guardOf(inner[0]?.[0]?.text ?? '')
      if (primitive === undefined) continue
      const behind = closing(body, at + 1)
      const argument =
        text === 'scoped_guard' ? inner[1] : body[behind]?.text === '(' ? argumentsAt(body, behind)[0] : undefined
      const on = plainly(argument ?? [])
      put(primitive, on, at, 'take')
      put(primitive, on, at, 'give')
      continue
    }
    const start = initialCount(text, body, at)
    for (let count = 0; count < start.count; count++) put(start.primitive, start.on, at)
    const known = referenceOf(text, mentions, alias)
    const inside = known === undefined && mayCount.test(text) ? countWithin(wrappers(text), mentions) : undefined
    const primitive = known ?? (inside && { ...inside, family: text, argument: undefined })
    if (primitive === undefined) {
      found.push(...calls(text))
      continue
    }
    const inner = argumentsAt(body, at + 1)
    const on = plainly(inner[primitive.argument ?? 0] ?? [])
    // Of one word each bit is a lock of its own.
    const bit = bitOf(text, primitive, inner)
    const thing = bit === undefined ? on : `${on} bit ${bit}`
    for (let count = 0; count < amountOf(text, inner); count++) put(primitive, thing, at)
    const lock = lockTakenBy(text)
    if (lock !== undefined) put(lock, plainly(inner.at(-1) ?? []), at)
  }
  return found
}

/** A macro’s name for a function (`spi_master_get`) counts the reference that the function counts. */
function referenceOf(
  word: string,
  mentions: (word: string) => boolean,
  alias: (name: string) => string,
): Primitive | undefined {
  const plain = primitiveOf(word, mentions)
  if (plain?.kind !== 'reference' || plain.argument !== undefined) return plain
  const other = alias(word)
  return (other === word ? undefined : primitiveOf(other, () => true)) ?? plain
}

/** The bit of a word that is locked, or waited for. */
function bitOf(word: string, { kind, family }: Primitive, inner: readonly (readonly Token[])[]): string | undefined {
  if (family === 'bit lock' || word === 'clear_and_wake_up_bit') return plainly(inner[0] ?? [])
  return kind === 'wait' && family === 'bit' ? plainly(inner[1] ?? []) : undefined
}

/** More references at once are not told apart. */
const mostAtOnce = 8

/** `refcount_add(2, &x->users)` takes two. */
function amountOf(word: string, inner: readonly (readonly Token[])[]): number {
  if (!/^refcount_(?:add|sub)/.test(word) || inner[0]?.length !== 1) return 1
  const number = Number(inner[0][0]!.text)
  return number > 0 && number <= mostAtOnce ? number : 1
}

/** `refcount_set(&x->users, 2)`: whoever makes an object begins with so many references. */
function initialCount(word: string, body: readonly Token[], at: number) {
  const primitive: Primitive = { kind: 'reference', family: 'count', role: 'take', argument: 0 }
  if (!/^(?:refcount|atomic(?:64|_long)?)_set$/.test(word)) return { primitive, on: '', count: 0 }
  const [on, value] = argumentsAt(body, at + 1)
  const number = value?.length === 1 ? Number(value[0]!.text) : Number.NaN
  return { primitive, on: plainly(on ?? []), count: number > 0 && number <= mostAtOnce ? number : 0 }
}

/** The member that `++` or `--` counts: `x->users++`, `--x->users`. A plain variable is nobody else's. */
function countedAt(body: readonly Token[], at: number): string | undefined {
  const isPart = (index: number) => {
    const token = body[index]
    return token?.kind === 'name' || isArrow(token)
  }
  let from = at
  while (isPart(from - 1)) from--
  let to = at + 1
  if (from === at) while (isPart(to)) to++
  const tokens = from < at ? body.slice(from, at) : body.slice(at + 1, to)
  if (/^(?:return|else|do|case)$/.test(tokens[0]?.text ?? '')) tokens.shift()
  const text = squeezed(tokens)
  return /(?:->|\.)[A-Za-z_]\w*$/.test(text) ? text : undefined
}

/**
 * A function, and the functions that it calls and that the other side does not have: code that moved into a new
 * helper is no change.
 */
export function withHelpers(side: Side, definition: Definition, other: Side): Definition[] {
  const found = [definition]
  for (const { body } of found)
    for (const [at, { kind, text }] of body.entries()) {
      if (kind !== 'name' || body[at + 1]?.text !== '(' || other.definitions.has(text)) continue
      const helper = side.definitions.get(text)
      if (helper !== undefined && !found.includes(helper)) found.push(helper)
    }
  return found
}

/** How many calls are followed for the locks that are taken in them. */
const deepest = 2

/** What a function does, with the locks that the functions of the same files take which it calls. */
export function lockingOf(side: Side, definition: Definition, other: Side): Operation[] {
  const mentions = (word: string) => side.mentions(word) || other.mentions(word)
  const inside =
    (depth: number) =>
    (name: string): readonly Operation[] => {
      const callee = side.definitions.get(name)
      if (callee === undefined || callee === definition || depth >= deepest) return []
      return operationsIn(callee, mentions, undefined, inside(depth + 1))
        .filter(({ kind }) => kind === 'lock')
        .map((one) => ({ ...one, isInCallee: true }))
    }
  return operationsIn(definition, mentions, undefined, inside(0))
}

/** What a function and its new helpers do. */
export function operationsOf(
  side: Side,
  definition: Definition,
  other: Side,
  library: Library = emptyLibrary,
): Operation[] {
  const mentions = (word: string) => side.mentions(word) || other.mentions(word)
  const wrappers = (name: string) => side.definitions.get(name) ?? library.definition(name)
  return withHelpers(side, definition, other).flatMap((one) =>
    operationsIn(one, mentions, wrappers, undefined, library.alias),
  )
}
