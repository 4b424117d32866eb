// SPDX-License-Identifier: GPL-3.0-or-later
// Constants that have another value after the patch, and those that are made of them: macros without parameters,
// enumerators, and variables that are constant.

import { constantValue } from '../../c/tokens/constant-value.ts'
import { type Token, tokenize, wordsOf } from '../../c/tokens/lexer.ts'
import { enumeratorsIn } from '../../c/written/enumerators.ts'
import { definitionsOf } from '../../c/written/functions.ts'
import { macroValues } from '../../c/written/macro-values.ts'
import type { FileChange } from '../../patch/patch.ts'
import { kernelFiles } from './kernel-files.ts'

export interface ChangedName {
  readonly name: string
  readonly before: string
  readonly after: string
  readonly file: string
}

/** `static const int name = 4;`: the compiler puts the number where the name stands. */
function constantVariables(rest: readonly Token[]): Map<string, string> {
  const found = new Map<string, string>()
  let start = 0
  for (const [at, { text }] of rest.entries()) {
    if (text !== ';') continue
    const item = rest.slice(start, at)
    start = at + 1
    const equals = item.findIndex((one) => one.text === '=')
    const [name, value] = [item[equals - 1], item.slice(equals + 1)]
    const isOne = item.some((one) => one.text === 'static') && item[equals + 1]?.text !== '{'
    if (equals < 2 || name?.kind !== 'name' || !isOne) continue
    const head = item.slice(0, equals - 1)
    const star = head.findLastIndex((one) => one.text === '*')
    // Of `const char *name` only what it leads to is constant.
    if (head.slice(star + 1).some((one) => one.text === 'const')) found.set(name.text, spelled(value))
  }
  return found
}

/** A number, or the text without parentheses around the whole. */
function plainly(value: string): string {
  // Of several definitions each counts.
  return value
    .split('\n')
    .map((one) => {
      const number = constantValue(tokenize(one), new Map())
      return number === undefined ? one.replace(/^\( (.*) \)$/, '$1') : `${number}`
    })
    .join('\n')
}

function spelled(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join(' ')
}

function constantsOf(text: string): Map<string, string> {
  const { rest, byName } = definitionsOf(text)
  const within = [...byName.values()].flatMap(({ body }) =>
    body.some((token) => token.text === 'enum') ? [...enumeratorsIn(body)] : [],
  )
  const all = [...within, ...macroValues(text), ...enumeratorsIn(rest), ...constantVariables(rest)]
  return new Map(all.flatMap(([name, value]) => (byName.has(name) ? [] : [[name, plainly(value)] as const])))
}

/**
 * The numbers that names stand for in the changed files of one side; a name of several definitions stands for none.
 * @param side which of the texts
 */
export function constantNumbers(changes: readonly FileChange[], side: 'before' | 'after'): ReadonlyMap<string, bigint> {
  const written = new Map(kernelFiles(changes).flatMap((change) => [...constantsOf(change[side] ?? '')]))
  const known = new Map<string, bigint>()
  // A constant that is made of others comes behind them.
  for (let depth = 0; depth < deepest; depth++)
    for (const [name, text] of written) {
      const value = known.has(name) || text.includes('\n') ? undefined : constantValue(tokenize(text), known)
      if (value !== undefined) known.set(name, value)
    }
  return known
}

/** How far constants are followed that are made of others. */
const deepest = 3

/** What constants of each side are written as, of those that have another value: `BUF * 2` where BUF changes. */
export function changedConstants(
  changed: readonly ChangedName[],
  changes: readonly FileChange[],
): ReadonlyMap<string, { readonly before: string; readonly after: string }> {
  const names = new Set(changed.map(({ name }) => name))
  if (names.size === 0) return new Map()
  return new Map(
    kernelFiles(changes).flatMap(({ before, after }) => {
      const [old, young] = [constantsOf(before ?? ''), constantsOf(after ?? '')]
      return [...names].flatMap((name) => {
        const [was, is] = [old.get(name), young.get(name)]
        // Of several definitions it is not known which one counts.
        const isOne = was !== undefined && is !== undefined && !/\n/.test(was + is)
        return isOne ? [[name, { before: was, after: is }] as const] : []
      })
    }),
  )
}

export function changedNames(changes: readonly FileChange[]): readonly ChangedName[] {
  const found = new Map<string, ChangedName>()
  const files = kernelFiles(changes).map(({ path: file, before, after }) => ({
    file,
    old: constantsOf(before ?? ''),
    young: constantsOf(after ?? ''),
  }))
  const [was, is] = [constantNumbers(changes, 'before'), constantNumbers(changes, 'after')]
  for (const { file, old, young } of files)
    for (const [name, before] of old) {
      const after = young.get(name)
      // Written by way of another constant, and the same.
      if (was.has(name) && was.get(name) === is.get(name)) continue
      if (after !== undefined && after !== before && after !== '' && before !== '')
        found.set(name, { name, before, after, file })
    }
  if (found.size === 0) return []
  // A constant that is made of another one changes with it.
  for (let depth = 0; depth < 3; depth++)
    for (const { file, young } of files)
      for (const [name, value] of young) {
        if (found.has(name)) continue
        const word = wordsOf(value).find((one) => found.has(one))
        if (word !== undefined) found.set(name, { ...found.get(word)!, name, file })
      }
  return [...found.values()]
}
