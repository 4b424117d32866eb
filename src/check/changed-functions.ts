// SPDX-License-Identifier: GPL-3.0-or-later
// Which functions of the changed files say something else after the patch, and how the functions of these files
// call each other. Every rule that reads the source begins here.
import type { FileChange } from '../patch/patch.ts'
import { closing, type Token } from '../source/lexer.ts'
import { type Definition, type Definitions, definitionsOf } from './definitions.ts'
import { emptyLibrary, type Library, libraryOf } from './library.ts'

/** A function whose tokens differ, or which only one side has. */
export interface ChangedFunction {
  readonly name: string
  /** Path of the file in the source tree. */
  readonly file: string
  readonly before?: Definition
  readonly after?: Definition
}

/** One side of the patch: all changed files together. */
export interface Side {
  readonly definitions: ReadonlyMap<string, Definition>
  /** The functions in which a function's name stands. */
  users(name: string): ReadonlySet<string>
  /** True when a name stands somewhere without being called, or outside of functions. */
  isHandedOn(name: string): boolean
  /** True when a name stands outside of functions without being declared: in a table. */
  isInTable(name: string): boolean
  /** True when the word stands anywhere in the changed files. */
  mentions(word: string): boolean
  /** What stands outside of functions: types, prototypes, tables. */
  readonly rest: readonly Token[]
  /** Structs and unions that a C file defines itself. */
  readonly ownTypes: ReadonlySet<string>
  /** Those of which something outside of functions is one, or leads to one. */
  readonly heldTypes: ReadonlySet<string>
}

export interface ChangedFunctions {
  readonly all: readonly ChangedFunction[]
  readonly before: Side
  readonly after: Side
  /** Functions that stand in other files. */
  readonly library: Library
  /**
   * True when `callee` runs only below `caller`, on either side of the patch: then one task runs both in the same world.
   */
  isBelow(callee: string, caller: string): boolean
  /** The same of several callers: each call of `callee` is below one of them. */
  isBelowAny(callee: string, callers: readonly string[]): boolean
}

export function textOf(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join(' ')
}

function sideOf(files: readonly (Definitions & { readonly path: string })[]): Side {
  const definitions = new Map<string, Definition>()
  for (const { byName } of files) for (const [name, one] of byName) definitions.set(name, one)
  const users = new Map<string, Set<string>>()
  const handedOn = new Set<string>()
  const inTable = new Set<string>()
  const words = new Set<string>()
  const note = (tokens: readonly Token[], user: string | undefined) => {
    for (const [at, { kind, text }] of tokens.entries()) {
      if (kind !== 'name') continue
      words.add(text)
      if (text === user || !definitions.has(text)) continue
      if (user !== undefined) {
        const known = users.get(text)
        if (known === undefined) users.set(text, new Set([user]))
        else known.add(user)
      }
      const isMember = tokens[at - 1]?.text === '.' || tokens[at - 1]?.text === '->'
      // A prototype, or `EXPORT_SYMBOL(f)`.
      const isDeclared = tokens[at + 1]?.text === '(' || /^EXPORT_/.test(tokens[at - 2]?.text ?? '')
      if (isDeclared || isMember) continue
      handedOn.add(text)
      if (user === undefined) inTable.add(text)
    }
  }
  for (const { byName, rest } of files) {
    for (const { name, body } of byName.values()) note(body, name)
    note(rest, undefined)
  }
  const [ownTypes, heldTypes] = [new Set<string>(), new Set<string>()]
  for (const { path, rest } of files) noteTypes(rest, path.endsWith('.c') ? ownTypes : heldTypes, heldTypes)
  const nobody: ReadonlySet<string> = new Set()
  return {
    definitions,
    users: (name) => users.get(name) ?? nobody,
    isHandedOn: (name) => handedOn.has(name),
    isInTable: (name) => inTable.has(name),
    mentions: (word) => words.has(word),
    rest: files.flatMap(({ rest }) => rest),
    ownTypes,
    heldTypes,
  }
}

/** What stands between parentheses, such as a prototype's parameters, holds nothing. */
function noteTypes(rest: readonly Token[], own: Set<string>, held: Set<string>): void {
  for (let at = 0; at < rest.length; at++) {
    const { text } = rest[at]!
    if (text === '(') at = closing(rest, at) - 1
    const name = rest[at + 1]
    if (!/^(?:struct|union)$/.test(text) || name?.kind !== 'name') continue
    const next = rest[at + 2]?.text
    if (next === ';') continue
    const set = next === '{' ? own : held
    set.add(`${text} ${name.text}`)
  }
}

/** True when every way to `callee` leads through one of the callers. */
function isOnlyBelow(
  side: Side,
  callee: string,
  callers: ReadonlySet<string>,
  seen = new Set<string>(),
): boolean {
  const definition = side.definitions.get(callee)
  if (definition === undefined) return true
  if (!definition.isPrivate && definition.kind === 'function') return false
  if (side.isHandedOn(callee)) return false
  const users = side.users(callee)
  if (users.size === 0) return false
  seen.add(callee)
  return [...users].every(
    (user) => callers.has(user) || seen.has(user) || isOnlyBelow(side, user, callers, seen),
  )
}

/** The changed C files and headers of which the kernel is made: not those of its tools, nor of other architectures. */
export function kernelFiles(changes: readonly FileChange[]): FileChange[] {
  return changes.filter(
    ({ path }) =>
      /\.[ch]$/.test(path) && !/^(?:Documentation|samples|tools|scripts|usr)\/|^arch\/(?!x86\/)/.test(path),
  )
}

/** @param changes from `applyPatches`; what is no C text of the kernel is left out */
export function changedFunctions(
  changes: readonly FileChange[],
  library: Library = emptyLibrary,
): ChangedFunctions {
  const files = kernelFiles(changes).map(({ path, before, after }) => ({
    path,
    before: { path, ...definitionsOf(before ?? '') },
    after: { path, ...definitionsOf(after ?? '') },
  }))
  const all: ChangedFunction[] = []
  for (const { path: file, before, after } of files) {
    const same = (one: Definition, other: Definition) =>
      textOf(one.body) === textOf(other.body) && textOf(one.head) === textOf(other.head)
    for (const [name, young] of after.byName) {
      const old = before.byName.get(name)
      if (old === undefined) all.push({ name, file, after: young })
      else if (!same(old, young)) all.push({ name, file, before: old, after: young })
    }
    for (const [name, old] of before.byName)
      if (!after.byName.has(name)) all.push({ name, file, before: old })
  }
  const before = sideOf(files.map((file) => file.before))
  const after = sideOf(files.map((file) => file.after))
  const isBelowAny = (callee: string, callers: readonly string[]) => {
    const set = new Set(callers)
    return !set.has(callee) && isOnlyBelow(before, callee, set) && isOnlyBelow(after, callee, set)
  }
  return {
    all,
    before,
    after,
    library,
    isBelow: (callee, caller) => isBelowAny(callee, [caller]),
    isBelowAny,
  }
}

const known = new WeakMap<readonly FileChange[], ChangedFunctions>()

/** `changedFunctions`, worked out once for all rules. */
export function changedFunctionsOf({
  changes,
  kernel,
}: {
  readonly changes: readonly FileChange[]
  readonly kernel: { readonly source: string }
}): ChangedFunctions {
  const found =
    known.get(changes) ?? changedFunctions(changes, libraryOf(kernel.source, kernelFiles(changes)))
  known.set(changes, found)
  return found
}
