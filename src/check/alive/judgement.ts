// SPDX-License-Identifier: GPL-3.0-or-later
// What of a changed function reaches beyond its call. A change that only adds a check and leaves, decides otherwise, says
// something, or computes a local value otherwise is plain: no object that lives has another meaning by it. Everything
// else is told: which object, which member, what it was and what it is.
import type { ChangedFunction, ChangedFunctions } from '../changed-functions.ts'
import { says } from './callees.ts'
import { type Effect, effectsIn, keyOf, type Reader } from './effects.ts'
import { stackTypes } from './stack-types.ts'
import { differenceOf, type Statement, statementsOf } from './statements.ts'
import { variablesOf } from './variables.ts'

/** Something that lives longer than a call, with another meaning. */
export interface Living {
  readonly object: string
  /** Absent for the object itself. */
  readonly member?: string
  readonly before: string
  readonly after: string
}

/** Of one function: why it is plain, what lives, or why its text does not tell. */
export type Beyond =
  | { readonly verdict: 'plain'; readonly why: string }
  | { readonly verdict: 'lives'; readonly living: readonly Living[] }
  | { readonly verdict: 'untold'; readonly why: string }

/** What a plain change does, in the order in which it is told. */
const reasons = {
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
  moved: 'does the same in another order',
} as const

type Reason = keyof typeof reasons

/** What a value is kept in that only tells how a call ended. */
const outcome = /^(?:err\w*|re?t(?:val|v)?|rc|error|status|res(?:ult)?|reason)$/

export function beyondOf(
  functions: ChangedFunctions,
  { before, after }: ChangedFunction,
): Beyond | undefined {
  if (before === undefined || after === undefined) return undefined
  const { library } = functions
  const stack = stackTypes(functions)
  const readers = {
    before: { side: functions.before, library, stack },
    after: { side: functions.after, library, stack },
  } satisfies Record<string, Reader>
  const [old, young] = [statementsOf(before.body), statementsOf(after.body)]
  const { gone, come } = differenceOf(old, young)
  const variables = { before: variablesOf(before), after: variablesOf(after) }
  const lost = gone.flatMap((one) => effectsIn(readers.before, one, variables.before))
  const won = come.flatMap((one) => effectsIn(readers.after, one, variables.after))
  const moved = cancel(lost, won)
  const said = new Set<Reason>()
  if (moved) said.add('moved')
  const taken = new Set(
    young
      .flatMap((one) => effectsIn(readers.after, one, variables.after))
      .filter(isTaking)
      .map(ownerOf),
  )
  const allocated = young.some((one) =>
    effectsIn(readers.after, one, variables.after).some(({ kind }) => kind === 'allocate'),
  )
  const isRelease = (one: Effect): boolean => {
    if (!one.statement.leaves) return false
    if (one.kind === 'lock' || one.kind === 'count') return one.how !== 'taken' && taken.has(ownerOf(one))
    // Memory that this call got and hands to nobody.
    return one.kind === 'free' && (allocated || one.place?.isLive === false)
  }
  const isHeld = heldIn(won)
  const kept = won.filter((one) => {
    const reason =
      isRelease(one) || isUndone(one, young)
        ? 'release'
        : isHeld(one)
          ? 'held'
          : isCheck(one)
            ? 'check'
            : undefined
    if (reason !== undefined) said.add(reason)
    return reason === undefined
  })
  const left = lost.filter((one) => !isCheck(one))
  for (const one of come) {
    const reason = reasonOf(one, variables.after, 'come')
    if (reason !== undefined) said.add(reason)
  }
  for (const one of gone) {
    const reason = reasonOf(one, variables.before, 'gone')
    if (reason !== undefined) said.add(reason)
  }
  const living = [...told(left, kept), ...stored(readers.after, come, young, variables)]
  if (living.length > 0) return { verdict: 'lives', living: living.slice(0, mostTold) }
  const why = (Object.keys(reasons) as Reason[]).filter((one) => said.has(one)).map((one) => reasons[one])
  return {
    verdict: 'plain',
    why: why.length === 0 ? 'only its spelling differs' : `it only ${joinedWords(why)}`,
  }
}

/** More of one function are not told. */
const mostTold = 12

function joinedWords(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

/** A question to a function whose text is not found, upon whose answer the function leaves. */
function isCheck({ kind, statement }: Effect): boolean {
  return kind === 'call' && statement.kind === 'condition' && statement.leaves
}

/** Counts and sections (not locks) that are taken and given back, both only now: they end with the call. */
function heldIn(won: readonly Effect[]): (one: Effect) => boolean {
  const sides = new Map<string, Set<string>>()
  for (const one of won) {
    if (one.kind !== 'count' && !isSection(one)) continue
    sides.set(ownerOf(one), (sides.get(ownerOf(one)) ?? new Set()).add(one.how))
  }
  return (one) => (sides.get(ownerOf(one))?.size ?? 0) > 1
}

/** Of RCU, interrupts, preemption: nobody else waits for it as for a lock. */
function isSection({ kind, how }: Effect): boolean {
  return kind === 'lock' && (how === 'entered' || how === 'left')
}

const undoes =
  /^(.*?)_?(?:un|de)?(register|free|put|destroy|release|abort|cancel|undo|drop|unmap|drain|fini|exit|del|remove|clear|revert|end|finish|unprepare|disable|detach)(_\w*)?\(\)$/

/** On a way out, the end of what another call of the function began: `x_abort` behind `x_prepare`. */
function isUndone({ kind, object, statement }: Effect, all: readonly Statement[]): boolean {
  if (kind !== 'call' || !statement.leaves) return false
  const [, stem = '', , rest = ''] = undoes.exec(object) ?? []
  const word = stem || rest.replace(/^_/, '')
  if (word.length < 3) return false
  const begins = new RegExp(
    `(?<!\\w)(?=\\w*${word.replace(/^_+/, '')})\\w*(?:alloc|get|init|prepare|register|map|add|create|claim|enable|attach|begin|start|refill|open)\\w* \\(`,
  )
  return all.some((one) => !one.leaves && begins.test(one.text))
}

function isTaking({ kind, how }: Effect): boolean {
  return (kind === 'lock' || kind === 'count') && (how === 'taken' || how === 'entered')
}

function ownerOf({ kind, object, member }: Effect): string {
  return `${kind} ${object} ${member}`
}

/** Takes out what both sides do; true when there was something. */
function cancel(lost: Effect[], won: Effect[]): boolean {
  let found = false
  for (let at = lost.length - 1; at >= 0; at--) {
    const same = won.findIndex((one) => keyOf(one) === keyOf(lost[at]!))
    if (same < 0) continue
    won.splice(same, 1)
    lost.splice(at, 1)
    found = true
  }
  return found
}

function reasonOf(
  { kind, tokens, leaves }: Statement,
  variables: ReturnType<typeof variablesOf>,
  side: 'gone' | 'come',
): Reason | undefined {
  if (kind === 'condition') return leaves ? (side === 'come' ? 'check' : 'removed') : 'condition'
  if (kind === 'loop') return 'condition'
  if (kind === 'exit')
    return tokens[0]?.text === 'return' ? 'result' : side === 'come' ? 'check' : 'condition'
  if (kind === 'label') return undefined
  const first = tokens[0]?.text ?? ''
  if (/^(?:smp_\w*mb\w*|[rw]?mb|barrier|dma_[rw]mb)$/.test(first)) return 'order'
  if (/^synchronize_/.test(first)) return 'wait'
  if (tokens.some(({ text }) => text === '=' || text === '++' || text === '--' || /^[-+|&]=$/.test(text))) {
    const target = tokens.find(({ text }) => variables.has(text))?.text ?? ''
    return outcome.test(target) ? 'result' : 'value'
  }
  return tokens[1]?.text === '(' && says.test(first) ? 'message' : undefined
}

/** What of each thing was done before and is done after. */
function told(lost: readonly Effect[], won: readonly Effect[]): Living[] {
  const things = new Map<string, { one: Effect; before: string[]; after: string[] }>()
  const note = (one: Effect, side: 'before' | 'after') => {
    const key = ownerOf(one)
    const known = things.get(key) ?? { one, before: [], after: [] }
    if (!known[side].includes(one.how)) known[side].push(one.how)
    things.set(key, known)
  }
  for (const one of lost) note(one, 'before')
  for (const one of won) note(one, 'after')
  return [...things.values()].map(({ one, before, after }) => livingOf(one, before, after))
}

function livingOf({ object, member }: Effect, before: readonly string[], after: readonly string[]): Living {
  return {
    object,
    ...(member === '' ? {} : { member }),
    before: before.length === 0 ? 'not so' : before.join('; '),
    after: after.length === 0 ? 'no longer' : after.join('; '),
  }
}

/** Members that get, by a statement that is as it was, a local value that is computed otherwise. */
function stored(
  reader: Reader,
  come: readonly Statement[],
  all: readonly Statement[],
  variables: Record<'before' | 'after', ReturnType<typeof variablesOf>>,
): Living[] {
  const changed = new Set(come)
  const otherwise = new Set(
    come.flatMap(({ kind, tokens }) => {
      if (kind !== 'expression') return []
      const at = tokens.findIndex(({ text }) => /^(?:=|[-+*/%&|^]=|<<=|>>=)$/.test(text))
      const name = tokens[at - 1]
      const isMember = /^(?:->|\.)$/.test(tokens[at - 2]?.text ?? '')
      // Of a pointer only the object is another one, which the function finds otherwise.
      const isValue = (variables.after.get(name?.text ?? '')?.pointers ?? 1) === 0
      return at > 0 && name !== undefined && isValue && !isMember && !outcome.test(name.text)
        ? [name.text]
        : []
    }),
  )
  return all.flatMap((one) => {
    if (changed.has(one)) return []
    const old = effectsIn(reader, one, variables.before)
    return effectsIn(reader, one, variables.after).flatMap((effect, index): Living[] => {
      if (effect.kind !== 'write' || effect.value === undefined) return []
      const was = old[index]?.how ?? effect.how
      if (was !== effect.how) return [livingOf(effect, [was], [effect.how])]
      const name = effect.value.find(
        ({ text }, at) => otherwise.has(text) && effect.value?.[at - 1]?.text !== '->',
      )
      return name === undefined
        ? []
        : [livingOf(effect, [effect.how], [`${effect.how}, where ${name.text} is computed otherwise`])]
    })
  })
}
