// SPDX-License-Identifier: GPL-3.0-or-later
// State of a file that the new code looks for in another variable: two lists, counters or wait queues become one, or
// one becomes two. What the old code has put into the one is not found in the other. (A variable that is only renamed
// is `state-lost`.)

import { isMember } from '../../../c/tokens/names.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import {
  type FileVariable,
  isInRest,
  isKept,
  placesOf,
  usersIn,
  type VariablesOfFile,
  variablesOfFile,
} from '../../../c/written/file-variables.ts'
import { type Definition, isInitOrExit } from '../../../c/written/functions.ts'
import { variablesOf } from '../../../c/written/local-variables.ts'
import { macroValues } from '../../../c/written/macro-values.ts'
import { listed } from '../../../ground/listed.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { says } from '../../semantics/reading/known-callees.ts'
import type { ChangedFunctions, Side } from '../../subject/changed-functions.ts'
import { kernelFiles } from '../../subject/kernel-files.ts'
import { type Found, foundIn, ofTexts, warning } from '../../subject/rule.ts'

/** One name in the place of another one, in a statement that is the same otherwise. */
interface Exchange {
  readonly from: string
  readonly to: string
}

/** How far functions that take the place of others are followed. */
const deepest = 2

/** The files of one side. */
interface Files {
  readonly files: readonly VariablesOfFile[]
  /** Names that are macros for others. */
  readonly macros: ReadonlyMap<string, string>
}

function filesOf(changes: readonly FileChange[], side: 'before' | 'after', { definitions, fileOf }: Side): Files {
  const texts = kernelFiles(changes).map((one) => ({ path: one.path, text: one[side] ?? '' }))
  return {
    files: texts.map(({ path, text }) => {
      const file = variablesOfFile(path, text)
      // With the macros put in that the patch changes.
      const read = [...file.byName].map(
        ([name, one]) => [name, fileOf(name) === path ? (definitions.get(name) ?? one) : one] as const,
      )
      return { ...file, byName: new Map(read) }
    }),
    macros: new Map(texts.flatMap(({ text }) => [...macroValues(text)])),
  }
}

/** The variable that a name means in a file: its own one, or a global one of another file. */
function variableOf({ files }: Files, path: string, name: string): Owned | undefined {
  const own = files.find((one) => one.path === path)
  for (const file of own === undefined ? files : [own, ...files]) {
    const variable = file.variables.get(name)
    if (variable !== undefined && (file === own || !variable.isStatic)) return { file, variable }
  }
  return undefined
}

interface Owned {
  readonly file: VariablesOfFile
  readonly variable: FileVariable
}

/** True when code that runs later, a macro or a table uses a variable. */
function isUsed({ files, macros }: Files, { file, variable }: Owned): boolean {
  const word = new RegExp(`(?<!\\w)${variable.name}(?!\\w)`)
  if ([...macros.values()].some((value) => word.test(value))) return true
  return files.some(
    (one) =>
      (one.path === file.path || !variable.isStatic) &&
      (usersIn(one, variable.name).length > 0 || isInRest(one, variable)),
  )
}

/** The names that stand for others in two statements that are the same otherwise; undefined when they are not. */
function exchangesOf(
  { before: { definitions: olds }, after: { definitions: youngs } }: ChangedFunctions,
  hooks: ReadonlySet<string>,
  [one, before]: readonly [Statement, Definition],
  [other, after]: readonly [Statement, Definition],
): Exchange[] | undefined {
  if (one.kind !== other.kind || one.tokens.length !== other.tokens.length) return undefined
  const [old, young] = [variablesOf(before), variablesOf(after)]
  const found: Exchange[] = []
  for (const [at, { kind, text: from }] of one.tokens.entries()) {
    const { text: to, kind: otherKind } = other.tokens[at]!
    if (from === to) continue
    if (kind !== 'name' || otherKind !== 'name' || isMember(one.tokens, at) || old.has(from) !== young.has(to))
      return undefined
    // Of other functions it is not known that they do the same.
    const isCall = [one, other].some(({ tokens }) => tokens[at + 1]?.text === '(')
    const isKnown = (olds.has(from) && youngs.has(to)) || (hooks.has(from) && hooks.has(to))
    if (isCall && !isKnown) return undefined
    if (!old.has(from)) found.push({ from, to })
  }
  return found
}

/** What takes the place of what in a function, also by way of functions that take the place of others. */
function exchangesIn(
  functions: ChangedFunctions,
  hooks: ReadonlySet<string>,
  before: Definition,
  after: Definition,
  depth = 0,
): Exchange[] {
  const { gone, come } = differenceOf(statementsOf(before.body), statementsOf(after.body))
  const left = [...come]
  return gone.flatMap((one) => {
    let exchanges: Exchange[] | undefined
    const at = left.findIndex((other) => {
      exchanges = exchangesOf(functions, hooks, [one, before], [other, after])
      return exchanges !== undefined
    })
    if (exchanges === undefined) return []
    left.splice(at, 1)
    if (says.test(one.tokens[0]?.text ?? '')) return []
    return exchanges.flatMap((exchange) => {
      const helper = functions.before.definitions.get(exchange.from)
      const heir = functions.after.definitions.get(exchange.to)
      if (helper === undefined || heir === undefined) return [exchange]
      return depth < deepest ? exchangesIn(functions, hooks, helper, heir, depth + 1) : []
    })
  })
}

/** True when a function, or one that it calls now and did not before, uses a variable. */
function reaches(side: Side, definition: Definition, name: string): boolean {
  return (
    placesOf(definition, name).length > 0 ||
    definition.body.some(({ kind, text }) => {
      const callee = kind === 'name' && text !== definition.name ? side.definitions.get(text) : undefined
      return callee !== undefined && placesOf(callee, name).length > 0
    })
  )
}

/** What cannot stand for a variable of another file. */
const isNoVariable = /^(?:[A-Z0-9_]+|null|true|false|current|jiffies\w*)$/

export function elsewhereFindings(functions: ChangedFunctions, changes: readonly FileChange[]): Found[] {
  const [old, young] = [filesOf(changes, 'before', functions.before), filesOf(changes, 'after', functions.after)]
  const variables = [old, young].flatMap(({ files }) => files.flatMap((one) => [...one.variables.values()]))
  /** Variables that lead to functions are called like them. */
  const hooks = new Set(variables.filter(({ isValue }) => isValue).map(({ name }) => name))
  const found = new Map<string, Exchange & { isNew: boolean; file: string; names: string[] }>()
  const note = (exchange: Exchange, isNew: boolean, file: string, name: string) => {
    const key = `${exchange.from} ${exchange.to}`
    const known = found.get(key) ?? { ...exchange, isNew, file, names: [] }
    known.names.push(name)
    found.set(key, known)
  }
  for (const { name, file, before, after } of functions.rewritten) {
    if (after.kind === 'macro' || isInitOrExit(after)) continue
    for (const exchange of exchangesIn(functions, hooks, before, after)) {
      const [from, was] = [variableOf(old, file, exchange.from), variableOf(old, file, exchange.to)]
      if (from === undefined || !isKept(from.file, from.variable)) continue
      const is = variableOf(young, file, exchange.to)
      // The same variable by a macro.
      if ([old, young].some(({ macros }) => macros.get(exchange.to) === exchange.from)) continue
      const isLeft = !isUsed(young, from)
      if (is !== undefined && was === undefined && !isLeft) note(exchange, true, file, name)
      else if (isLeft && was !== undefined && is !== undefined) note(exchange, false, file, name)
      else if (isLeft && was === undefined && is === undefined && isElsewhere(exchange.to, from, functions))
        note(exchange, false, file, name)
    }
  }
  // What is written otherwise, but uses a thing of the same kind where it used the one that goes.
  for (const file of old.files)
    for (const variable of file.variables.values()) {
      const from = { file, variable }
      if (variable.isValue || isUsed(young, from) || !isKept(file, variable)) continue
      for (const { name, file: path, before, after } of functions.all) {
        if (before === undefined || after === undefined || path !== file.path) continue
        if (placesOf(before, variable.name).length === 0) continue
        const heir = [...file.variables.values()].find(
          (one) =>
            one !== variable &&
            one.type === variable.type &&
            variableOf(young, path, one.name) !== undefined &&
            !reaches(functions.before, before, one.name) &&
            reaches(functions.after, after, one.name),
        )
        const isSaid = [...found.values()].some((one) => one.from === variable.name && one.names.includes(name))
        if (heir !== undefined && !isSaid) note({ from: variable.name, to: heir.name }, false, path, name)
      }
    }
  return [...found.values()].map(({ from, to, isNew, file, names }) => {
    const who = `${listed(names)} now ${new Set(names).size === 1 ? 'uses' : 'use'}`
    return foundIn(
      { name: names[0]!, file },
      isNew
        ? `${who} the new ${to} in place of ${from}, which other code still uses; what the old code has ` +
            `left in ${from} is not in ${to}`
        : `${who} ${to} in place of ${from}, which nothing uses any more; what the old code has left in ` +
            `${from} is lost to the new code`,
      { functions: names },
    )
  })
}

/** True when a name may be a variable of a file that the patch does not change, such as `system_wq`. */
function isElsewhere(name: string, { variable }: Owned, { before, library }: ChangedFunctions): boolean {
  const isPointerOrThing = !variable.isValue || variable.declaration.some(({ text }) => text === '*')
  if (!isPointerOrThing || isNoVariable.test(name) || library.alias(name) !== name) return false
  return before.definitions.get(name) === undefined && library.definition(name) === undefined
}

export const keptElsewhere = warning(
  'kept-elsewhere',
  'A variable of a file (a list, a counter, a wait queue, numbers that are given out, a workqueue) in ' +
    'whose place changed functions use another one that was there, or use a new one where others still use the old one',
  'What the old code has put into the one is not in the other: entries are not found, those who ' +
    'wait are not woken, numbers are given out again',
  'Let the new code look into both, or move what the old variable holds in a callback (INARCH_PRE_PATCH)',
  ['Documentation/livepatch/callbacks.rst: Safe updates to global data'],
  ofTexts(elsewhereFindings),
)
