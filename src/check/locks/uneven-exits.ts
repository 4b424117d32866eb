// SPDX-License-Identifier: GPL-3.0-or-later
// Ways out on which a changed function leaves something otherwise than it ever did: a lock that it keeps, or releases
// twice; a section that it does not end; a reference or memory that it gives back once more. Both sides' ways out are
// compared as sets, so what the text does not tell about the old function is not held against the new one.

import { argumentsAt } from '../../c/tokens/calls.ts'
import type { Definition } from '../../c/written/functions.ts'
import { variablesOf } from '../../c/written/local-variables.ts'
import { grouped } from '../../ground/values/grouped.ts'
import type { ChangedFunctions, RewrittenFunction, Side } from '../subject/changed-functions.ts'
import { assignedTo, type HeldOnExit, heldOnExit } from './held-on-exit.ts'
import { lastName, type Operation, operationsIn, plainly } from './operations.ts'
import type { Kind } from './primitives.ts'

/**
 * `kept`: taken and not given. `given`: given more often than taken. `not-taken`, `not-given`: what every way out did,
 * one now does not. `twice`: taken while it is held. `unknown`: a new function decides, and its text alone does not
 * tell.
 */
export type Unevenness = 'kept' | 'given' | 'not-taken' | 'not-given' | 'twice' | 'unknown'

export interface UnevenExit {
  readonly of: RewrittenFunction
  readonly how: Unevenness
  readonly kind: Kind
  readonly family: string
  /** The thing, as the function calls it; empty when the family is the thing. */
  readonly on: string
  /** The same in other functions. */
  readonly key: string
  /** The words that take it, and those that give it, on either side. */
  readonly takes: readonly string[]
  readonly gives: readonly string[]
  readonly line: number
}

/** A thing of one function that is looked at. */
interface Thing {
  readonly kind: Kind
  readonly family: string
  readonly on: string
  readonly key: string
}

/** An operation with the thing's name as far as the function's text tells. */
interface Named extends Operation {
  readonly name: string
}

const followed: readonly Kind[] = ['lock', 'context', 'reference', 'memory']

/** Taken again by whom has them, these wait for ever. */
const waitsForItself = /^(?:spinlock|mutex|rtnl|bit lock|sock|folio)$/

const deepest = 2

/** The one thing that a pointer is set to where it is declared: `spinlock_t *lock = &q->lock;`. */
function behindPointer(on: string, definition: Definition): string {
  const value = /^[A-Za-z_]\w*$/.test(on) ? variablesOf(definition).get(on)?.value : undefined
  const plain = value === undefined ? '' : plainly(value)
  return /^[A-Za-z_][\w.>[\]-]*(?:->|\.)\w+$/.test(plain) ? plain : on
}

function namedIn(definition: Definition, operations: readonly Operation[]): Named[] {
  const { body } = definition
  return operations
    .filter(({ kind }) => followed.includes(kind))
    .map((one) => {
      if (one.kind === 'lock' || one.kind === 'context') {
        const on = behindPointer(one.on, definition)
        const key = one.kind === 'lock' && on !== one.on ? `lock ${lastName(on)}` : one.key
        return { ...one, on, key, name: `${one.kind} ${on || one.family}` }
      }
      const given = plainly(argumentsAt(body, one.at + 1)[0] ?? [])
      const on = one.on || (one.role === 'take' && assignedTo(body, one.at, 0)) || given
      return { ...one, on, name: `${one.kind === 'memory' ? one.kind : one.family} ${on}` }
    })
}

/** What a function's own text does, with what a function that only this side has leaves taken or given. */
function operationsOnWays(
  functions: ChangedFunctions,
  definition: Definition,
  here: Side,
  there: Side,
  depth = 0,
): { operations: Named[]; unknown: Named[] } {
  const { library } = functions
  const mentions = (word: string) => here.mentions(word) || there.mentions(word)
  const wrappers = (name: string) => here.definitions.get(name) ?? library.definition(name)
  const own = namedIn(definition, operationsIn(definition, mentions, wrappers, undefined, library.alias))
  const unknown: Named[] = []
  for (const [at, { kind, text, line }] of definition.body.entries()) {
    const helper = here.definitions.get(text)
    const isCall = kind === 'name' && definition.body[at + 1]?.text === '('
    if (!isCall || helper === undefined || helper === definition || there.definitions.has(text)) continue
    if (depth >= deepest) continue
    const inner = operationsOnWays(functions, helper, here, there, depth + 1)
    unknown.push(...inner.unknown.map((one) => ({ ...one, at, line, word: text })))
    const locks = inner.operations.filter((one) => one.kind === 'lock' || one.kind === 'context')
    for (const [, group] of grouped(locks, ({ key }) => key)) {
      const first = group[0]!
      const exits = [...(heldOnExit(helper, group)?.exits.keys() ?? [])]
      const one = { ...first, at, line, word: text }
      if (exits.length !== 1) unknown.push(one)
      else
        for (let count = 0; count < Math.abs(exits[0]!); count++)
          own.push({ ...one, role: exits[0]! > 0 ? 'take' : 'give' })
    }
  }
  return { operations: own.sort((one, other) => one.at - other.at), unknown }
}

/** True of a name on which the thing hangs: `x` of `x->ref`. */
function renewing(on: string): (name: string) => boolean {
  const names = new Set(on.replace(/(?:->|\.)\w+/g, '').match(/[A-Za-z_]\w*/g) ?? [])
  return (name) => names.has(name)
}

/** What is new about the ways out of a lock, or of a section. */
function unevenLock(before: HeldOnExit, after: HeldOnExit): { how: Unevenness; line: number } | undefined {
  const known = [...before.exits.keys()]
  for (const [count, line] of after.exits) {
    if (before.exits.has(count)) continue
    if (count > 0) return { how: 'kept', line }
    if (count < 0) return { how: 'given', line }
    if (known.length > 0 && known.every((one) => one > 0)) return { how: 'not-taken', line }
    if (known.length > 0 && known.every((one) => one < 0)) return { how: 'not-given', line }
  }
  return undefined
}

/** @param own the operations on both sides; something that is only given came from elsewhere */
function unevenReference(
  before: HeldOnExit,
  after: HeldOnExit,
  own: { readonly before: readonly Named[]; readonly after: readonly Named[] },
): { how: Unevenness; line: number } | undefined {
  const takes = (list: readonly Named[]) => list.some(({ role }) => role === 'take')
  const gives = (list: readonly Named[]) => list.some(({ role }) => role === 'give')
  const isOwn = takes(own.before) && gives(own.before)
  const most = Math.max(0, ...before.exits.keys())
  for (const [count, line] of after.exits) if (isOwn && count > most) return { how: 'kept', line }
  const { least } = after
  const isKnown = takes(own.after) && own.before.length > 0
  return least.count < before.least.count && (isKnown || least.count <= -2)
    ? { how: 'given', line: least.line }
    : undefined
}

function unevenIn(functions: ChangedFunctions, of: RewrittenFunction): UnevenExit[] {
  const before = operationsOnWays(functions, of.before, functions.before, functions.after)
  const after = operationsOnWays(functions, of.after, functions.after, functions.before)
  const found: UnevenExit[] = []
  const tell = (thing: Thing, group: readonly Named[], uneven: { how: Unevenness; line: number }) => {
    const { kind, family, on, key } = thing
    const words = (role: Operation['role']) => [
      ...new Set(group.filter((one) => one.role === role).map(({ word }) => word)),
    ]
    found.push({ of, kind, family, on, key, takes: words('take'), gives: words('give'), ...uneven })
  }
  const sides = (isOne: (one: Named) => boolean) => ({
    before: before.operations.filter(isOne),
    after: after.operations.filter(isOne),
  })
  const isLock = ({ kind }: Named) => kind === 'lock' || kind === 'context'
  const all = [...after.operations, ...before.operations]
  const unknown = new Set([...before.unknown, ...after.unknown].map(({ key }) => key))
  for (const one of after.unknown) tell(one, [one], { how: 'unknown', line: one.line })

  for (const [key, group] of grouped(all.filter(isLock), (one) => one.key)) {
    if (unknown.has(key)) continue
    const own = sides((one) => isLock(one) && one.key === key)
    const [old, young] = [heldOnExit(of.before, own.before), heldOnExit(of.after, own.after)]
    const uneven = old && young && unevenLock(old, young)
    if (uneven !== undefined) tell(group[0]!, group, uneven)
    for (const [name, ofName] of grouped(group, (one) => one.name)) {
      const its = sides((one) => one.name === name)
      if (its.before.length === 0 || its.after.length === 0) continue
      const [was, is] = [heldOnExit(of.before, its.before), heldOnExit(of.after, its.after)]
      if (was === undefined || is === undefined) continue
      const apart = uneven === undefined ? unevenLock(was, is) : undefined
      if (apart !== undefined) tell(ofName[0]!, ofName, apart)
      else if (waitsForItself.test(ofName[0]!.family) && is.most.count > 1 && was.most.count < 2)
        tell(ofName[0]!, ofName, { how: 'twice', line: is.most.line })
    }
  }
  for (const [name, group] of grouped(
    all.filter((one) => !isLock(one)),
    (one) => one.name,
  )) {
    const own = sides((one) => one.name === name)
    const isRenewed = renewing(group[0]!.on)
    const old = heldOnExit(of.before, own.before, isRenewed)
    const young = heldOnExit(of.after, own.after, isRenewed)
    const uneven = old && young && unevenReference(old, young, own)
    if (uneven !== undefined) tell(group[0]!, group, uneven)
  }
  return found
}

/** What is new about the ways out of each function that both sides have. */
export function unevenExitsOf(functions: ChangedFunctions): readonly UnevenExit[] {
  return functions.facts.once(findUnevenExits, functions)
}

function findUnevenExits(functions: ChangedFunctions): UnevenExit[] {
  return functions.rewritten.flatMap((of) => unevenIn(functions, of))
}
