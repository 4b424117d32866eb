// SPDX-License-Identifier: GPL-3.0-or-later
// What is freed only after a grace period, by call_rcu(), kfree_rcu() and their kin, and was not before.

import { argumentsAt } from '../../../c/tokens/calls.ts'
import type { Token } from '../../../c/tokens/lexer.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { type Variable, variablesOf } from '../../../c/written/local-variables.ts'
import { plainly } from '../../locks/operations.ts'
import type { ChangedFunction, ChangedFunctions } from '../../subject/changed-functions.ts'

/** Calls after which a grace period passes before something is freed. */
export const defers = /^(?:call_s?rcu\w*|k?v?free_rcu\w*|queue_rcu_work)$/
/** Calls that take something from where readers find it. */
const removes = /(?:^|_)(?:del|delete|remove|unlink|unhash|erase|replace|assign)(?:_|$)/

/** What an argument leads to: as it is written, and with its variable's type in place of the variable. */
interface Thing {
  readonly path: string
  readonly typed: string
}

interface Call {
  readonly name: string
  readonly inner: readonly (readonly Token[])[]
}

function callsIn(tokens: readonly Token[]): Call[] {
  return tokens.flatMap(({ kind, text }, at): Call[] =>
    kind === 'name' && tokens[at + 1]?.text === '(' ? [{ name: text, inner: argumentsAt(tokens, at + 1) }] : [],
  )
}

/** The object that is freed later: `n` of `kfree_rcu(n, rcu)` and of `call_rcu(&n->rcu, f)`. */
function pathDeferredBy({ name, inner }: Call): string {
  if (name.includes('free_rcu')) return plainly(inner[0] ?? [])
  const head = plainly(inner[/^(?:call_srcu|queue_rcu_work)$/.test(name) ? 1 : 0] ?? [])
  return head.replace(/(?:->|\.)\w+(?:\.\w+)*$/, '')
}

function thingOf(path: string, variables: ReadonlyMap<string, Variable>): Thing {
  return { path, typed: path.replace(/^\w+/, (root) => variables.get(root)?.type ?? root) }
}

function deferredIn(definition: Definition | undefined): Thing[] {
  if (definition === undefined) return []
  const calls = callsIn(definition.body).filter(({ name }) => defers.test(name))
  if (calls.length === 0) return []
  const variables = variablesOf(definition)
  return calls.map((call) => thingOf(pathDeferredBy(call), variables))
}

/** What statements pass to the functions that they call. */
function passedIn(
  statements: readonly Statement[],
  variables: ReadonlyMap<string, Variable>,
  isMeant: (callee: string) => boolean,
): Thing[] {
  const calls = statements.flatMap(({ tokens }) => callsIn(tokens)).filter(({ name }) => isMeant(name))
  return calls.flatMap(({ inner }) => inner.map((value) => thingOf(plainly(value), variables)))
}

/** `struct b->first` and `struct b` of `struct b->first->node`: what a list's link lies in is what is removed. */
function holders({ typed }: Thing): string[] {
  const parts = typed.split(/(?=->|\.)/)
  return parts.map((_, index) => parts.slice(0, index + 1).join(''))
}

/** One that a function defers the end of, and did not before. */
export interface NewDeferral {
  readonly by: ChangedFunction
  readonly thing: Thing
}

/** The deferrals that come with the patch, and not those that only move from one function to another. */
export function newDeferrals({ all }: Pick<ChangedFunctions, 'all'>): NewDeferral[] {
  const sides = all.map((by) => ({ by, before: deferredIn(by.before), after: deferredIn(by.after) }))
  const count = (list: readonly Thing[], { typed }: Thing) => list.filter((one) => one.typed === typed).length
  const [old, young] = [sides.flatMap(({ before }) => before), sides.flatMap(({ after }) => after)]
  return sides.flatMap(({ by, before, after }) =>
    after
      .filter((thing) => count(young, thing) > count(old, thing) && count(after, thing) > count(before, thing))
      .map((thing) => ({ by, thing })),
  )
}

/**
 * True when what a function waited for is now freed by something that waits itself.
 * @param wait the statement of the function before the patch that has gone
 */
export function isDeferredNow(
  functions: ChangedFunctions,
  { name, before, after }: ChangedFunction,
  wait: Statement,
  come: readonly NewDeferral[],
): boolean {
  if (before === undefined || after === undefined || come.length === 0) return false
  const statements = statementsOf(before.body)
  const at = statements.findIndex(({ line, text }) => line === wait.line && text === wait.text)
  const variables = variablesOf(before)
  const isNoLock = (callee: string) => !/lock/.test(callee)
  const behind = statements.slice(at + 1)
  const removed = passedIn(statements.slice(0, at), variables, (callee) => removes.test(callee)).flatMap(holders)
  const known = new Set([...passedIn(behind, variables, isNoLock).map(({ typed }) => typed), ...removed])
  const { gone } = differenceOf(statements, statementsOf(after.body))
  const noLonger = passedIn(
    behind.filter((one) => gone.some(({ line, text }) => line === one.line && text === one.text)),
    variables,
    isNoLock,
  )
  return come.some(({ by, thing }) => {
    // The function itself frees later what it freed behind the wait.
    if (by.name === name) return noLonger.some(({ path, typed }) => path === thing.path || typed === thing.typed)
    return known.has(thing.typed) || (functions.calls(by.name, name) && isNoLongerPassed(by, thing))
  })
}

/** True when a function passed the thing to somebody before who frees it, perhaps, and does no longer. */
function isNoLongerPassed({ before, after }: ChangedFunction, { path }: Thing): boolean {
  if (before === undefined || after === undefined) return false
  const { gone } = differenceOf(statementsOf(before.body), statementsOf(after.body))
  return passedIn(gone, variablesOf(before), (callee) => !/lock/.test(callee)).some((one) => one.path === path)
}
