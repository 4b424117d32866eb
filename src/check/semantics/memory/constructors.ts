// SPDX-License-Identifier: GPL-3.0-or-later
// The constructor of a slab runs when the slab gets its memory, and not when an object is taken from it. The objects of
// slabs that exist, free ones too, were set up by the old constructor, and those of slabs made meanwhile stay when the
// patch goes.

import { callsIn } from '../../../c/tokens/calls.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { renamed } from '../../../c/tokens/names.ts'
import { statementsOf } from '../../../c/tokens/statements.ts'
import { assignment } from '../../../c/tokens/words.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { declaredAt, variablesOf } from '../../../c/written/local-variables.ts'
import { withHelpers } from '../../locks/operations.ts'
import { type ChangedFunctions, type Side, textOf } from '../../subject/changed-functions.ts'
import type { Found } from '../../subject/rule.ts'
import { moreOftenIn } from '../reading/differences.ts'
import { says } from '../reading/known-callees.ts'

/**
 * The functions that are handed to a slab: the last argument of `kmem_cache_create(…)`, or `.ctor = f` of its
 * arguments.
 */
function constructorsOf({ definitions, rest }: Side): Set<string> {
  const found = new Set<string>()
  const note = (body: readonly Token[]) => {
    const isArguments = body.some(({ text }) => text === 'kmem_cache_args')
    for (const [at, { text }] of body.entries())
      if (isArguments && text === 'ctor' && body[at - 1]?.text === '.' && body[at + 1]?.text === '=')
        found.add(body[at + 2]?.text ?? '')
    for (const { values } of callsIn(body, /^kmem_cache_create(?:_usercopy)?$/)) {
      const last = values.at(-1) ?? []
      if (last.length === 1) found.add(last[0]!.text)
    }
  }
  note(rest)
  for (const { body } of definitions.values()) note(body)
  return found
}

/** These functions, and all of the same files that they call. */
function withCallees({ definitions }: Side, names: ReadonlySet<string>): Set<string> {
  const found = new Set([...names].filter((name) => definitions.has(name)))
  for (const name of found)
    for (const call of callsIn(definitions.get(name)!.body)) if (definitions.has(call.name)) found.add(call.name)
  return found
}

/** What a function gives memory that outlives it, with the types of its variables in place of their names. */
function worksOf(texts: readonly Definition[]): string[] {
  const helpers = new Set(texts.slice(1).map(({ name }) => name))
  return texts.flatMap((definition) => {
    const variables = variablesOf(definition)
    return statementsOf(definition.body).flatMap(({ kind, tokens, under }) => {
      if (kind !== 'expression' || declaredAt(tokens, 0, false).length > 0 || !isSetUp(tokens, helpers)) return []
      const texts = [...under, { tokens }].map((one) => renamed(one.tokens, (name) => variables.get(name)?.type))
      return [texts.join(' : ')]
    })
  })
}

/** A call that is no mere message, or a value for a place behind a pointer. */
function isSetUp(tokens: readonly Token[], helpers: ReadonlySet<string>): boolean {
  if (tokens[0]?.kind === 'name' && tokens[1]?.text === '(' && closing(tokens, 1) === tokens.length)
    return !says.test(tokens[0].text) && !helpers.has(tokens[0].text)
  const to = tokens.findIndex(({ text }) => assignment.test(text))
  return to >= 0 && tokens.slice(0, to).some(({ text }) => /^(?:->|\.|\*|\[)$/.test(text))
}

export function constructorFindings(functions: ChangedFunctions): Found[] {
  const old = withCallees(functions.before, constructorsOf(functions.before))
  return functions.all.flatMap(({ name, file, before, after }): Found[] => {
    if (before === undefined || after === undefined || !old.has(name)) return []
    if (textOf(before.body) === textOf(after.body)) return []
    const was = worksOf(withHelpers(functions.before, before, functions.after))
    const is = worksOf(withHelpers(functions.after, after, functions.before))
    const isSame = (one: string, other: string) => one === other
    const isMore = moreOftenIn(is, was, isSame).length > 0
    if (!isMore && moreOftenIn(was, is, isSame).length === 0) return []
    const whose = !isMore
      ? 'after a revert the old code gets objects without what the new constructor leaves out'
      : 'objects of existing slabs, free ones too, keep what the old constructor has set up'
    return [
      {
        symbol: name,
        unit: file,
        message: `${name}, the constructor of a slab or part of one, now sets objects up otherwise; ${whose}`,
        hint: 'Set up each object where it is taken from the slab as well, or leave the constructor as it is',
      },
    ]
  })
}
