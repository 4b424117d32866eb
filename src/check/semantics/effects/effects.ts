// SPDX-License-Identifier: GPL-3.0-or-later
// What a statement does that lasts longer than the call: what it writes, allocates, frees, counts, locks, waits for,
// and what the functions that it calls do so. Functions of the same file, of its headers and of its directory are read;
// of a function whose text is not found it is only said that it is called.

import { valueFrom } from '../../../c/tokens/brackets.ts'
import { argumentsAt } from '../../../c/tokens/calls.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { isMember } from '../../../c/tokens/names.ts'
import { type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import { assignment } from '../../../c/tokens/words.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { type Variable, variablesOf } from '../../../c/written/local-variables.ts'
import { primitiveOf } from '../../locks/primitives.ts'
import type { Library } from '../../subject/callee-bodies.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import { type AccessPath, accessPathOf, pathBefore, stepAt } from '../reading/access-paths.ts'
import { soundsLikeAllocation, soundsLikeFree } from '../reading/allocators.ts'
import {
  actKey,
  assignmentOf,
  type CallOrAssignment,
  callOf,
  givenArguments,
  spelled,
} from '../reading/calls-and-assignments.ts'
import { countsOf } from '../reading/differences.ts'
import { asks, says, waitsOut, writtenBy } from '../reading/known-callees.ts'
import { stackTypes } from '../reading/stack-types.ts'

export type EffectKind = 'write' | 'allocate' | 'free' | 'count' | 'lock' | 'wait' | 'call'

export interface Effect {
  readonly kind: EffectKind
  /** `struct eventfd_ctx`, a global variable, a lock, or the function that is called. */
  readonly object: string
  /** Empty for the object itself. */
  readonly member: string
  /** What it is now: `= x + 1`, `taken`, `freed by vfree`. */
  readonly how: string
  readonly place?: AccessPath
  /** The value that is written, as the statement has it. */
  readonly value?: readonly Token[]
  readonly statement: Statement
  /** The call or the assignment that does it. */
  readonly act: CallOrAssignment
  /** Where a function that is called does it: what it does there, with the caller's arguments. */
  readonly origin?: CallOrAssignment
}

/** One side of a change, with what is known of the functions that it calls. */
export interface Reader {
  readonly side: Side
  readonly library: Library
  /** Types whose objects only lie on the stack of functions. */
  readonly stack: ReadonlySet<string>
  /** What the functions do that were called so far. */
  readonly callees: Map<Definition, readonly Effect[]>
}

export function readerOf(functions: ChangedFunctions, side: 'before' | 'after'): Reader {
  const { library, facts } = functions
  return {
    side: functions[side],
    library,
    stack: stackTypes(functions),
    callees: facts.once(noCallees, functions),
  }
}

function noCallees(): Map<Definition, readonly Effect[]> {
  return new Map()
}

/** Words in front of a parenthesis that are no call. */
const keyword =
  /^(?:if|for|while|switch|return|do|else|case|sizeof|typeof|__typeof__|asm|__asm__|__attribute__|_Static_assert|defined)$/

export function keyOf({ kind, object, member, how }: Effect): string {
  return [kind, object, member, how].join('\n')
}

/** `EXT4_SB(sb)->lock` is the lock of what `EXT4_SB` returns, as `sbi->lock` is where a variable has it. */
function placesOf(
  { side, library, stack }: Reader,
  variables: ReadonlyMap<string, Variable>,
): (tokens: readonly Token[]) => AccessPath | undefined {
  const resultOf = (name: string) => resultType(side.definitions.get(name) ?? library.definition(name))
  return (tokens) => accessPathOf(tokens, variables, stack, resultOf)
}

/** The struct or union to which a function's result leads. */
function resultType(definition: Definition | undefined): string | undefined {
  if (definition?.kind !== 'function') return undefined
  const { head, name } = definition
  const at = head.findIndex(({ text }) => text === name)
  const [tag, type, star] = head.slice(0, Math.max(at, 0)).slice(-3)
  return star?.text === '*' && type?.kind === 'name' && /^(?:struct|union)$/.test(tag?.text ?? '')
    ? `${tag!.text} ${type.text}`
    : undefined
}

/** Of what is no place: a function, a lock without a name, what is allocated. */
export function effectOn(
  kind: EffectKind,
  object: string,
  how: string,
  statement: Statement,
  act: CallOrAssignment,
): Effect {
  return { kind, object, member: '', how, statement, act }
}

/** What a function's whole text does beyond the call. */
export function effectsOf(reader: Reader, definition: Definition, depth = 0): Effect[] {
  const variables = variablesOf(definition)
  return statementsOf(definition.body).flatMap((one) => effectsIn(reader, one, variables, depth))
}

export function effectsIn(
  reader: Reader,
  statement: Statement,
  variables: ReadonlyMap<string, Variable>,
  depth = 0,
): Effect[] {
  const { tokens } = statement
  const found: Effect[] = []
  const place = placesOf(reader, variables)
  const put = (written: readonly Token[], operator: string, value?: readonly Token[]) => {
    const on = place(written)
    if (on?.isLive !== true) return
    const { object, member } = on
    const act = assignmentOf(written, operator, value ?? [], variables)
    const effect: Effect = { kind: 'write', object, member, how: operator, place: on, statement, act }
    found.push(
      value === undefined ? effect : { ...effect, how: `${operator} ${spelled(resolved(value, variables))}`, value },
    )
  }
  /** Where the message ends that is being read. */
  let message = 0
  for (let at = 0; at < tokens.length; at++) {
    const { text, kind } = tokens[at]!
    if (text === '++' || text === '--') put(stepAt(tokens, at).place, text)
    else if (assignment.test(text)) {
      const target = pathBefore(tokens, at)
      // The initial value of a variable: `struct foo *p = x`.
      const before = tokens[at - target.length - 1]
      const isDeclared =
        target.length === 1 && variables.has(target[0]!.text) && /^(?:\*|[A-Za-z_]\w*)$/.test(before?.text ?? '')
      if (target.length > 0 && !isDeclared) put(target, text, valueFrom(tokens, at + 1))
    }
    if (kind !== 'name' || tokens[at + 1]?.text !== '(') continue
    const inner = argumentsAt(tokens, at + 1)
    if (isMember(tokens, at)) {
      if (at < message) continue
      const act = callOf(`->${text}`, [pathBefore(tokens, at + 1), ...inner], variables)
      found.push(effectOn('call', `->${text}()`, 'is called', statement, act))
      continue
    }
    // What a message asks for is for the message; what an assertion writes is not.
    if (says.test(text)) message = Math.max(message, closing(tokens, at + 1))
    else if (at >= message || writes(reader, text))
      found.push(...effectsOfCall(reader, statement, text, inner, variables, depth))
  }
  return found
}

/** By its name alone: an object that it is given is another one behind it. */
function writes(reader: Reader, name: string): boolean {
  return (
    writtenBy(name) !== undefined || primitiveOf(name, (word) => reader.side.mentions(word))?.argument !== undefined
  )
}

/** A local value by what it is given, where that is one thing. */
function resolved(tokens: readonly Token[], variables: ReadonlyMap<string, Variable>): readonly Token[] {
  return (tokens.length === 1 ? variables.get(tokens[0]!.text)?.value : undefined) ?? tokens
}

function effectsOfCall(
  reader: Reader,
  statement: Statement,
  name: string,
  inner: readonly (readonly Token[])[],
  variables: ReadonlyMap<string, Variable>,
  depth: number,
): Effect[] {
  const places = placesOf(reader, variables)
  const place = (index: number) => places(inner[index] ?? [])
  const act = callOf(name, inner, variables)
  const named = (kind: EffectKind, object: string, how: string) => [effectOn(kind, object, how, statement, act)]
  const at = (on: AccessPath, kind: EffectKind, how: string, by = act): Effect[] => [
    { kind, object: on.object, member: on.member, how, place: on, statement, act: by },
  ]
  const through = (kind: EffectKind, index: number, how: string): Effect[] => {
    const on = place(index)
    if (on === undefined) return named(kind, name, how)
    // What only lies on the stack is nobody else's.
    return !on.isLive && isOnStack(on, variables, reader) ? [] : at(on, kind, how)
  }
  if (keyword.test(name) || variables.has(name)) return []
  const written = writtenBy(name)
  if (written !== undefined) {
    const on = place(written.argument)
    if (on?.isLive !== true) return []
    const values = inner.filter((_, index) => index !== written.argument)
    if (!stores.test(name)) return at(on, 'write', `${name}(${values.map(spelled).join(', ')})`)
    const given = values.map((value) => spelled(resolved(value, variables))).join(', ')
    return at(on, 'write', `= ${given}`, assignmentOf(inner[written.argument]!, '=', values.flat(), variables))
  }
  const primitive = primitiveOf(name, (word) => reader.side.mentions(word))
  if (primitive !== undefined) {
    const { kind, role, argument, family } = primitive
    if (kind === 'context') return named('lock', family, role === 'take' ? 'entered' : 'left')
    if (kind === 'memory') return through('free', argument ?? 0, `freed by ${name}`)
    const isWrapper = kind === 'reference' && argument === undefined
    const inside = isWrapper ? effectsOfCallee(reader, statement, act, depth) : undefined
    // A name that only looks like a reference, such as `get_bcc`, has a body that does nothing of the kind.
    if (inside !== undefined && (inside.length === 0 || inside.some((one) => one.kind === 'count'))) return inside
    const how = kind === 'wait' ? (role === 'take' ? 'waited for' : 'told') : role === 'take' ? 'taken' : 'given back'
    const what = kind === 'lock' ? 'lock' : kind === 'wait' ? 'wait' : 'count'
    return argument === undefined ? named(what, family, how) : through(what, argument, how)
  }
  if (asks.test(name)) return []
  if (waitsOut.test(name)) return /^synchronize_/.test(name) ? [] : named('wait', name, 'waited for')
  if (soundsLikeFree.test(name)) return through('free', name === 'kmem_cache_free' ? 1 : 0, `freed by ${name}`)
  if (soundsLikeAllocation.test(name)) return named('allocate', name, spelled(inner.flat()))
  return effectsOfCallee(reader, statement, act, depth)
}

function isOnStack(
  { text, base, object }: AccessPath,
  variables: ReadonlyMap<string, Variable>,
  reader: Reader,
): boolean {
  const variable = variables.get(base)
  if (variable === undefined || variable.isStatic) return false
  return reader.stack.has(object) || (variable.pointers === 0 && !text.includes('->'))
}

/** Stores as `=` does, in an order or at once. */
const stores =
  /^(?:WRITE_ONCE|smp_store_(?:release|mb)|rcu_assign_pointer|RCU_INIT_POINTER|atomic\w*_set|refcount_set|i_size_write)$/

/** How many calls are followed. */
const deepest = 3

function effectsOfCallee(reader: Reader, statement: Statement, act: CallOrAssignment, depth: number): Effect[] {
  const { name = '' } = act
  const unknown = effectOn('call', `${name}()`, 'is called', statement, act)
  if (depth >= deepest) return [unknown]
  const definition = reader.side.definitions.get(name) ?? reader.library.definition(name)
  if (definition === undefined) return [unknown]
  const known = reader.callees.get(definition)
  if (known !== undefined) return known.map((one) => calledFrom(one, statement, act))
  // A function that calls itself does nothing more by it.
  reader.callees.set(definition, [])
  const inner = effectsOf(reader, definition, depth + 1).filter(
    // What a macro assigns to its parameter is the caller's variable.
    ({ place }) => !(definition.kind === 'macro' && place !== undefined && place.text === place.base),
  )
  // What is called further down says less than what is called here.
  const seen = inner.filter(({ kind }) => kind !== 'call')
  const all = seen.length < inner.length ? [...seen, unknown] : seen
  const once = [...new Map(all.map((one) => [keyOf(one), one])).values()]
  reader.callees.set(definition, once)
  return once.map((one) => calledFrom(one, statement, act))
}

function calledFrom(one: Effect, statement: Statement, act: CallOrAssignment): Effect {
  return { ...one, statement, act, origin: givenArguments(one.origin ?? one.act, act) }
}

/** True of what a function does, itself or by what it calls, as often on both sides. */
export function doneAsOften(old: readonly Effect[], young: readonly Effect[]): (one: Effect) => boolean {
  const whole = ({ kind, how, act, origin }: Effect) =>
    `${kind} ${how === 'is called' ? how : ''} ${actKey(origin ?? act)}`
  const [was, is] = [old, young].map((list) => countsOf(list.map(whole)))
  return (one) => was!.has(whole(one)) && was!.get(whole(one)) === is!.get(whole(one))
}
