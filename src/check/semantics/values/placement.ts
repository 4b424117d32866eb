// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a function, a macro or a constant says where an entry of a table or a tree stands.

import { statementStart } from '../../../c/tokens/brackets.ts'
import { bracketsAround, callAround } from '../../../c/tokens/calls.ts'
import { closing, findOutside, type Token } from '../../../c/tokens/lexer.ts'
import { isMember } from '../../../c/tokens/names.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { declaredAt, parametersOf } from '../../../c/written/local-variables.ts'
import type { Side } from '../../subject/changed-functions.ts'
import { accessPathStart } from '../reading/access-paths.ts'
import { addsInOrder } from './insertion-order.ts'

export const adds =
  /^(?:hash_add\w*|hlist_\w*add\w*|list_add\w*|hlist_bl_add\w*|rhashtable_(?:lookup_)?insert\w*|__rhashtable_insert\w*|insert\w*|\w+_insert\w*)$/
/** Adds to, or goes through, the part of a table that is one of its arguments; or orders by a function. */
const placing =
  /^(?:hash_(?:add|for_each_possible|empty)\w*|rhashtable_\w+|hlist_\w*(?:add|for_each)\w*|list_(?:add|for_each)\w*|rb_(?:add|find)\w*|bsearch|idr_(?:find|alloc|remove|replace)\w*|xa_(?:load|store|erase|insert|cmpxchg)\w*|radix_tree_(?:lookup|insert|delete)\w*)$/
/** A member of a description of a table or tree, whose function says where an entry stands. */
const describes = /^(?:hashfn|obj_hashfn|obj_cmpfn|key_?cmp|less|cmp(?:_?fn)?|compare)$/

/** True when the value that a name makes is a place in a table: an index, or an argument of what adds and looks up. */
export function isPlace(side: Side, name: string, seen = new Set<string>()): boolean {
  seen.add(name)
  if (isInDescription(side.rest, name)) return true
  const own = side.definitions.get(name)
  if (!mayBePlace(own)) return false
  // What other files get from a function that is called a hash, they look up by.
  if (own?.kind === 'function' && !own.isPrivate && /hash/.test(name) && givesNumber(own)) return true
  return [...side.definitions.values()].some((definition) => {
    if (seen.has(definition.name)) return false
    const body = textOf(definition)
    return usesOf(definition, name).some((at) => {
      if (isIndexed(body, at) || isAdded(body, at)) return true
      const member = memberGiven(body, at)
      if (member !== undefined && isKey(member, name)) return isMemberPlace(side, member)
      const variable = receiverOf(body, at)
      const isOther = body[at + 1]?.text === '(' && !isOnlyFor(body, variable ?? '', name)
      if (variable !== undefined && isOther) return false
      if (variable !== undefined)
        return usesOf(definition, variable).some(
          (use) =>
            isIndexed(body, use) ||
            isAdded(body, use) ||
            isIndexedBy(definition, receiverOf(body, use), variable) ||
            (isCompared(body, use) && addsInOrder(body)) ||
            (isKey(variable, name) && isPlaceElsewhere(side, body, use, seen)) ||
            // `hash &= MASK; return hash;`
            (body[use - 1]?.text === 'return' && isPlace(side, definition.name, seen)),
        )
      // Compared on the way through a tree that the function adds to.
      if (isCompared(body, at) && addsInOrder(body)) return true
      const isHandedBack = definition.kind === 'macro' || returns(body, at)
      return isHandedBack && isPlace(side, definition.name, seen)
    })
  })
}

/** Whether a place is meant that is only handed on is told by the names. */
function isKey(...names: readonly string[]): boolean {
  return names.some((name) => /hash|bucket|slot/.test(name))
}

/**
 * A value that another function gets, or a member, and that is a place there: `set(sk, hash)`, `sk->sk_hash = hash`.
 */
function isPlaceElsewhere(side: Side, body: readonly Token[], at: number, seen: ReadonlySet<string>): boolean {
  const member = memberGiven(body, at)
  if (member !== undefined) return isMemberPlace(side, member)
  // Only what is a whole argument.
  const isArgument = /^[(,]$/.test(body[at - 1]?.text ?? '') && /^[),]$/.test(body[at + 1]?.text ?? '')
  const call = isArgument ? callAround(body, at) : undefined
  const callee = call === undefined || seen.has(call.name) ? undefined : side.definitions.get(call.name)
  if (call === undefined || callee?.kind !== 'function') return false
  const parameter = parametersOf(callee)[call.index]?.name
  if (parameter === undefined) return false
  const inner = textOf(callee)
  const further = new Set([...seen, call.name])
  return usesOf(callee, parameter).some(
    (use) => isIndexed(inner, use) || isAdded(inner, use) || isPlaceElsewhere(side, inner, use, further),
  )
}

/** `slot = hash & mask; head = &table[slot];` */
function isIndexedBy(definition: Definition, variable: string | undefined, from: string): boolean {
  const body = textOf(definition)
  return (
    variable !== undefined &&
    variable !== from &&
    isKey(variable, from) &&
    usesOf(definition, variable).some((use) => isIndexed(body, use))
  )
}

/** `x->hash = hash_of(…)`. */
function memberGiven(body: readonly Token[], at: number): string | undefined {
  return body[at - 1]?.text === '=' && isMember(body, at - 2) ? body[at - 2]!.text : undefined
}

/** `table[x->member]`, or one by which a comparison of two entries says which one comes first. */
function isMemberPlace(side: Side, member: string): boolean {
  return [...side.definitions.values()].some((definition) => {
    const body = textOf(definition)
    const orders = saysOrder(body)
    return body.some(
      ({ text }, at) =>
        text === member &&
        isMember(body, at) &&
        (isIndexed(body, at) || isAdded(body, at) || (orders && isCompared(body, at))),
    )
  })
}

/** Returns -1 and 1. */
function saysOrder(body: readonly Token[]): boolean {
  const text = body.map((one) => one.text).join(' ')
  return /\breturn - 1 ;/.test(text) && /\breturn 1 ;/.test(text)
}

/** Neither a pointer, nor an answer, nor nothing. */
function givesNumber({ head }: Definition): boolean {
  const type = head.slice(
    0,
    head.findIndex(({ text }) => text === '('),
  )
  return type.every(({ text }) => !/^(?:\*|bool|void)$/.test(text))
}

function isInDescription(rest: readonly Token[], name: string): boolean {
  return rest.some(
    ({ text }, at) => text === name && rest[at - 1]?.text === '=' && describes.test(rest[at - 2]?.text ?? ''),
  )
}

/** As it is written: a macro's name says where it is used, and what it stands for does not. */
function textOf({ body, written }: Definition): readonly Token[] {
  return written ?? body
}

function usesOf(definition: Definition, name: string): number[] {
  const body = textOf(definition)
  return body.flatMap(({ text }, at) =>
    text === name && !/^(?:->|\.|struct|union|enum)$/.test(body[at - 1]?.text ?? '') ? [at] : [],
  )
}

/** What a function may return that is a place: a number, or the head of a list. */
function mayBePlace(definition: Definition | undefined): boolean {
  if (definition === undefined || definition.kind === 'macro') return true
  const { head } = definition
  const open = head.findIndex(({ text }) => text === '(')
  const type = head.slice(0, open)
  const isPointer = type.some(({ text }) => text === '*')
  return !isPointer || type.some(({ text }) => /(?:^|_)(?:head|bucket|chain|root|list)(?:_|$)/.test(text))
}

/** A variable that is given something else as well, such as `err`, is no place. */
function isOnlyFor(body: readonly Token[], variable: string, name: string): boolean {
  return body.every(({ text }, at) => {
    if (text !== variable || body[at + 1]?.text !== '=' || isMember(body, at)) return true
    const value = body.slice(at + 2, findOutside(body, at + 2, ';'))
    return value.length === 1 || value.some((one) => one.text === name)
  })
}

/** `table[… at …]`, `table + at(…)`. */
function isIndexed(body: readonly Token[], at: number): boolean {
  const index = bracketsAround(body, at).find(({ open }) => body[open]!.text === '[')
  if (index !== undefined) return !isBound(body, index.open)
  return body[at - 1]?.text === '+' && body[at - 2]?.kind === 'name' && body[at + 1]?.text === '('
}

/** `char buffer[SIZE]`: how long a variable of the function is, and no place in it. */
function isBound(body: readonly Token[], open: number): boolean {
  const start = statementStart(body, open)
  const isInValue = body.slice(start, open).some(({ text }) => text === '=' || text === '(')
  return !isInValue && declaredAt(body, start, false).length > 0
}

/**
 * An argument of what adds to a table, or goes through a part of it; the entry itself, which lists take first, is none.
 */
function isAdded(body: readonly Token[], at: number): boolean {
  const call = bracketsAround(body, at).find(({ name }) => placing.test(name))
  return call !== undefined && !(call.index === 0 && /^h?list_\w*add/.test(call.name))
}

/** In a condition that goes one way or the other, by `<` or by what is called a comparison. */
function isCompared(body: readonly Token[], at: number): boolean {
  const before = body.slice(statementStart(body, at), at)
  const isCondition = before.some(({ text }) => text === 'if' || text === 'while')
  const behind = body[body[at + 1]?.text === '(' ? closing(body, at + 1) : at + 1]?.text ?? ''
  const start = accessPathStart(body, at + 1)
  const isBehind = isMember(body, at) && /^[<>]=?$/.test(body[start - 1]?.text ?? '')
  return isCondition && (isBehind || /^[<>]=?$/.test(behind) || /cmp|compare|less|before|after/.test(body[at]!.text))
}

/** The variable that gets a value: `slot` of `slot = hash(key) % n`. */
function receiverOf(body: readonly Token[], at: number): string | undefined {
  const start = statementStart(body, at)
  const equals = body.findLastIndex(({ text }, index) => index < at && /^(?:[%&^]?=|>>=)$/.test(text))
  const name = equals > start ? body[equals - 1] : undefined
  return name?.kind === 'name' && !isMember(body, equals - 1) ? name.text : undefined
}

function returns(body: readonly Token[], at: number): boolean {
  return body[statementStart(body, at)]?.text === 'return'
}
