// SPDX-License-Identifier: GPL-3.0-or-later
// How the members of objects that live are written and read: by which constants, masks, shifts, units and calls.
// Variables are left out, so that only what a value means is compared, and not from where it comes.

import { valueFrom } from '../../../c/tokens/brackets.ts'
import { argumentsAt, callAround } from '../../../c/tokens/calls.ts'
import { closing, findOutside, openingOf, type Token } from '../../../c/tokens/lexer.ts'
import { isArrow, isMember } from '../../../c/tokens/names.ts'
import { assignment } from '../../../c/tokens/words.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { type Variable, variablesOf } from '../../../c/written/local-variables.ts'
import { type AccessPath, accessPathOf, accessPathStart, isCast, liveMember, pathBefore } from './access-paths.ts'
import { flagHelper } from './flag-helpers.ts'

export interface MemberAccess {
  /** `struct foo.state`. */
  readonly member: string
  readonly does: 'write' | 'read'
  /** `= _ | FOO_TAG`, `& ~ 3`, `test_bit FOO_BUSY`. */
  readonly how: string
}

const constant = /^[A-Z][A-Z0-9_]{2,}$/
/** By its look: a macro or an enumerator. */
export function isConstant(name: string): boolean {
  return constant.test(name)
}

const bitWrites = /^(?:__)?(?:set|clear|change|assign|test_and_(?:set|clear|change))_bit(?:_\w+)?$/
const bitReads = /^(?:test_bit\w*|test_and_(?:set|clear|change)_bit\w*)$/
const bitLocks = /^(?:__)?bit_spin_(?:try)?(?:un)?lock$/
/** Their first argument is the word, the second one the bit. */
const bitWaits = /^(?:out_of_line_)?wait_on_bit\w*$|^wake_up_bit$/
const exchanges = /^(?:atomic(?:64|_long)?_)?(?:try_)?cmpxchg\w*$/
const setters =
  /^(?:WRITE_ONCE|smp_store_release|rcu_assign_pointer|RCU_INIT_POINTER|(?:atomic(?:64|_long)?|refcount)_set(?:_release)?)$/
const readers = /^(?:READ_ONCE|smp_load_acquire|rcu_dereference\w*|(?:atomic(?:64|_long)?|refcount)_read(?:_acquire)?)$/
const operators = /^(?:==|!=|<|>|<=|>=|&|\||\^|<<|>>|\+|-|\*|\/|%|~)$/

const none: ReadonlySet<string> = new Set()

/**
 * An expression without its variables: constants, numbers, operators and calls stay.
 * @param constants names that are constants although they do not look so
 */
export function withoutNames(tokens: readonly Token[], constants = none): string {
  const words: string[] = []
  for (let at = 0; at < tokens.length; at++) {
    const { kind, text } = tokens[at]!
    if (text === '(' && isCast(tokens, at)) {
      at = closing(tokens, at) - 1
      continue
    }
    if (kind !== 'name') {
      if (text !== '->' && text !== '.') words.push(text)
      continue
    }
    if (isMember(tokens, at)) continue
    words.push(
      constant.test(text) ||
        constants.has(text) ||
        tokens[at + 1]?.text === '(' ||
        /^(?:NULL|true|false|jiffies)$/.test(text)
        ? text
        : '_',
    )
  }
  return words.join(' ').replace(/\( _ \)/g, '_')
}

/** True when the words say more than that there is a value. */
export function saysSomething(how: string): boolean {
  return /[A-Z0-9]{2}|\d|[|&^~<>+*/%-]|[a-z]\w* \(|NULL|true|false|jiffies/.test(how.replace(/^\W?= /, ''))
}

export function memberAccessesIn(definition: Definition, constants = none): MemberAccess[] {
  const { body } = definition
  const variables = variablesOf(definition)
  const spelled = (tokens: readonly Token[]) => withoutNames(settled(tokens, variables), constants)
  const found: MemberAccess[] = []
  const memberIn = (tokens: readonly Token[] = []) => sharedMember(accessPathOf(tokens, variables), body)
  const put = (member: string | undefined, does: MemberAccess['does'], how: string) => {
    if (member !== undefined) found.push({ member, does, how })
  }
  for (let at = 0; at < body.length; at++) {
    const { kind, text } = body[at]!
    if (kind !== 'name') continue
    const before = body[at - 1]?.text
    const next = body[at + 1]?.text
    if (next === '(' && before !== '->' && before !== '.') {
      const [first = [], second = [], third = []] = argumentsAt(body, at + 1)
      const flag = flagHelper(text)
      if (flag?.isRead === true) put(flag.member, 'read', `bit ${flag.flag}`)
      if (flag?.isWrite === true) put(flag.member, 'write', `bit ${flag.flag}`)
      const [isRead, isWait, isLock] = [bitReads, bitWaits, bitLocks].map((words) => words.test(text))
      if (bitWrites.test(text) || isRead || isLock || isWait) {
        const [bit, word] = isWait ? [second, first] : [first, second]
        const [member, how] = [memberIn(word), `bit ${spelled(bit)}`]
        put(member, isRead || isWait ? 'read' : 'write', how)
        if (/^test_and_set/.test(text)) put(member, 'write', how)
        if (isLock) put(member, 'read', how)
      } else if (exchanges.test(text)) {
        put(memberIn(first), 'read', `== ${spelled(second)}`)
        put(memberIn(first), 'write', `= ${spelled(third)}`)
      } else if (setters.test(text)) put(memberIn(first), 'write', `= ${spelled(second)}`)
      continue
    }
    if (!isMember(body, at) || isArrow(body[at + 1]) || next === '(') continue
    let end = at + 1
    while (body[end]?.text === '[') end = closing(body, end)
    if (isArrow(body[end])) continue
    const start = accessPathStart(body, end)
    const member = memberIn(body.slice(start, end))
    const assign = body[end]?.text ?? ''
    if (member === undefined || assign === '++' || assign === '--') continue
    if (assignment.test(assign)) {
      put(member, 'write', `${assign} ${spelled(valueFrom(body, end + 1))}`)
      continue
    }
    if (body[start - 1]?.text === '&' && callAround(body, start)?.name !== 'get_user') continue
    put(member, 'read', contextOf(body, start, end, constants, variables))
    const copy = copyOf(body, start, end)
    if (copy !== undefined && variables.get(copy)?.pointers === 0)
      put(member, 'read', `copied ${turnsOf(body, copy, constants)}`.trim())
    for (const label of labelsOf(body, start, end)) put(member, 'read', `== ${spelled(label)}`)
  }
  return found
}

/** A local variable that stands for a value without names of its own (`ktime_get()`, `HZ * 2`), by that value. */
function settled(tokens: readonly Token[], variables: ReadonlyMap<string, Variable>): readonly Token[] {
  return tokens.flatMap((token, at) => {
    const value = token.kind === 'name' ? variables.get(token.text)?.value : undefined
    if (value === undefined || isMember(tokens, at)) return [token]
    const isClosed = value.every(
      ({ kind, text }, index) =>
        kind !== 'name' || constant.test(text) || text === 'jiffies' || value[index + 1]?.text === '(',
    )
    return isClosed && value.some(({ kind }) => kind === 'name') ? value : [token]
  })
}

/** The variable that is given a member as it is: `v = x->m`, `v = READ_ONCE(x->m)`, `get_user(v, &x->m)`. */
function copyOf(body: readonly Token[], from: number, to: number): string | undefined {
  let [start, end] = [from, to]
  if (body[start - 1]?.text === '&' && body[start - 2]?.text === ',') return body[start - 3]?.text
  if (body[start - 1]?.text === '(' && readers.test(body[start - 2]?.text ?? '')) {
    start -= 2
    end++
  }
  return body[start - 1]?.text === '=' &&
    /^[;,]$/.test(body[end]?.text ?? '') &&
    body[start - 2]?.kind === 'name' &&
    !isMember(body, start - 2)
    ? body[start - 2]!.text
    : undefined
}

/** What is made of a variable in place: `v = -v`, `v--`, `v >>= 1`. */
function turnsOf(body: readonly Token[], name: string, constants: ReadonlySet<string>): string {
  const steps = new Set<string>()
  for (const [at, { text }] of body.entries()) {
    if (text !== name || !/^[;{}]$/.test(body[at - 1]?.text ?? '')) continue
    const operator = body[at + 1]?.text ?? ''
    if (!assignment.test(operator)) continue
    const value = valueFrom(body, at + 2)
    if (operator === '++' || operator === '--') steps.add(operator)
    else if (operator !== '=' || value.some((one, index) => one.text === name && value[index - 1]?.text !== '->'))
      steps.add(`${operator} ${withoutNames(value, constants)}`)
  }
  return [...steps].sort().join(' then ')
}

/** `struct foo.state` of a member that lives, or of a struct on the stack that others find; undefined for others. */
export function sharedMember(place: AccessPath | undefined, body: readonly Token[]): string | undefined {
  const isFound = place?.isLive === false && isShared(body, place.base)
  return liveMember(isFound ? { ...place, isLive: true } : place)
}

/** A struct on the stack that others find: it is put on a list or a wait queue. */
function isShared(body: readonly Token[], name: string): boolean {
  return body.some(({ text }, at) => {
    if (!/^(?:h?list_add\w*|plist_add|rb_link_node|add_wait_queue\w*|prepare_to_wait\w*|\w+_add)$/.test(text))
      return false
    const end = body[at + 1]?.text === '(' ? closing(body, at + 1) : at
    return body.slice(at, end).some((one, index, list) => one.text === '&' && list[index + 1]?.text === name)
  })
}

/** The values of `case` where the value that stands between two indices is what a `switch` asks for. */
export function labelsOf(body: readonly Token[], from: number, to: number): Token[][] {
  let [start, end] = [from, to]
  while (body[start - 1]?.text === '(' && body[end]?.text === ')') {
    const name = body[start - 2]
    start--
    end++
    if (name?.text === 'switch') break
    if (name?.kind === 'name') start--
  }
  if (body[start - 1]?.text !== 'switch' || body[end]?.text !== '{') return []
  const close = closing(body, end)
  const found: Token[][] = []
  for (let at = end; at < close; at++) {
    if (body[at]!.text !== 'case') continue
    found.push(body.slice(at + 1, findOutside(body, at + 1, ':')))
  }
  return found
}

/** What is done with the value that stands between two indices. */
export function contextOf(
  body: readonly Token[],
  from: number,
  to: number,
  constants = none,
  variables: ReadonlyMap<string, Variable> = new Map(),
): string {
  const spelled = (tokens: readonly Token[]) => withoutNames(settled(tokens, variables), constants)
  let [start, end] = [from, to]
  const words: string[] = []
  for (let depth = 0; depth < 3; depth++) {
    // Casts, `READ_ONCE(…)` and parentheses say nothing.
    while (body[start - 1]?.text === ')' && isCast(body, openingOf(body, start - 1))) start = openingOf(body, start - 1)
    const [left, right] = [body[start - 1]?.text ?? '', body[end]?.text ?? '']
    if (operators.test(right)) {
      const operand = operandFrom(body, end + 1)
      words.push(`${right} ${spelled(operand)}`)
      end = end + 1 + operand.length
      continue
    }
    if (left === '!' || left === '~') {
      words.push(left)
      start--
      continue
    }
    if (operators.test(left) && left !== '*') {
      words.push(`${left} of ${spelled(operandBefore(body, start - 1))}`)
      break
    }
    if (left === '(' && right === ')') {
      const name = body[start - 2]
      if (name?.kind === 'name' && !/^(?:if|while|switch|return)$/.test(name.text)) {
        if (!readers.test(name.text)) words.push(`${name.text} ( )`)
        start -= 2
      } else start--
      end++
      if (name?.kind === 'name' && /^(?:if|while|switch)$/.test(name.text)) break
      continue
    }
    const receiver = receiverOf(body, start)
    if (receiver !== undefined) words.push(`${receiver} ( )`)
    break
  }
  return words.join(' ')
}

/** The function to which the value at `start` is given behind other values, each by its name alone. */
function receiverOf(body: readonly Token[], start: number): string | undefined {
  const call = callAround(body, start)
  if (call === undefined || /^(?:if|while|for|switch|return)$/.test(call.name)) return undefined
  for (let at = call.open + 1; at < start; at++) {
    const { kind, text } = body[at]!
    if (text === '(' || text === '[') at = closing(body, at) - 1
    else if (kind !== 'name' && !/^(?:,|->|\.|&)$/.test(text)) return undefined
  }
  return call.name
}

function operandFrom(body: readonly Token[], start: number): readonly Token[] {
  let at = start
  while (/^[~!*&-]$/.test(body[at]?.text ?? '')) at++
  if (body[at]?.text === '(') at = closing(body, at)
  else at++
  while (/^(?:->|\.|\(|\[)$/.test(body[at]?.text ?? '')) at = /^[([]$/.test(body[at]!.text) ? closing(body, at) : at + 2
  return body.slice(start, at)
}

function operandBefore(body: readonly Token[], end: number): readonly Token[] {
  const path = pathBefore(body, end)
  return path.length > 0 ? path : body.slice(Math.max(0, end - 1), end)
}
