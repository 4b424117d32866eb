// SPDX-License-Identifier: GPL-3.0-or-later
// The variables of a file as its text declares them, and which of them hold something from one call to the next.

import { callAround } from '../tokens/calls.ts'
import { closing, findOutside, type Token } from '../tokens/lexer.ts'
import { wordsAt } from '../tokens/names.ts'
import { statementsOf } from '../tokens/statements.ts'
import { assignment } from '../tokens/words.ts'
import { type Definition, type Definitions, definitionsOf, isInitOrExit } from './functions.ts'
import { declaredAt, variablesOf } from './local-variables.ts'

export interface FileVariable {
  readonly name: string
  /** `struct list_head`, a typedef's name, or the macro that declares it: `DEFINE_IDA`. */
  readonly type: string
  readonly isStatic: boolean
  /** A number, a flag or a pointer: what is in it is one value. */
  readonly isValue: boolean
  /** The tokens of its declaration. */
  readonly declaration: readonly Token[]
}

/** A file with its variables. */
export interface VariablesOfFile extends Definitions {
  readonly path: string
  readonly variables: ReadonlyMap<string, FileVariable>
}

/** Macros that declare a variable: `LIST_HEAD(a)`, `DEFINE_PER_CPU(int, a)`. */
const declares = /^(?:DEFINE|DECLARE)_\w+$|^[A-Z_]*_HEAD$/
/** What such macros declare that is no state, or of which locking is asked elsewhere. */
const isNoState =
  /RATELIMIT|ATTRIBUTE|EVENT|TRACE|STATIC_CALL|GUARD|_FREE$|CLASS|SPINLOCK|RWLOCK|MUTEX|SEMAPHORE|RWSEM|SEQLOCK|SEQCOUNT|^(?:raw_)?spinlock_t$|^rwlock_t$|^seq(?:lock|count\w*)_t$|^local_lock_t$|^struct (?:mutex|rt_mutex|rw_semaphore|semaphore|percpu_rw_semaphore|lock_class_key|lockdep_map|ratelimit_state|_ddebug|static_call_key)$/
/** Single words that give a variable another value without an operator. */
const writers = /^(?:WRITE_ONCE|smp_store_release|rcu_assign_pointer|RCU_INIT_POINTER|rcu_replace_pointer|swap)$/
/** Functions that fill their first argument, whatever was in it. */
const fills = /^(?:mem(?:set|cpy|move)|v?sc?n?printf|strs?cpy\w*|bitmap_(?:zero|fill|copy)|INIT_\w+|\w+_init)$/

export function variablesOfFile(path: string, text: string): VariablesOfFile {
  const definitions = definitionsOf(text)
  const variables = new Map<string, FileVariable>()
  const { rest } = definitions
  for (let start = 0; ; ) {
    const end = findOutside(rest, start, ';')
    if (end === rest.length) break
    for (const one of variablesIn(rest.slice(start, end))) variables.set(one.name, one)
    start = end + 1
  }
  return { path, ...definitions, variables }
}

function variablesIn(item: readonly Token[]): FileVariable[] {
  if (item.some(({ text }) => /^(?:extern|typedef|__init(?:data|const)\w*)$/.test(text))) return []
  const isStatic = item.some(({ text }) => text === 'static')
  const macro = item.findIndex(({ text }, at) => declares.test(text) && item[at + 1]?.text === '(')
  const equals = item.findIndex(({ text }) => text === '=')
  if (macro >= 0 && (equals < 0 || macro < equals)) {
    const end = closing(item, macro + 1) - 1
    const isPerCpu = /PER_CPU/.test(item[macro]!.text)
    const comma = item.findIndex(({ text }, at) => at > macro && text === ',')
    const name = isPerCpu ? item[comma + 1] : item[macro + 2]
    if (name?.kind !== 'name' || macro + 2 >= end) return []
    return [{ name: name.text, type: item[macro]!.text, isStatic, isValue: false, declaration: item }]
  }
  // `static int (*hook)(void)`.
  const hook = item.findIndex(({ text }, at) => text === '(' && item[at + 1]?.text === '*')
  const hooked = item[hook + 2]
  if (hook > 0 && item[hook + 3]?.text === ')' && (equals < 0 || hook < equals) && hooked?.kind === 'name')
    return [{ name: hooked.text, type: '(*)', isStatic, isValue: true, declaration: item }]
  return declaredAt(item, 0, false).map(({ name, type, pointers, isArray }) => ({
    name,
    type,
    isStatic,
    isValue: !isArray && (pointers > 0 || (!/^(?:struct|union) /.test(type) && !/head|atomic|mask/.test(type))),
    declaration: item,
  }))
}

/** Where a name of a file stands in a function, in which no variable of the function has it. */
export function placesOf(definition: Definition, name: string, tokens = definition.body): number[] {
  return variablesOf(definition).has(name) ? [] : wordsAt(tokens, name)
}

/** The functions that use a variable, without those that run only at the start or the end. */
export function usersIn({ byName }: Definitions, name: string): Definition[] {
  return [...byName.values()].filter((one) => !isInitOrExit(one) && placesOf(one, name).length > 0)
}

/** True when something outside of functions leads to a variable: a table of sysctls, a module parameter. */
export function isInRest({ rest }: Definitions, { name }: FileVariable): boolean {
  return rest.some(
    ({ text }, at) =>
      text === name &&
      (rest[at - 1]?.text === '&' ||
        (/^[(,]$/.test(rest[at - 1]?.text ?? '') && /^module_param/.test(callAround(rest, at)?.name ?? ''))),
  )
}

/** True of a variable in which one call leaves something for another one. */
export function isKept(file: VariablesOfFile, variable: FileVariable): boolean {
  const { name, declaration, type, isValue } = variable
  if (isNoState.test(type) || isConstant(declaration, name)) return false
  const users = usersIn(file, name)
  if (users.length === 0 || users.every((one) => isFilledFirst(one, name))) return false
  const everywhere = [...file.byName.values()]
  const isAssigned = everywhere.some((one) => placesOf(one, name).some((at) => isWritten(one.body, at)))
  if (isAssigned) return true
  const brace = declaration.findIndex(({ text }) => text === '{')
  if (brace > 0 && declaration[brace - 1]?.text === '=') {
    const inner = declaration.slice(brace + 1, closing(declaration, brace) - 1)
    const isEmpty = inner.length === 0 || (inner.length === 1 && inner[0]!.text === '0')
    return isEmpty || inner.some(({ text }) => /INIT|UNLOCKED/.test(text))
  }
  if (!isValue) return true
  const isLent = everywhere.some((one) => placesOf(one, name).some((at) => one.body[at - 1]?.text === '&'))
  return isLent || isInRest(file, variable)
}

/** Of `const char *name` only what it leads to is constant. */
function isConstant(declaration: readonly Token[], name: string): boolean {
  const end = declaration.findIndex(({ text }) => text === name)
  const head = declaration.slice(0, end)
  const star = head.findLastIndex(({ text }) => text === '*')
  return head.slice(star + 1).some(({ text }) => text === 'const')
}

/** True when the place that begins at `at` is assigned: `a`, `a.x`, `a[i]`. */
function isWritten(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1]?.text ?? ''
  if (/^(?:\+\+|--)$/.test(before)) return true
  if (before === '(' && writers.test(tokens[at - 2]?.text ?? '')) return true
  let end = at + 1
  for (;;) {
    if (tokens[end]?.text === '[') end = closing(tokens, end)
    else if (tokens[end]?.text === '.') end += 2
    else break
  }
  return assignment.test(tokens[end]?.text ?? '')
}

/** True when each call fills a variable before it looks into it: a buffer that one call uses. */
function isFilledFirst(definition: Definition, name: string): boolean {
  for (const { tokens, under, kind } of statementsOf(definition.body)) {
    const [first, ...others] = placesOf(definition, name, tokens)
    if (first === undefined) continue
    if (under.length > 0 || kind !== 'expression') return false
    const open = tokens[first - 1]?.text === '&' ? first - 2 : first - 1
    if (tokens[open]?.text === '(' && fills.test(tokens[open - 1]?.text ?? '')) return true
    return tokens[first + 1]?.text === '=' && first === 0 && others.length === 0
  }
  return true
}
