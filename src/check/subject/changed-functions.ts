// SPDX-License-Identifier: GPL-3.0-or-later
// Which functions of the changed files say something else after the patch, and how the functions of these files
// call each other. Every rule that reads the source begins here.

import { closing, type Token } from '../../c/tokens/lexer.ts'
import { isMember } from '../../c/tokens/names.ts'
import { type Definition, type Definitions, definitionsOf, partsThatChange } from '../../c/written/functions.ts'
import { expanded, type Macros, macrosThatChange } from '../../c/written/macro-expansion.ts'
import { addToSet } from '../../ground/values/grouped.ts'
import type { FileChange } from '../../patch/patch.ts'
import { emptyLibrary, type Library, libraryOf, type SourceFile } from './callee-bodies.ts'
import { type ChangedName, changedNames, constantNumbers } from './changed-names.ts'
import { FixFacts } from './fix-facts.ts'
import { kernelFiles } from './kernel-files.ts'

/** A function whose tokens differ, or which only one side has. */
export interface ChangedFunction {
  readonly name: string
  /** Path of the file in the source tree. */
  readonly file: string
  readonly before?: Definition
  readonly after?: Definition
  /** True for a macro that is put into the functions which use it: what it does is told of them. */
  readonly isPutIn?: boolean
}

/** A function that both sides have, and that is no macro whose change is told of those who use it. */
export type RewrittenFunction = ChangedFunction & {
  readonly before: Definition
  readonly after: Definition
}

/** One side of the patch: all changed files together. */
export interface Side {
  readonly definitions: ReadonlyMap<string, Definition>
  /** The path of the file in which a function of `definitions` stands. */
  fileOf(name: string): string | undefined
  /** The functions in which a function's name stands. */
  users(name: string): ReadonlySet<string>
  /** True when a name stands somewhere without being called, or outside of functions. */
  isAddressTaken(name: string): boolean
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
  /** Those of them that are old and new at once. */
  readonly rewritten: readonly RewrittenFunction[]
  readonly before: Side
  readonly after: Side
  /** Names with another value. */
  readonly constants: readonly ChangedName[]
  /** The numbers for which names of these files stand, on each side. */
  readonly numbers: Readonly<Record<'before' | 'after', ReadonlyMap<string, bigint>>>
  /** Functions that stand in other files. */
  readonly library: Library
  /** What is found out about these functions. */
  readonly facts: FixFacts
  /**
   * True when `callee` runs only below `caller`, on either side of the patch: then one task runs both in one patch
   * state.
   */
  isBelow(callee: string, caller: string): boolean
  /** The same of several callers: each call of `callee` is below one of them. */
  isBelowAny(callee: string, callers: readonly string[]): boolean
  /**
   * True when neither of two functions runs only below the other one: an object can meet the old code in one and the
   * new code in the other.
   */
  areApart(one: string, other: string): boolean
  /** True when a function calls another one, on either side, straight or through others of the changed files. */
  calls(caller: string, callee: string): boolean
}

export function textOf(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join(' ')
}

/** One side of a file, with the macros put in that the patch changes. */
interface FileSide extends Omit<Definitions, 'repeated'> {
  readonly path: string
  readonly isChanged: boolean
}

function sideOf(files: readonly FileSide[]): Side {
  const definitions = new Map<string, Definition>()
  const homes = new Map<string, string>()
  // The changed files come first; a function of the same name in a file that only uses their macros is another one.
  for (const { byName, isChanged, path } of files)
    for (const [name, one] of byName) {
      if (!isChanged && definitions.has(name)) continue
      definitions.set(name, one)
      homes.set(name, path)
    }
  const users = new Map<string, Set<string>>()
  const taken = new Set<string>()
  const inTable = new Set<string>()
  const words = new Set<string>()
  const note = (tokens: readonly Token[], user: string | undefined) => {
    for (const [at, { kind, text }] of tokens.entries()) {
      if (kind !== 'name') continue
      words.add(text)
      if (text === user || !definitions.has(text)) continue
      if (user !== undefined) addToSet(users, text, user)
      // A prototype, or `EXPORT_SYMBOL(f)`.
      const isDeclared = tokens[at + 1]?.text === '(' || /^EXPORT_/.test(tokens[at - 2]?.text ?? '')
      if (isDeclared || isMember(tokens, at)) continue
      taken.add(text)
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
    fileOf: (name) => homes.get(name),
    users: (name) => users.get(name) ?? nobody,
    isAddressTaken: (name) => taken.has(name),
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
function isOnlyBelow(side: Side, callee: string, callers: ReadonlySet<string>, seen = new Set<string>()): boolean {
  const definition = side.definitions.get(callee)
  if (definition === undefined) return true
  if (!definition.isPrivate && definition.kind === 'function') return false
  if (side.isAddressTaken(callee)) return false
  const users = side.users(callee)
  if (users.size === 0) return false
  seen.add(callee)
  return [...users].every((user) => callers.has(user) || seen.has(user) || isOnlyBelow(side, user, callers, seen))
}

/** Of a function that each side defines as often, as for two configurations, the definition counts that changes. */
function withChangedDefinitions(before: Definitions, after: Definitions): [Definitions, Definitions] {
  const [old, young] = [new Map(before.byName), new Map(after.byName)]
  const says = ({ head, body }: Definition) => `${textOf(head)} { ${textOf(body)} }`
  for (const [name, list] of after.repeated) {
    const others = before.repeated.get(name) ?? []
    if (others.length !== list.length) continue
    const at = list.findLastIndex((one, index) => says(one) !== says(others[index]!))
    if (at < 0) continue
    old.set(name, others[at]!)
    young.set(name, list[at]!)
  }
  return [
    { ...before, byName: old },
    { ...after, byName: young },
  ]
}

/** A file's text as definitions, with the macros put in that the patch changes. */
function sideOfFile(path: string, read: Definitions, macros: Macros, isChanged: boolean): FileSide {
  const byName = new Map([...read.byName].map(([name, one]) => [name, expanded(one, macros)]))
  return { path, byName, rest: read.rest, isChanged }
}

/**
 * @param changes from `applyPatches`; what is no C text of the kernel is left out
 * @param units paths of C files that include the changed headers, as far as they are known
 */
export function changedFunctions(
  changes: readonly FileChange[],
  library: Library = emptyLibrary,
  units: readonly string[] = [],
  facts = new FixFacts(),
): ChangedFunctions {
  const texts = kernelFiles(changes).map(({ path, before = '', after = '' }) => {
    const chosen = partsThatChange(before, after)
    const [old, young] = withChangedDefinitions(definitionsOf(before, chosen), definitionsOf(after, chosen))
    return { path, before: { text: before, definitions: old }, after: { text: after, definitions: young } }
  })
  const macros = macrosThatChange(
    texts.map(({ before }) => before),
    texts.map(({ after }) => after),
  )
  const files = texts.map(({ path, before, after }) => ({
    path,
    before: sideOfFile(path, before.definitions, macros.before, true),
    after: sideOfFile(path, after.definitions, macros.after, true),
  }))
  const constants = changedNames(changes)
  const usable = [...macros.names, ...constants.map(({ name }) => name)]
  const inHeaders = texts
    .filter(({ path }) => path.endsWith('.h'))
    .flatMap(({ after }) => usable.filter((name) => after.text.includes(name)))
  for (const { path, text } of filesThatUse(inHeaders, library, units)) {
    const read = definitionsOf(text)
    files.push({
      path,
      before: sideOfFile(path, read, macros.before, false),
      after: sideOfFile(path, read, macros.after, false),
    })
  }
  const putIn = namesPutIn(files, macros.after)
  const all: ChangedFunction[] = []
  for (const { path: file, before, after } of files) {
    const same = (one: Definition, other: Definition) =>
      textOf(one.body) === textOf(other.body) &&
      textOf(one.head) === textOf(other.head) &&
      `${one.parameters}` === `${other.parameters}`
    for (const [name, young] of after.byName) {
      const old = before.byName.get(name)
      if (old === undefined) all.push({ name, file, after: young })
      else if (!same(old, young))
        all.push({
          name,
          file,
          before: old,
          after: young,
          ...(young.kind === 'macro' && putIn.has(name) ? { isPutIn: true } : {}),
        })
    }
    for (const [name, old] of before.byName) if (!after.byName.has(name)) all.push({ name, file, before: old })
  }
  const before = sideOf(files.map((file) => file.before))
  const after = sideOf(files.map((file) => file.after))
  const isBelowAny = (callee: string, callers: readonly string[]) => {
    const set = new Set(callers)
    return !set.has(callee) && isOnlyBelow(before, callee, set) && isOnlyBelow(after, callee, set)
  }
  const isBelow = (callee: string, caller: string) => isBelowAny(callee, [caller])
  const calls = (caller: string, callee: string, seen = new Set<string>()): boolean =>
    [...before.users(callee), ...after.users(callee)].some(
      (user) => user === caller || (!seen.has(user) && calls(caller, user, seen.add(user))),
    )
  return {
    all,
    rewritten: all.filter(isRewritten),
    before,
    after,
    constants,
    numbers: { before: constantNumbers(changes, 'before'), after: constantNumbers(changes, 'after') },
    library,
    facts,
    isBelow,
    isBelowAny,
    areApart: (one, other) => !isBelow(one, other) && !isBelow(other, one),
    calls,
  }
}

function isRewritten(one: ChangedFunction): one is RewrittenFunction {
  return one.before !== undefined && one.after !== undefined && one.isPutIn !== true
}

/** The macros that functions use, straight or through each other. */
function namesPutIn(files: readonly { readonly after: FileSide }[], macros: Macros): Set<string> {
  const found = new Set<string>()
  const note = (tokens: readonly Token[]) => {
    for (const { kind, text } of tokens) {
      const macro = kind === 'name' && !found.has(text) ? macros.get(text) : undefined
      if (macro === undefined) continue
      found.add(text)
      note(macro.body)
    }
  }
  for (const { after } of files) for (const { written } of after.byName.values()) note(written ?? [])
  return found
}

/** The C files that use one of the names: those beside the changed headers, and the units. */
function filesThatUse(names: readonly string[], library: Library, units: readonly string[]): readonly SourceFile[] {
  if (names.length === 0) return []
  const word = new RegExp(`(?<!\\w)(?:${[...new Set(names)].join('|')})(?!\\w)`)
  return library.usersOfHeaders(units).filter(({ text }) => word.test(text))
}

/** A fix whose texts are read. */
export interface ReadFix {
  readonly changes: readonly FileChange[]
  readonly kernel: { readonly source: string }
  /** The units that the changes concern; what stands in changed headers is looked for in them. */
  readonly units: readonly { readonly unit: { readonly source: string } }[]
  readonly facts: FixFacts
}

/** `changedFunctions` of a fix, worked out once. */
export function changedFunctionsOf(fix: ReadFix): ChangedFunctions {
  return fix.facts.once(read, fix.changes, fix)
}

function read(changes: readonly FileChange[], { kernel, units, facts }: ReadFix): ChangedFunctions {
  const library = libraryOf(kernel.source, kernelFiles(changes))
  return changedFunctions(
    changes,
    library,
    units.map(({ unit }) => unit.source),
    facts,
  )
}
