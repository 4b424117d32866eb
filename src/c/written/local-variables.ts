// SPDX-License-Identifier: GPL-3.0-or-later
// The parameters and local variables of a function as its text declares them. With them an access path such as
// `base->lock` has a type, and what only lies on the stack is told from what lives longer.

import { parseDeclaration, type Transparent } from '../tokens/declarators.ts'
import { closing, findOutside, partsOf, type Token } from '../tokens/lexer.ts'
import { assignment, isSpecifier, isTagWord } from '../tokens/words.ts'
import { type Definition, declaredFunction } from './functions.ts'

export interface Variable {
  readonly name: string
  /** `struct timer_base`, or a typedef's name. */
  readonly type: string
  /** Levels of pointers. */
  readonly pointers: number
  readonly isParameter: boolean
  readonly isStatic: boolean
  readonly isArray: boolean
  /** What it is given, where its function gives it a value once only. */
  readonly value?: readonly Token[]
}

const qualifiers =
  /^(?:const|volatile|register|static|extern|auto|__user|__iomem|__rcu|__percpu|__force|__always_unused|__maybe_unused|__read_mostly|unsigned|signed|long|short)$/
const notATypes =
  /^(?:return|goto|case|default|else|do|if|while|for|switch|break|continue|sizeof|typeof|struct|union|enum)$/

/** The variables that tokens from `at` declare, up to a semicolon or the end; none when they declare nothing. */
export function declaredAt(tokens: readonly Token[], start: number, isParameter: boolean): Variable[] {
  let at = start
  let isStatic = false
  let type = ''
  for (; tokens[at]?.kind === 'name'; at++) {
    const { text } = tokens[at]!
    if (text === 'static') isStatic = true
    if (isTagWord(text)) {
      const tag = tokens[at + 1]
      if (tag?.kind === 'name') {
        type = `${text} ${tag.text}`
        at += 1
        if (tokens[at + 1]?.text === '{') at = closing(tokens, at + 1) - 1
      } else if (tag?.text === '{') {
        type = `${text} {}`
        at = closing(tokens, at + 1) - 1
      }
      continue
    }
    if (qualifiers.test(text)) {
      if (type === '' && /^(?:unsigned|signed|long|short)$/.test(text)) type = text
      continue
    }
    if (notATypes.test(text)) return []
    const next = tokens[at + 1]
    if (type === '' || /^(?:unsigned|signed|long|short)$/.test(type)) {
      // The name of a type is followed by a name or a star and a name.
      const isType = next?.kind === 'name' || next?.text === '*'
      if (type === '' && !isType) return []
      if (isType || type === '') {
        type = text
        continue
      }
    }
    break
  }
  if (type === '') return []
  const end = findOutside(tokens, start, isParameter ? ',;' : ';')
  return parseDeclaration(tokens, start, end, annotationEnd).declarators.flatMap(({ name, at, from, isFunction }) => {
    if (isFunction) return []
    const pointers = tokens.slice(from, at).filter(({ text }) => text === '*').length
    return [{ name, type, pointers, isParameter, isStatic, isArray: tokens[at + 1]?.text === '[' }]
  })
}

/** Words of the kernel's that say something of a type, `__user`, or of what was named, `__aligned(8)`. */
const annotationEnd: Transparent = (tokens, index) => {
  const { text } = tokens[index]!
  const next = tokens[index + 1]
  const isTag = isTagWord(tokens[index - 1]?.text)
  if (isTag || !text.startsWith('__') || isSpecifier(text)) return undefined
  if (next?.text === '(') return closing(tokens, index + 1)
  return next?.kind === 'name' || next?.text === '*' ? index + 1 : undefined
}

const known = new WeakMap<Definition, ReadonlyMap<string, Variable>>()

export function variablesOf(definition: Definition): ReadonlyMap<string, Variable> {
  const before = known.get(definition)
  if (before !== undefined) return before
  const found = new Map<string, Variable>()
  const { head, body } = definition
  let open = declaredFunction(head)?.open ?? head.length
  // int NAME(x)(int a)
  while (head[closing(head, open)]?.text === '(') open = closing(head, open)
  for (const { from, to } of partsOf(head, open + 1, closing(head, open) - 1))
    for (const one of declaredAt(head.slice(from, to), 0, true)) found.set(one.name, one)
  let behindMembers = 0
  for (const [at, { kind, text }] of body.entries()) {
    if (kind !== 'name' || at < behindMembers) continue
    if (isTagWord(text)) {
      const open = body[at + 1]?.text === '{' ? at + 1 : at + 2
      if (body[open]?.text === '{') behindMembers = closing(body, open)
    }
    const before = body[at - 1]?.text
    if (before !== undefined && !/^[;{}:(]$/.test(before)) continue
    if (before === '(' && !/^for/.test(body[at - 2]?.text ?? '')) continue
    for (const one of declaredAt(body, at, false)) if (!found.has(one.name)) found.set(one.name, one)
  }
  for (const [name, tokens] of onlyValues(body))
    if (found.get(name)?.isParameter === false) found.set(name, { ...found.get(name)!, value: tokens })
  known.set(definition, found)
  return found
}

/** The parameters in their order, as far as the head declares them. */
export function parametersOf(definition: Definition): Variable[] {
  return [...variablesOf(definition).values()].filter(({ isParameter }) => isParameter)
}

/** What the parameters are called; of a macro, too. */
export function namesOfParameters(definition: Definition): readonly string[] {
  return definition.parameters ?? parametersOf(definition).map(({ name }) => name)
}

/** What the names that are assigned once are assigned. */
function onlyValues(body: readonly Token[]): Map<string, readonly Token[]> {
  const values = new Map<string, readonly Token[]>()
  const repeated = new Set<string>()
  for (const [at, { text, kind }] of body.entries()) {
    if (kind !== 'name' || /^(?:->|\.)$/.test(body[at - 1]?.text ?? '')) continue
    const next = body[at + 1]?.text ?? ''
    // `&p->member` leads nobody to the pointer itself.
    const isLentOut = body[at - 1]?.text === '&' && next !== '->'
    if ((next !== '=' && assignment.test(next)) || isLentOut) repeated.add(text)
    if (next !== '=') continue
    const value = body.slice(at + 2, findOutside(body, at + 2, ',;)'))
    // `struct x *p = NULL;` says nothing yet.
    if (value.length === 1 && /^(?:NULL|0|false)$/.test(value[0]!.text)) continue
    if (values.has(text)) repeated.add(text)
    values.set(text, value)
  }
  for (const name of repeated) values.delete(name)
  return values
}
