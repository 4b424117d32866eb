// SPDX-License-Identifier: GPL-3.0-or-later
// To which members of living objects a constant is written, and by which it reads them: straight, by way of a local
// variable, or by way of a function that is given it or hands back the member.

import { valueFrom } from '../../../c/tokens/brackets.ts'
import { callAround, callsIn } from '../../../c/tokens/calls.ts'
import { findOutside, type Token } from '../../../c/tokens/lexer.ts'
import { isMember, wordsAt } from '../../../c/tokens/names.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { namesOfParameters, variablesOf } from '../../../c/written/local-variables.ts'
import { accessPathOf, accessPathStart, liveMember, pathBefore } from '../reading/access-paths.ts'
import {
  contextOf,
  labelsOf,
  type MemberAccess,
  memberAccessesIn,
  sharedMember,
  withoutNames,
} from '../reading/member-accesses.ts'

/** A function's text that is longer is not put in where it is called. */
const longestCallee = 400

/**
 * @param constants their names
 * @param find the text of a function that is called
 */
export function constantMeanings(
  definition: Definition,
  constants: ReadonlySet<string>,
  find: (name: string) => Definition | undefined,
): MemberAccess[] {
  const isNamed = (tokens: readonly Token[]) => tokens.some(({ text }) => constants.has(text))
  return [
    ...memberAccessesIn(definition, constants),
    ...throughVariables(definition, constants, find),
    ...throughCalls(definition, isNamed, constants, find),
  ]
}

/** `int state = p->state; … state == DEAD`, and `state = DEAD; … p->state = state`. */
function throughVariables(
  definition: Definition,
  constants: ReadonlySet<string>,
  find: (name: string) => Definition | undefined,
): MemberAccess[] {
  const { body } = definition
  const variables = variablesOf(definition)
  const found: MemberAccess[] = []
  const membersOf = (places: readonly (readonly Token[])[]) =>
    places.flatMap((place) => sharedMember(accessPathOf(place, variables), body) ?? [])
  for (const [at, { kind, text }] of body.entries()) {
    if (kind !== 'name' || !variables.has(text) || isMember(body, at)) continue
    if (body[at + 1]?.text !== '=') {
      for (const member of new Set(membersOf(sourcesOf(body, text))))
        found.push(...readsAt(body, at, member, constants))
      continue
    }
    // The variable is given the constant here, and the member gets the variable elsewhere.
    for (const given of valuesAt(body, at + 2, constants, find))
      for (const member of membersOf(targetsOf(body, text))) found.push({ member, does: 'write', how: `= ${given}` })
  }
  return found
}

/** How a variable that stands for a member is read at `at`. */
function readsAt(body: readonly Token[], at: number, member: string, constants: ReadonlySet<string>): MemberAccess[] {
  const labels = labelsOf(body, at, at + 1).map((label) => `== ${withoutNames(label, constants)}`)
  return [contextOf(body, at, at + 1, constants), ...labels].map((how) => ({ member, does: 'read', how }))
}

/** The places that a variable is given the value of: `v = x->m`, `v = READ_ONCE(x->m)`, `v = ++x->m`. */
function sourcesOf(body: readonly Token[], name: string): (readonly Token[])[] {
  return wordsAt(body, name).flatMap((at) => {
    if (body[at + 1]?.text !== '=') return []
    const from = /^(?:\+\+|--)$/.test(body[at + 2]?.text ?? '') ? at + 3 : at + 2
    const source = withoutReader(valueFrom(body, from))
    return source.length > 1 && accessPathStart(source, source.length) === 0 ? [source] : []
  })
}

/** The constants that a variable is given: by name, or as what a function returns. */
function valuesAt(
  body: readonly Token[],
  at: number,
  constants: ReadonlySet<string>,
  find: (name: string) => Definition | undefined,
): string[] {
  const { text, kind } = body[at] ?? {}
  if (text === undefined || kind !== 'name') return []
  if (constants.has(text)) return [text]
  const returned = body[at + 1]?.text === '(' ? (find(text)?.body ?? []) : []
  return returned.flatMap((one, index) =>
    constants.has(one.text) && returned[index - 1]?.text === 'return' ? [one.text] : [],
  )
}

/** `READ_ONCE(x->y)` is `x->y`. */
function withoutReader(tokens: readonly Token[]): readonly Token[] {
  return /^(?:READ_ONCE|smp_load_acquire)$/.test(tokens[0]?.text ?? '') ? tokens.slice(2, -1) : tokens
}

/** What gets the value of a variable: `x->y` of `x->y = name;` and `WRITE_ONCE(x->y, name)`. */
function targetsOf(body: readonly Token[], name: string): (readonly Token[])[] {
  return body.flatMap(({ text }, at) => {
    if (text !== name) return []
    const before = body[at - 1]?.text
    if (before === '=' && /^[;,)]$/.test(body[at + 1]?.text ?? '')) return [pathBefore(body, at - 1)]
    const call = before === ',' && body[at + 1]?.text === ')' ? callAround(body, at) : undefined
    const stores = /^(?:WRITE_ONCE|smp_store_release)$/.test(call?.name ?? '')
    return call !== undefined && stores ? [body.slice(call.open + 1, at - 1)] : []
  })
}

/** The called function's text with the constant in place of its parameter, and the member that it hands back. */
function throughCalls(
  definition: Definition,
  isNamed: (tokens: readonly Token[]) => boolean,
  constants: ReadonlySet<string>,
  find: (name: string) => Definition | undefined,
): MemberAccess[] {
  const { body } = definition
  const variables = variablesOf(definition)
  return callsIn(body).flatMap(({ name, at, end, values }): MemberAccess[] => {
    const context = contextOf(body, at, end, constants)
    const isGiven = values.some((value) => isAlone(value) && isNamed(value))
    const isAsked = [...constants].some((one) => context.split(' ').includes(one))
    const handed = values.flatMap((value, index) => {
      const isPath = value.length > 1 && accessPathStart(value, value.length) === 0
      const member = isPath ? liveMember(accessPathOf(value, variables)) : undefined
      return member === undefined ? [] : [{ index, member }]
    })
    if (!isGiven && !isAsked && handed.length === 0) return []
    const callee = find(name)
    if (callee === undefined || callee.body.length > longestCallee) return []
    const found: MemberAccess[] = []
    if (isNamed(callee.body))
      for (const { index, member } of handed)
        for (const use of wordsAt(callee.body, namesOfParameters(callee)[index] ?? ''))
          found.push(...readsAt(callee.body, use, member, constants))
    if (isGiven) {
      const put = new Map(
        namesOfParameters(callee).flatMap((name, index) => {
          const value = values[index]
          return value !== undefined && isAlone(value) && isNamed(value) ? [[name, value] as const] : []
        }),
      )
      const inner = callee.body.flatMap((one, index) =>
        isMember(callee.body, index) ? [one] : (put.get(one.text) ?? [one]),
      )
      found.push(...memberAccessesIn({ ...callee, body: inner }, constants))
    }
    if (isAsked) for (const member of handedBack(callee)) found.push({ member, does: 'read', how: context })
    return found
  })
}

/** `NAME`, `-NAME`. */
function isAlone(value: readonly Token[]): boolean {
  return value.length === 1 || (value.length === 2 && value[0]!.text === '-')
}

/** `return x->y;` */
function handedBack(callee: Definition): string[] {
  const { body } = callee
  return body.flatMap(({ text }, at) => {
    const value = text === 'return' ? body.slice(at + 1, findOutside(body, at + 1, ';')) : []
    return liveMember(accessPathOf(withoutReader(value), variablesOf(callee))) ?? []
  })
}
