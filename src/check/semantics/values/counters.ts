// SPDX-License-Identifier: GPL-3.0-or-later
// Counts and sums of what lives: at which number something turns (`if (!--x->users)`), and by which amounts a sum goes
// up and down (`x->bytes += len`). Whoever adds and whoever takes off must count in the same unit, and from the same
// beginning.

import { valueFrom } from '../../../c/tokens/brackets.ts'
import { argumentsAt } from '../../../c/tokens/calls.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { isMember, wordsAt } from '../../../c/tokens/names.ts'
import { squeezed } from '../../../c/tokens/text.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { parametersOf, type Variable, variablesOf } from '../../../c/written/local-variables.ts'
import { lastName } from '../../locks/operations.ts'
import { livePlace, pathBefore, stepAt } from '../reading/access-paths.ts'
import { exactly, spelled } from '../reading/calls-and-assignments.ts'

/** Where a decision upon a count lies. */
export interface Threshold {
  /** The count's last name. */
  readonly thing: string
  /** The highest count of the lower side: `if (!--n)` turns between 0 and 1. */
  readonly at: number
  /** As it is written. */
  readonly text: string
}

/** What goes onto a sum, or comes off it. */
export interface Amount {
  /** The sum's last name, or what a pair of functions is called without its direction. */
  readonly thing: string
  readonly direction: 'up' | 'down'
  readonly text: string
  /** With the values of local variables in their place. */
  readonly exact: string
}

const counting =
  /^(?:atomic(?:64|_long)?|refcount|local|this_cpu|__this_cpu)_(?:(fetch)_)?(inc|dec|add|sub)(?:_(return|and_test|and_lock\w*|and_mutex_lock|not_zero|unless_\w+))?(?:_(?:relaxed|acquire|release))?$/
/**
 * A step of a counter, by how such functions are called: what they count for, the step, and what they ask or promise:
 * `percpu_counter_add_batch`, `atomic64_fetch_sub_release`, `local_inc_return`.
 */
const stepping =
  /^(?:\w+_)?(?:fetch_)?(inc|dec|add|sub)(?:_(?:return|and_test|and_lock|not_zero|negative|local|batch|fast|checked|relaxed|acquire|release|irqsave|noirq))*$/
/** Words for the two directions, in the name of a function. */
const ways: readonly (readonly [up: RegExp, down: RegExp])[] = [
  [/(?:^|_)inc(?=_|$)/, /(?:^|_)dec(?=_|$)/],
  [/(?:^|_)add(?=_|$)/, /(?:^|_)sub(?=_|$)/],
  [/(?:^|_)charge(?=_|$)/, /(?:^|_)uncharge(?=_|$)/],
  [/(?:^|_)reserve(?=_|$)/, /(?:^|_)(?:unreserve|release)(?=_|$)/],
  [/(?:^|_)ac(?:count|ct)(?=_|$)/, /(?:^|_)unac(?:count|ct)(?=_|$)/],
]

type Variables = ReadonlyMap<string, Variable>

/** The last name of a member that lives, or of a variable of the file; undefined for what is the function's own. */
function liveName(tokens: readonly Token[], variables: Variables): string | undefined {
  const place = livePlace(tokens, variables)
  return place && lastName(place.member || place.base)
}

function numberOf(tokens: readonly Token[]): number | undefined {
  const text = squeezed(tokens)
  return /^-?\d+[uUlL]*$/.test(text) ? Number.parseInt(text, 10) : undefined
}

/** What is asked of the value between two indices: a comparison with a number, or whether it is 0. */
function boundary(
  body: readonly Token[],
  from: number,
  to: number,
  goesUp: boolean,
): { readonly at: number; readonly text: string } | undefined {
  let [start, end] = [from, to]
  while (body[start - 1]?.text === '(' && body[end]?.text === ')' && body[start - 2]?.kind !== 'name') {
    start--
    end++
  }
  const operator = body[end]?.text ?? ''
  const text = (last: number) => spelled(body.slice(start - (body[start - 1]?.text === '!' ? 1 : 0), last))
  if (/^(?:==|!=|<|>|<=|>=)$/.test(operator)) {
    const length = body[end + 1]?.text === '-' ? 2 : 1
    const number = numberOf(body.slice(end + 1, end + 1 + length))
    if (number === undefined || !/^(?:\)|;|&&|\|\||\?)$/.test(body[end + 1 + length]?.text ?? '')) return undefined
    // Going up, `== 1` is the step from 0 to 1; going down, that from 2 to 1.
    const at = /^[!=]=$/.test(operator) ? number - (goesUp ? 1 : 0) : number - (/^(?:<|>=)$/.test(operator) ? 1 : 0)
    return { at, text: text(end + 1 + length) }
  }
  const before = body[start - 1]?.text ?? ''
  const isAsked =
    before === '!' ||
    (/^(?:\(|&&|\|\|)$/.test(before) &&
      /^(?:\)|&&|\|\||\?)$/.test(operator) &&
      (before !== '(' || /^(?:if|while)$/.test(body[start - 2]?.text ?? '')))
  return isAsked ? { at: goesUp ? -1 : 0, text: text(end) } : undefined
}

/** Where the decisions of a function's text upon what it counts lie. */
export function thresholdsIn(definition: Definition): Threshold[] {
  const { body } = definition
  const variables = variablesOf(definition)
  const found: Threshold[] = []
  /** @param by how much the value that the expression has lags behind the count */
  const note = (thing: string | undefined, from: number, to: number, goesUp: boolean, by: number) => {
    if (thing === undefined) return
    const put = (one: ReturnType<typeof boundary>) => {
      if (one !== undefined) found.push({ thing, at: one.at + by, text: one.text })
    }
    put(boundary(body, from, to, goesUp))
    // `int left = atomic_dec_return(…); if (left > 0)`.
    const name = body[from - 1]?.text === '=' ? body[from - 2] : undefined
    if (name?.kind !== 'name' || !variables.has(name.text)) return
    // `(left = atomic_dec_return(…)) > 0`.
    if (body[to]?.text === ')' && body[from - 3]?.text === '(') put(boundary(body, from - 3, to + 1, goesUp))
    else if (!/^[;,]$/.test(body[to]?.text ?? '')) return
    for (const at of wordsAt(body, name.text)) if (at >= to) put(boundary(body, at, at + 1, goesUp))
  }
  for (const [at, { kind, text }] of body.entries()) {
    if (text === '++' || text === '--') {
      const goesUp = text === '++'
      const { place, from, to, isPrefix } = stepAt(body, at)
      note(liveName(place, variables), from, to, goesUp, isPrefix ? 0 : goesUp ? 1 : -1)
    } else if (kind === 'name' && body[at + 1]?.text === '(') {
      const [, fetch, direction, asks = ''] = counting.exec(text) ?? []
      if (direction === undefined) continue
      const isOne = direction === 'inc' || direction === 'dec'
      const goesUp = direction === 'inc' || direction === 'add'
      const counter = argumentsAt(body, at + 1)[isOne || text.includes('this_cpu') ? 0 : 1] ?? []
      const thing = liveName(counter, variables)
      if (/^and_/.test(asks)) {
        if (thing !== undefined) found.push({ thing, at: goesUp ? -1 : 0, text })
      } else if (asks === 'return' || fetch !== undefined)
        note(thing, at, closing(body, at + 1), goesUp, fetch !== undefined && isOne ? (goesUp ? 1 : -1) : 0)
    }
  }
  return found
}

/** Where a pointer stands for the counter's address, these have it second. */
const usual = /^(?:atomic(?:64|_long)?|refcount|local(?:64)?)_/
/** By how much `inc` and `++` step. */
const one: readonly Token[] = [{ kind: 'number', text: '1', start: 0, end: 0, line: 0 }]

/** The counter of a step is the argument whose address is given; a per-CPU variable is named. */
function stepIn(word: string, inner: readonly (readonly Token[])[]) {
  const step = stepping.exec(word)?.[1]
  const isLone = step === 'inc' || step === 'dec'
  if (step === undefined || inner.length !== (isLone ? 1 : 2)) return undefined
  const direction: Amount['direction'] = step === 'inc' || step === 'add' ? 'up' : 'down'
  if (isLone) return { direction, place: inner[0]!, amount: one }
  const addresses = inner.flatMap(([first], at) => (first?.text === '&' ? [at] : []))
  // Of two addresses none is a step: `list_add(&x->node, &head)`.
  if (addresses.length > 1) return undefined
  const at = addresses[0] ?? (/^(?:__|raw_)?(?:this_cpu|percpu)_/.test(word) ? 0 : usual.test(word) ? 1 : -1)
  return at < 0 ? undefined : { direction, place: inner[at]!, amount: inner[1 - at]! }
}

/** By which amounts a function's text changes sums, also through short functions of its own files. */
export function amountsIn(definition: Definition, find: (name: string) => Definition | undefined): Amount[] {
  const { body } = definition
  const variables = variablesOf(definition)
  const found: Amount[] = []
  const put = (thing: string | undefined, direction: Amount['direction'], amount: readonly Token[]) => {
    if (thing === undefined || amount.length === 0) return
    found.push({ thing, direction, text: spelled(amount), exact: exactly(amount, variables) })
  }
  for (const [at, { kind, text }] of body.entries()) {
    if (text === '++' || text === '--')
      put(liveName(stepAt(body, at).place, variables), text === '++' ? 'up' : 'down', one)
    if (text === '+=' || text === '-=')
      put(liveName(pathBefore(body, at), variables), text === '+=' ? 'up' : 'down', valueFrom(body, at + 1))
    if (kind !== 'name' || body[at + 1]?.text !== '(' || isMember(body, at)) continue
    const inner = argumentsAt(body, at + 1)
    const step = stepIn(text, inner)
    if (step !== undefined) {
      put(liveName(step.place, variables), step.direction, step.amount)
      continue
    }
    const callee = find(text)
    if (callee !== undefined && callee !== definition && callee.body.length < longestWrapper) {
      const own = parametersOf(callee)
      for (const its of amountsIn(callee, () => undefined)) {
        const given = own.findIndex((_, index) => its.exact === `%${index}`)
        if (given >= 0) put(its.thing, its.direction, inner[given] ?? [])
      }
    }
    const named = inner.length < 2 ? undefined : ways.find((pair) => pair.some((word) => word.test(text)))
    if (named === undefined) continue
    const up = named[0].test(text)
    // The last argument that is no pointer.
    const amount = inner.findLast((value) => (variables.get(value[0]?.text ?? '')?.pointers ?? 0) === 0)
    put(
      `${text.replace(named[up ? 0 : 1], (word) => (word.startsWith('_') ? '_*' : '*'))}()`,
      up ? 'up' : 'down',
      amount ?? [],
    )
  }
  return found
}

/** A function's text that is longer is more than a wrapper. */
const longestWrapper = 80
