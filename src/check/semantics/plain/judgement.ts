// SPDX-License-Identifier: GPL-3.0-or-later
// What of a changed function reaches beyond its call. A change that only adds a check and leaves, decides otherwise,
// says something, or computes a local value otherwise is plain: no object that lives has another meaning by it.
// Everything else is told: which object, which member, what it was and what it is.

import { isMember } from '../../../c/tokens/names.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { declaredAt, variablesOf } from '../../../c/written/local-variables.ts'
import { listed } from '../../../ground/listed.ts'
import { type UnevenExit, unevenExitsOf } from '../../locks/uneven-exits.ts'
import type { ChangedFunction, ChangedFunctions } from '../../subject/changed-functions.ts'
import { doneAsOften, type Effect, effectsIn, keyOf, type Reader, readerOf } from '../effects/effects.ts'
import { opaqueEffectsIn } from '../effects/opaque-effects.ts'
import { goneWithExit } from '../effects/removed-exits.ts'
import {
  actKey,
  type CallOrAssignment,
  exactly,
  goesToOnePlace,
  shortened,
  unordered,
  wordsThatDiffer,
} from '../reading/calls-and-assignments.ts'
import { moreOftenIn, onlyIn } from '../reading/differences.ts'
import { answers } from '../reading/known-callees.ts'
import { withNormalConditions } from '../reading/normal-conditions.ts'
import { type NameUse, namesIn, nameWrappers } from '../values/registered-names.ts'
import { withHelpersPutIn } from './extracted-helpers.ts'
import { type BothVariables, orderOf, outcome, type Reason, reasons, reasonsOf } from './reasons.ts'

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

export function beyondOf(functions: ChangedFunctions, { before, after }: ChangedFunction): Beyond | undefined {
  if (before === undefined || after === undefined) return undefined
  const own = readingOf(functions, before, after, false)
  const whole = {
    before: withHelpersPutIn(before, functions.before, functions.after),
    after: withHelpersPutIn(after, functions.after, functions.before),
  }
  if (own.verdict !== 'lives' || (whole.before === before && whole.after === after)) return own
  // Both readings are true; the one that tells less has found more of what stayed.
  const other = readingOf(functions, whole.before, whole.after, true)
  return other.verdict === 'plain' || (other.verdict === 'lives' && other.living.length < own.living.length)
    ? other
    : own
}

/** @param isCut with the functions put in that only one side has */
function readingOf(functions: ChangedFunctions, written: Definition, now: Definition, isCut: boolean): Beyond {
  const [before, after] = [withNormalConditions(written), withNormalConditions(now)]
  const readers = { before: readerOf(functions, 'before'), after: readerOf(functions, 'after') }
  const [old, young] = [statementsOf(before.body), statementsOf(after.body)]
  const { gone, come, isBelowOthers } = differenceOf(old, young)
  const variables = { before: variablesOf(before), after: variablesOf(after) }
  const effects = (one: Statement, side: 'before' | 'after') => [
    ...effectsIn(readers[side], one, variables[side]),
    ...opaqueEffectsIn(one, variables[side]),
  ]
  const lost = gone.flatMap((one) => effects(one, 'before'))
  const won = come.flatMap((one) => effects(one, 'after'))
  const [did, does] = [
    old.flatMap((one) => effectsIn(readers.before, one, variables.before)),
    young.flatMap((one) => effectsIn(readers.after, one, variables.after)),
  ]
  const effective = new Set([...lost, ...won].map(({ statement }) => statement))
  const said = new Set<Reason>()
  if (isCut) said.add('cut')
  const otherwise = cancelCommonEffects(lost, won, functions, said)
  // What a function that is called does now, or did, is done as before.
  const elsewhere = doneAsOften(did, does)
  for (const list of [lost, won])
    for (const one of list.filter(elsewhere)) {
      list.splice(list.indexOf(one), 1)
      said.add('moved')
    }
  if (isBelowOthers) said.add('condition')
  if (signatureOf(before) !== signatureOf(after)) said.add('interface')
  const [takenBefore, taken] = [did, does].map((all) => new Set(all.filter(isTaking).map(placeKey)))
  const given = new Set(does.filter((one) => !isTaking(one)).map(placeKey))
  const allocated = does.some(({ kind }) => kind === 'allocate')
  // What a way out now keeps, or gives back once more.
  const exits = unevenExitsOf(functions).filter(({ of }) => of.name === now.name)
  const uneven = new Set(exits.flatMap(({ takes, gives }) => [...takes, ...gives]))
  const isUneven = ({ statement }: Effect) => statement.tokens.some(({ text }) => uneven.has(text))
  const isRelease = (one: Effect): boolean => {
    if (!one.statement.leaves || isUneven(one)) return false
    if (one.kind === 'lock' || one.kind === 'count') return one.how !== 'taken' && taken!.has(placeKey(one))
    // Memory that this call got and hands to nobody.
    return one.kind === 'free' && (allocated || one.place?.isLive === false)
  }
  const kept = won.filter((one) => {
    const isEnd = isRelease(one) || isUndone(one, young)
    const reason = isEnd ? 'release' : isHeld(one, won) && !isUneven(one) ? 'held' : isCheck(one) ? 'check' : undefined
    if (reason !== undefined) said.add(reason)
    return reason === undefined
  })
  const isKept = (owner: string) => takenBefore!.has(owner) && taken!.has(owner) && given.has(owner)
  const isGone = goneWithExit(gone, come)
  const left = lost.filter((one) => !isCheck(one) && !(isGone(one) && isKept(placeKey(one)) && !isUneven(one)))
  for (const reason of reasonsOf({ gone, come, old, young }, variables, effective)) said.add(reason)
  const orders = orderOf(come)
  const isLess = moreOftenIn(orderOf(gone), orders, (one, other) => one === other).length > 0
  if (isLess || (said.size === 0 && orders.length > 0)) said.add('order')
  const names = (side: 'before' | 'after', one: Definition) =>
    namesIn(one, functions.facts.once(nameWrappers, functions[side]))
  const living = [
    ...livingOfEffects(left, kept),
    ...otherwise,
    ...livingOfStores(readers.after, come, young, variables),
    ...livingOfNames(names('before', before), names('after', after)),
  ]
  if (living.length === 0) living.push(...livingOfExits(exits))
  if (living.length > 0) return { verdict: 'lives', living: living.slice(0, mostTold) }
  const why = (Object.keys(reasons) as Reason[]).filter((one) => said.has(one)).map((one) => reasons[one])
  if (why.length > 0) return { verdict: 'plain', why: `it only ${listed(why)}` }
  return isRespelled(gone, come, variables)
    ? { verdict: 'plain', why: 'only its spelling differs' }
    : { verdict: 'untold', why: 'its text does not tell what it does otherwise' }
}

/** What a way out leaves otherwise by statements that are as they were: only the ways are others. */
function livingOfExits(exits: readonly UnevenExit[]): Living[] {
  const hows: Readonly<Record<UnevenExit['how'], string>> = {
    kept: 'not given back on one way out',
    given: 'given back once more on one way out',
    'not-taken': 'not taken on one way out',
    'not-given': 'not given back on one way out',
    twice: 'taken while it is held',
    unknown: 'taken and given back by a function that is new',
  }
  return exits.map(({ on, family, how }) => ({ object: on || family, before: 'not so', after: hows[how] }))
}

/**
 * Names that are made in a buffer, and are registered or looked for: that of a call's own text is told with the call.
 */
function livingOfNames(old: readonly NameUse[], young: readonly NameUse[]): Living[] {
  const isSame = (one: NameUse, other: NameUse) => one.word === other.word && one.name === other.name
  const lost = onlyIn(old, young, isSame)
  return onlyIn(young, old, isSame).flatMap(({ word, name, isBuffered }): Living[] => {
    const gone = lost.find((its) => its.word === word)
    if (!isBuffered || gone === undefined) return []
    return [{ object: callTitle(word), before: `with "${gone.name}"`, after: `with "${name}"` }]
  })
}

/**
 * Whether statements say the same with other names, with other parentheses, or by way of variables that have one value.
 */
function isRespelled(gone: readonly Statement[], come: readonly Statement[], variables: BothVariables): boolean {
  const textsOf = (statements: readonly Statement[], own: BothVariables['before']) =>
    statements
      .filter(
        ({ tokens }) => declaredAt(tokens, 0, false).length === 0 && own.get(tokens[0]!.text)?.value === undefined,
      )
      .map(({ tokens }) => exactly(tokens, own))
      .sort()
      .join('\n')
  return textsOf(gone, variables.before) === textsOf(come, variables.after)
}

/** More of one function are not told. */
const mostTold = 12

/** A question to a function whose text is not found, upon whose answer the function leaves. */
function isCheck({ kind, statement }: Effect): boolean {
  return kind === 'call' && statement.kind === 'condition' && statement.leaves
}

/** Counts and sections (not locks) that are taken and given back, both only now: they end with the call. */
function isHeld(one: Effect, won: readonly Effect[]): boolean {
  const own = won.filter((other) => placeKey(other) === placeKey(one) && (other.kind === 'count' || isSection(other)))
  return own.some(({ how }) => how !== own[0]!.how)
}

/** Of RCU, interrupts, preemption: nobody else waits for it as for a lock. */
function isSection({ kind, how }: Effect): boolean {
  return kind === 'lock' && (how === 'entered' || how === 'left')
}

const undoes =
  /^(.*?)_?(?:un|de)?(register|free|put|destroy|release|abort|cancel|undo|drop|unmap|drain|fini|exit|del|remove|clear|revert|end|finish|unprepare|disable|detach)(_\w*)?\(\)$/

const beginnings = 'alloc|get|init|prepare|register|map|add|create|claim|enable|attach|begin|start|refill|open'

/** On a way out, the end of what another call of the function began: `x_abort` behind `x_prepare`. */
function isUndone({ kind, object, statement }: Effect, all: readonly Statement[]): boolean {
  if (kind !== 'call' || !statement.leaves) return false
  const [, stem = '', , rest = ''] = undoes.exec(object) ?? []
  const word = stem || rest.replace(/^_/, '')
  if (word.length < 3) return false
  const begins = new RegExp(`(?<!\\w)(?=\\w*${word.replace(/^_+/, '')})\\w*(?:${beginnings})\\w* \\(`)
  return all.some((one) => !one.leaves && begins.test(one.text))
}

function isTaking({ kind, how }: Effect): boolean {
  return (kind === 'lock' || kind === 'count') && (how === 'taken' || how === 'entered')
}

function placeKey({ kind, object, member }: Effect): string {
  return `${kind} ${object} ${member}`
}

/** Takes out what both sides do; gives what both do by a call or an assignment that differs. */
function cancelCommonEffects(lost: Effect[], won: Effect[], functions: ChangedFunctions, said: Set<Reason>): Living[] {
  const pairs: [Effect, Effect][] = []
  const take = (key: (one: Effect) => string) => {
    for (let at = lost.length - 1; at >= 0; at--) {
      const same = won.findIndex((one) => key(one) === key(lost[at]!))
      if (same >= 0) pairs.push([lost.splice(at, 1)[0]!, won.splice(same, 1)[0]!])
    }
  }
  take((one) => `${keyOf(one)}\n${actKey(one.act)}`)
  pairs.length = 0
  take((one) => `${keyOf(one)}\n${one.act.name}`)
  take(keyOf)
  const seen = new Set<string>()
  const hasNewSignature = changedSignatures(functions)
  const isOnOneSide = ({ act: { name = '' } }: Effect) =>
    functions.before.definitions.has(name) !== functions.after.definitions.has(name)
  const plainReason = (one: Effect, other: Effect): Reason | undefined => {
    const { name = '' } = one.act
    if (name === other.act.name) {
      if (hasNewSignature(name) && isLonger(one.act, other.act)) return 'handed'
      if (answers.test(name) && goesToOnePlace(one.act, other.act)) return 'result'
      // A wait for the same that only reads its condition in another order; by another condition, who tells it may not
      // know.
      if (one.how === 'waited for' && unordered(one.act) === unordered(other.act)) return 'order'
    }
    // The same effect, with the same arguments, by way of a function that only one side has.
    const isMoved = actKey(one.origin ?? one.act) === actKey(other.origin ?? other.act)
    return isMoved && [one, other].some(isOnOneSide) ? 'moved' : undefined
  }
  return pairs.reverse().flatMap(([one, other]): Living[] => {
    const reason = plainReason(one, other)
    if (reason !== undefined) {
      said.add(reason)
      return []
    }
    // A function that does many things is called once.
    const keys = [`before ${actKey(one.act)}`, `after ${actKey(other.act)}`]
    const isTold = keys.some((key) => seen.has(key))
    for (const key of keys) seen.add(key)
    if (isTold) return []
    const { name } = one.act
    const { before, after } = wordsThatDiffer(one.act, other.act)
    return name !== undefined && name === other.act.name
      ? [{ object: callTitle(name), ...shortened(before, after) }]
      : [livingOf(one, [before], [after])]
  })
}

/** Functions that the patch gives other parameters: what they do with them is told of them. */
function changedSignatures({ all }: ChangedFunctions): (name: string) => boolean {
  return (name) =>
    all.some(
      (one) =>
        one.name === name &&
        one.before !== undefined &&
        one.after !== undefined &&
        signatureOf(one.before) !== signatureOf(one.after),
    )
}

/** True when one act is the other one with more arguments. */
function isLonger({ parts: before }: CallOrAssignment, { parts: after }: CallOrAssignment): boolean {
  const both = Math.min(before.length, after.length)
  return before.length !== after.length && before.slice(0, both).every((part, at) => part.exact === after[at]!.exact)
}

function callTitle(name: string): string {
  return /^inline/.test(name) ? name : `${name}()`
}

/** What a function takes and returns, without the names of its parameters. */
function signatureOf(definition: ChangedFunction['before'] & {}): string {
  const words = definition.head.filter(({ text }) => !/^(?:static|inline|noinline\w*|const|__\w+)$/.test(text))
  return `${exactly(words, variablesOf(definition))} ${definition.parameters?.length ?? ''}`
}

/** What of each thing was done before and is done after. */
function livingOfEffects(lost: readonly Effect[], won: readonly Effect[]): Living[] {
  const owners = new Set([...lost, ...won].map(placeKey))
  return [...owners].map((owner) => {
    const [before, after] = [lost, won].map((list) => list.filter((one) => placeKey(one) === owner))
    const howsOf = (list: readonly Effect[]) => [...new Set(list.map(({ how }) => how))]
    return livingOf([...before!, ...after!][0]!, howsOf(before!), howsOf(after!))
  })
}

function livingOf({ object, member }: Effect, before: readonly string[], after: readonly string[]): Living {
  const { before: old, after: young } = shortened(before.join('; '), after.join('; '))
  return {
    object,
    ...(member === '' ? {} : { member }),
    before: before.length === 0 ? 'not so' : old,
    after: after.length === 0 ? 'no longer' : young,
  }
}

/** Members that get, by a statement that is as it was, a local value that is computed otherwise. */
function livingOfStores(
  reader: Reader,
  come: readonly Statement[],
  all: readonly Statement[],
  variables: BothVariables,
): Living[] {
  const changed = new Set(come)
  const otherwise = new Set(
    come.flatMap(({ kind, tokens }) => {
      if (kind !== 'expression') return []
      const at = tokens.findIndex(({ text }) => /^(?:=|[-+*/%&|^]=|<<=|>>=)$/.test(text))
      const name = tokens[at - 1]?.text ?? ''
      // Of a pointer only the object is another one, which the function finds otherwise.
      const isValue = variables.after.get(name)?.pointers === 0 && !isMember(tokens, at - 1)
      return isValue && !outcome.test(name) ? [name] : []
    }),
  )
  return all.flatMap((one) => {
    if (changed.has(one)) return []
    const old = effectsIn(reader, one, variables.before)
    return effectsIn(reader, one, variables.after).flatMap((effect, index): Living[] => {
      if (effect.kind !== 'write' || effect.value === undefined) return []
      const was = old[index]?.how ?? effect.how
      if (was !== effect.how) return [livingOf(effect, [was], [effect.how])]
      const name = effect.value.find(({ text }, at) => otherwise.has(text) && effect.value?.[at - 1]?.text !== '->')
      return name === undefined
        ? []
        : [livingOf(effect, [effect.how], [`${effect.how}, where ${name.text} is computed otherwise`])]
    })
  })
}
