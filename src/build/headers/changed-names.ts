// SPDX-License-Identifier: GPL-3.0-or-later
// Which names a change to a header changes, and which files can need one of them: by name, or through
// macros and inline functions of other headers that do. All by words, before any preprocessing; a name
// that a macro may paste together counts as used where its pieces are.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Declaration, splitDeclarations } from '../../c/written/declarations.ts'
import { remembered } from '../../ground/values/remembered.ts'
import type { FileChange } from '../../patch/patch.ts'
import type { Survey } from './survey.ts'
import { canPaste, type Paste } from './token-pasting.ts'

/** The texts of `all` that are not in `others`, each as often as it is missing there. */
function missing(all: readonly Declaration[], others: readonly Declaration[]): Set<Declaration> {
  const count = new Map<string, number>()
  for (const { text } of others) count.set(text, (count.get(text) ?? 0) + 1)
  return new Set(
    all.filter(({ text }) => {
      const left = count.get(text) ?? 0
      count.set(text, left - 1)
      return left <= 0
    }),
  )
}

/**
 * How a name is used where it matters. `call`: a macro with parameters, expanded only before a parenthesis.
 * `function`: not where types are declared, unless one is derived from a call (`typeof`, `sizeof`).
 */
type Use = 'call' | 'function' | 'any'

function useOf(one: Declaration): Use {
  if (one.kind === 'function') return 'function'
  return one.kind === 'macro' && /^#\s*define\s+\w+\(/.test(one.text) ? 'call' : 'any'
}

/** Names with the use that matters, once for each. */
export class Names {
  private readonly known = new Set<string>()

  add(name: string, use: Use): void {
    this.known.add(`${use} ${name}`)
  }

  get size(): number {
    return this.known.size
  }

  /** Also those that are added meanwhile. */
  *all(): Iterable<{ readonly name: string; readonly use: Use }> {
    for (const entry of this.known) {
      const at = entry.indexOf(' ')
      yield { use: entry.slice(0, at) as Use, name: entry.slice(at + 1) }
    }
  }
}

/** A declaration's text without these macros, which are defined within it, as flags are beside their member. */
function withoutMacros(one: Declaration, macros: readonly Declaration[]): string {
  return macros.reduce((text, macro) => text.replace(` ${macro.text} `, () => ' '), one.text)
}

/**
 * Takes out what is the same but for the macros within it that change: those have names of their own.
 * @returns the text that both sides have of what was taken out
 */
function dropUnchanged(removed: Set<Declaration>, added: Set<Declaration>): Map<Declaration, string> {
  const common = new Map<Declaration, string>()
  const macrosOf = (set: ReadonlySet<Declaration>) =>
    [...set].filter(({ kind }) => kind === 'macro').sort((one, other) => other.text.length - one.text.length)
  const [gone, come] = [macrosOf(removed), macrosOf(added)]
  for (const one of gone.length + come.length === 0 ? [] : [...removed]) {
    const text = withoutMacros(one, gone)
    const same = [...added].find((other) => other.kind === one.kind && withoutMacros(other, come) === text)
    if (one.kind === 'macro' || same === undefined) continue
    for (const [set, side] of [
      [removed, one],
      [added, same],
    ] as const) {
      set.delete(side)
      common.set(side, text)
    }
  }
  return common
}

/**
 * The names whose declarations differ, when that is all that a change to a header does.
 * @returns undefined when it may matter to a unit that uses none of them: another #include or condition,
 *   data, another order
 */
export function changedNames(change: FileChange, isMacro: (name: string) => boolean): Names | undefined {
  if (change.before === undefined || change.after === undefined) return undefined
  const before = splitDeclarations(change.before, isMacro)
  const after = splitDeclarations(change.after, isMacro)
  if (before === undefined || after === undefined) return undefined
  const removed = missing(before, after)
  const added = missing(after, before)
  const common = dropUnchanged(removed, added)
  const kept = (all: readonly Declaration[], less: ReadonlySet<Declaration>) =>
    all.filter((one) => !less.has(one)).map((one) => common.get(one) ?? one.text)
  if (kept(before, removed).join('\n') !== kept(after, added).join('\n')) return undefined
  const names = new Names()
  for (const one of [...removed, ...added]) {
    if (one.kind === 'code' || one.kind === 'directive' || one.names.length === 0) return undefined
    for (const name of one.names) names.add(name, useOf(one))
  }
  return names
}

/** Names that are followed at most; when there are more, most files need one of them. */
const mostNames = 600

/** Where a name is looked for in a declaration. */
function expressionFor(name: string, use: Use): RegExp {
  return new RegExp(use === 'call' ? `\\b${name}\\s*\\(` : `\\b${name}\\b`)
}

function uses(one: Declaration, expression: RegExp, use: Use): boolean {
  if (!expression.test(one.text)) return false
  return use !== 'function' || !/^(?:type|prototype)$/.test(one.kind) || /typeof|sizeof/.test(one.text)
}

/**
 * The files whose text needs one of the names, itself or through what other headers declare: C files, and
 * headers of which that can't be told for one declaration alone.
 * @param source the source tree
 * @param names grow by those through which they are needed
 * @returns undefined when there are too many ways to follow
 */
export function filesThatNeed(source: string, survey: Survey, names: Names): Set<string> | undefined {
  const found = new Set<string>()
  const parsed = new Map<string, readonly Declaration[] | undefined>()
  const declarationsOf = (file: string) => {
    if (!parsed.has(file)) {
      const text = readFileSync(path.join(source, file), 'latin1')
      parsed.set(file, splitDeclarations(text, survey.isMacro))
    }
    return parsed.get(file)
  }
  /** Takes each use of a name that passes, in C files and in what headers declare. */
  const follow = (
    name: string,
    use: Use,
    passes: (isWord: (piece: string) => boolean, one?: Declaration) => boolean,
  ) => {
    const expression = expressionFor(name, use)
    for (const file of survey.filesWith(name)) {
      if (found.has(file)) continue
      const declarations = /\.[cS]$/.test(file) ? undefined : declarationsOf(file)
      if (declarations === undefined) {
        if (passes((piece) => survey.filesWith(piece).includes(file))) found.add(file)
        continue
      }
      const within = declarations.filter((one) => one.kind === 'macro' && one.names.includes(name))
      for (const whole of declarations) {
        if (whole.names.includes(name)) continue
        // That a struct has the macro's definition between its members is no use of it.
        const one = within.length === 0 ? whole : { ...whole, text: withoutMacros(whole, within) }
        if (!uses(one, expression, use)) continue
        if (!passes((piece) => new RegExp(`\\b${piece}\\b`).test(one.text), one)) continue
        if (one.names.length === 0) found.add(file)
        else for (const user of one.names) names.add(user, useOf(one))
      }
    }
  }
  const exists = remembered((piece: string) => survey.filesWith(piece).length > 0)
  const followPaste = (paste: Paste, name: string) => {
    // Cheaply first: are there such words at all?
    if (!canPaste(paste, name, exists)) return
    // A macro that hands its own arguments on is a way of its own.
    follow(paste.macro, 'call', (isWord, one) => one?.kind !== 'macro' && canPaste(paste, name, isWord))
    // What needs no argument is made wherever the macro stands.
    if (canPaste(paste, name, () => false)) names.add(paste.macro, 'call')
  }
  for (const { name, use } of names.all()) {
    if (names.size > mostNames) return undefined
    follow(name, use, () => true)
    for (const paste of survey.pastes) followPaste(paste, name)
  }
  return found
}
