// SPDX-License-Identifier: GPL-3.0-or-later
// A variable of a file that only the new code has: an index beside a list, a count of what is registered. One changed
// function fills it, and another one decides by it. What was there before the live patch came is not in it.

import { partsBetween, valueFrom, withoutParentheses } from '../../../c/tokens/brackets.ts'
import { argumentsAt, callAround } from '../../../c/tokens/calls.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { isNamed, wordsAt } from '../../../c/tokens/names.ts'
import { differenceOf, type Statement, statementsOf } from '../../../c/tokens/statements.ts'
import { isKept, variablesOfFile } from '../../../c/written/file-variables.ts'
import type { Definition } from '../../../c/written/functions.ts'
import { parametersOf, variablesOf } from '../../../c/written/local-variables.ts'
import { listed } from '../../../ground/listed.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { withHelpers } from '../../locks/operations.ts'
import { type ChangedFunctions, type Side, textOf } from '../../subject/changed-functions.ts'
import { kernelFiles } from '../../subject/kernel-files.ts'
import type { Found } from '../../subject/rule.ts'
import { says } from '../reading/known-callees.ts'

/** Calls that put something into a container. */
const fills =
  /^(?:(?:xa|idr|radix_tree|maple_tree|mtree|rhashtable|rhltable|rb|hash|h?list|llist|plist)_(?:\w*_)?(?:add|insert|store|alloc|link|replace|cmpxchg|move)\w*|__?(?:xa|rb)_(?:store|insert|alloc|add)\w*|_*(?:test_and_)?set_bit|bitmap_set|cpumask_set_cpu|rb_link_node\w*|list_splice\w*)$/
/** Calls that count something in. */
const countsIn =
  /^(?:(?:atomic|atomic64|atomic_long)_(?:inc|add|fetch_inc|fetch_add)\w*|refcount_inc\w*|percpu_counter_(?:inc|add)\w*|static_branch_(?:slow_)?inc\w*|this_cpu_inc|this_cpu_add)$/
const countsOut =
  /^(?:(?:atomic|atomic64|atomic_long)_(?:dec|sub|fetch_dec|fetch_sub)\w*|refcount_dec\w*|percpu_counter_(?:dec|sub)\w*|static_branch_(?:slow_)?dec\w*|this_cpu_dec|this_cpu_sub)$/
/** Names of what puts an object where others find it. */
const registers =
  /^(?:h?list_\w*add\w*|hash_add\w*|xa_(?:store|insert|alloc)\w*|idr_alloc\w*|rhashtable_\w*insert\w*|rb_(?:link_node|add)\w*|\w*register\w*)$/

/** The variables of files that keep something, and which the old files do not mention at all. */
function newVariables({ before }: ChangedFunctions, changes: readonly FileChange[]): string[] {
  const names = kernelFiles(changes).flatMap(({ path, after }) => {
    const file = variablesOfFile(path, after ?? '')
    return [...file.variables.values()].flatMap((one) =>
      !before.mentions(one.name) && isKept(file, one) ? [one.name] : [],
    )
  })
  return [...new Set(names)]
}

/** A side of a function: itself, and the helpers that only this side has. */
interface Text {
  readonly definitions: readonly Definition[]
  /** What the other side has not got. */
  readonly come: readonly Statement[]
  readonly all: readonly Statement[]
  /** The texts of the other side's statements. */
  readonly known: ReadonlySet<string>
  /** The other side goes through something that this one leaves alone. */
  readonly losesLoop: boolean
}

type Way = 'in' | 'out' | 'put' | 'flag'

/** How a statement changes a variable. */
function waysOf({ tokens }: Statement, name: string, parameters: ReadonlySet<string>): Way[] {
  return wordsAt(tokens, name).flatMap((at): Way[] => {
    const [before, behind] = [tokens[at - 1]?.text ?? '', tokens[at + 1]?.text ?? '']
    if (before === '++' || behind === '++' || behind === '+=') return ['in']
    if (before === '--' || behind === '--' || behind === '-=') return ['out']
    const call = callAround(tokens, at)
    if (call !== undefined && countsIn.test(call.name)) return ['in']
    if (call !== undefined && countsOut.test(call.name)) return ['out']
    if (call !== undefined && fills.test(call.name)) return ['put']
    const end = behind === '[' ? closing(tokens, at + 1) : at + 1
    const isStored = call?.index === 0 && /^(?:WRITE_ONCE|rcu_assign_pointer|smp_store_release)$/.test(call.name)
    if (tokens[end]?.text !== '=' && !isStored) return []
    const value = isStored ? (argumentsAt(tokens, call.open)[1] ?? []) : valueFrom(tokens, end + 1)
    const texts = value.map(({ text }) => text)
    if (texts.includes(name)) return texts.includes('+') ? ['in'] : texts.includes('-') ? ['out'] : []
    if (/^(?:true|1)$/.test(texts.join(' '))) return ['flag']
    return value.length > 0 && parameters.has(value.find(({ kind }) => kind === 'name')?.text ?? '') ? ['put'] : []
  })
}

function pointersGiven(definition: Definition): ReadonlySet<string> {
  return new Set(parametersOf(definition).flatMap(({ name, pointers }) => (pointers > 0 ? [name] : [])))
}

/** Names of a function that stand for what was found in the variable: `e` of `e = xa_load(&V, key)`. */
function answersOf(all: readonly Statement[], name: string): ReadonlySet<string> {
  const found = new Set<string>()
  for (const { tokens } of all) {
    const equals = tokens.findIndex(({ text }) => text === '=')
    if (equals > 0 && wordsAt(tokens, name).some((at) => at > equals)) found.add(tokens[equals - 1]!.text)
  }
  return found
}

/** True of what holds when nothing is found: `!V`, `!e`, `e == NULL`, `list_empty(&V)`, `V < 1`. */
function asksForNothing(part: readonly Token[], names: ReadonlySet<string>): boolean {
  if (!isNamedAny(part, names)) return false
  const text = textOf(part)
  if (/empty|IS_ERR/i.test(text)) return !text.startsWith('!')
  if (text.startsWith('! ')) return !text.startsWith('! !')
  return /(?:==|<=?) (?:NULL|0|1|- \w+)$/.test(text)
}

function isNamedAny(tokens: readonly Token[], names: ReadonlySet<string>): boolean {
  return [...names].some((name) => isNamed(tokens, name))
}

function partsOf(tokens: readonly Token[]): (readonly Token[])[] {
  const inner = tokens[1]?.text === '(' ? tokens.slice(2, -1) : tokens
  const whole = inner.filter(({ text }) => !/^(?:unlikely|likely)$/.test(text))
  return partsBetween(whole).map(withoutParentheses)
}

/** True when a function now leaves, does less, or answers, by what is not in the variable. */
function decidesBy({ come, all, known, losesLoop }: Text, name: string, isCount: boolean): boolean {
  const names = new Set([name, ...answersOf(all, name)])
  return come.some((one) => {
    const { kind, tokens } = one
    if (!isNamedAny(tokens, names)) return false
    // `return xa_load(&V, key);` in place of what was looked through before.
    if (kind === 'exit')
      return (
        tokens[0]?.text === 'return' &&
        !one.under.some(({ tokens: outer }) => outer.some(({ text }) => names.has(text))) &&
        wordsAt(tokens, name).some((at) => !fills.test(callAround(tokens, at)?.name ?? ''))
      )
    if (kind === 'loop') return losesLoop && isNamed(tokens, name)
    if (kind !== 'condition') return false
    const isForNothing = partsOf(tokens).some((part) => asksForNothing(part, names))
    const inner = all.filter(({ under }) => under.includes(one))
    if (inner.every(({ tokens: its }) => says.test(its[0]?.text ?? ''))) return false
    const leaves = inner.some(({ kind: its, under }) => its === 'exit' && under.at(-1) === one)
    if (leaves) return isForNothing || isCount || losesLoop
    // What was done always is done only where something was found.
    return !isForNothing && inner.some(({ text, kind: its }) => its !== 'exit' && known.has(text))
  })
}

export function newVariableFindings(functions: ChangedFunctions, changes: readonly FileChange[]): Found[] {
  const variables = newVariables(functions, changes)
  if (variables.length === 0) return []
  const all = functions.rewritten.map(({ name, file, before, after }) => {
    return { name, file, text: textsOf(functions.after, functions.before, before, after) }
  })
  return variables.flatMap((variable): Found[] => {
    const ways = all.map((one) => ({ ...one, ways: waysIn(one.text, variable) }))
    for (const maker of ways) {
      const isCount = maker.ways.has('in')
      // What is counted in by one function is counted out by another one: it counts objects, not events.
      const isCountedOut = isCount && ways.some((one) => one !== maker && one.ways.has('out'))
      const isOfObjects = () =>
        maker.text.all.some(({ tokens }) => tokens.some(({ text: word }) => registers.test(word)))
      const isFilled = (isCount || maker.ways.has('flag')) && (isCountedOut || isOfObjects())
      if (!isFilled && !maker.ways.has('put')) continue
      const users = all.filter(
        (user) =>
          user.name !== maker.name &&
          functions.areApart(user.name, maker.name) &&
          decidesBy(user.text, variable, isCount),
      )
      if (users.length === 0) continue
      const names = users.map(({ name }) => name)
      return [
        {
          symbol: users[0]!.name,
          unit: users[0]!.file,
          functions: [maker.name, ...names],
          message:
            `${maker.name} now fills the new variable ${variable}, and ${listed(names)} now ` +
            `${users.length === 1 ? 'decides' : 'decide'} by it; what came before the live patch is not in ${variable}`,
          hint:
            `Let the new code look where the old code has put things as well, or fill ${variable} in a ` +
            'callback (INARCH_PRE_PATCH)',
        },
      ]
    }
    return []
  })
}

function textsOf(side: Side, other: Side, before: Definition, after: Definition): Text {
  const definitions = withHelpers(side, after, other)
  const old = statementsOf(before.body)
  const own = statementsOf(after.body)
  const { gone, come } = differenceOf(old, own)
  const helpers = definitions.slice(1).flatMap(({ body }) => statementsOf(body))
  return {
    definitions,
    come: [...come, ...helpers],
    all: [...own, ...helpers],
    known: new Set(old.map(({ text }) => text)),
    losesLoop: gone.some(({ kind }) => kind === 'loop'),
  }
}

function waysIn({ definitions }: Text, variable: string): ReadonlySet<Way> {
  return new Set(
    definitions.flatMap((one) =>
      variablesOf(one).has(variable)
        ? []
        : statementsOf(one.body).flatMap((statement) => waysOf(statement, variable, pointersGiven(one))),
    ),
  )
}
