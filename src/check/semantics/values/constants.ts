// SPDX-License-Identifier: GPL-3.0-or-later
// To which members of living objects a constant is written, and by which it reads them: straight, by way of a local
// variable, or by way of a function that is given it or hands back the member.

import { argumentsAt } from '../../../c/tokens/calls.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { accessPathOf, accessPathStart } from '../reading/access-paths.ts'
import {
  contextOf,
  isShared,
  labelsOf,
  type MemberAccess,
  memberAccessesIn,
  valueFrom,
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
  const memberOf = (tokens: readonly Token[]): string | undefined => {
    const place = accessPathOf(tokens, variables)
    const isLive = place?.isLive === true || isShared(body, place?.base ?? '')
    return place !== undefined && isLive && place.member !== '' ? `${place.object}.${place.member}` : undefined
  }
  for (const [at, { kind, text }] of body.entries()) {
    const variable = variables.get(text)
    if (kind !== 'name' || variable === undefined || /^(?:->|\.)$/.test(body[at - 1]?.text ?? '')) continue
    if (body[at + 1]?.text !== '=')
      for (const member of new Set(sourcesOf(body, text).flatMap((source) => memberOf(source) ?? []))) {
        found.push({ member, does: 'read', how: contextOf(body, at, at + 1, constants) })
        for (const label of labelsOf(body, at, at + 1))
          found.push({ member, does: 'read', how: `== ${withoutNames(label, constants)}` })
      }
    // The variable is given the constant here, and the member gets the variable elsewhere.
    if (body[at + 1]?.text !== '=') continue
    for (const given of valuesAt(body, at + 2, constants, find))
      for (const target of targetsOf(body, text)) {
        const written = memberOf(target)
        if (written !== undefined) found.push({ member: written, does: 'write', how: `= ${given}` })
      }
  }
  return found
}

/** The places that a variable is given the value of: `v = x->m`, `v = READ_ONCE(x->m)`, `v = ++x->m`. */
function sourcesOf(body: readonly Token[], name: string): (readonly Token[])[] {
  return body.flatMap(({ text }, at) => {
    if (text !== name || body[at + 1]?.text !== '=' || /^(?:->|\.)$/.test(body[at - 1]?.text ?? '')) return []
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
    if (before === '=' && /^[;,)]$/.test(body[at + 1]?.text ?? ''))
      return [body.slice(accessPathStart(body, at - 1), at - 1)]
    if (before !== ',' || body[at + 1]?.text !== ')') return []
    let open = at - 1
    while (
      open > 0 &&
      !/^[;{}]$/.test(body[open]!.text) &&
      !/^(?:WRITE_ONCE|smp_store_release)$/.test(body[open]!.text)
    )
      open--
    return body[open + 1]?.text === '(' ? [body.slice(open + 2, at - 1)] : []
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
  return body.flatMap(({ kind, text }, at): MemberAccess[] => {
    if (kind !== 'name' || body[at + 1]?.text !== '(' || /^(?:->|\.)$/.test(body[at - 1]?.text ?? '')) return []
    const values = argumentsAt(body, at + 1)
    const end = closing(body, at + 1)
    const context = contextOf(body, at, end, constants)
    const isGiven = values.some((value) => isAlone(value) && isNamed(value))
    const isAsked = [...constants].some((name) => context.split(' ').includes(name))
    const handed = values.flatMap((value, index) => {
      const place = value.length > 1 ? accessPathOf(value, variables) : undefined
      return place?.isLive === true && place.member !== '' && accessPathStart(value, value.length) === 0
        ? [{ index, member: `${place.object}.${place.member}` }]
        : []
    })
    if (!isGiven && !isAsked && handed.length === 0) return []
    const callee = find(text)
    if (callee === undefined || callee.body.length > longestCallee) return []
    const found: MemberAccess[] = []
    if (isNamed(callee.body))
      for (const { index, member } of handed) {
        const name = namesOfParameters(callee)[index]
        for (const [use, one] of callee.body.entries()) {
          if (one.text !== name || /^(?:->|\.)$/.test(callee.body[use - 1]?.text ?? '')) continue
          found.push({ member, does: 'read', how: contextOf(callee.body, use, use + 1, constants) })
          for (const label of labelsOf(callee.body, use, use + 1))
            found.push({ member, does: 'read', how: `== ${withoutNames(label, constants)}` })
        }
      }
    if (isGiven) {
      const put = new Map(
        namesOfParameters(callee).flatMap((name, index) => {
          const value = values[index]
          return value !== undefined && isAlone(value) && isNamed(value) ? [[name, value] as const] : []
        }),
      )
      const inner = callee.body.flatMap((one, index) =>
        /^(?:->|\.)$/.test(callee.body[index - 1]?.text ?? '') ? [one] : (put.get(one.text) ?? [one]),
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

function namesOfParameters(callee: Definition): readonly string[] {
  return (
    callee.parameters ??
    [...variablesOf(callee).values()].filter(({ isParameter }) => isParameter).map(({ name }) => name)
  )
}

/** `return x->y;` */
function handedBack(callee: Definition): string[] {
  const { body } = callee
  return body.flatMap(({ text }, at) => {
    if (text !== 'return') return []
    let end = at + 1
    while (end < body.length && body[end]!.text !== ';') end++
    const place = accessPathOf(withoutReader(body.slice(at + 1, end)), variablesOf(callee))
    return place?.isLive === true && place.member !== '' ? [`${place.object}.${place.member}`] : []
  })
}
