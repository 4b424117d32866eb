// SPDX-License-Identifier: GPL-3.0-or-later
// What each macro that the main file defines is, line by line, and the fewest of its directives with which it is the
// same at every line that counts. An #undef or a pop_macro is as much a part of that as a #define.
import { getOrInsertComputed } from '../../ground/values/remembered.ts'
import { lastUpTo } from '../../ground/values/sorted.ts'
import { type Directive, stacksMacro, type Written } from '../written/written-lines.ts'

export interface MacroStates {
  /** The macros of which the main file says something. */
  readonly names: ReadonlySet<string>
  /** The #define or #undef that counts at a line; undefined when the main file has said nothing so far. */
  at(name: string, line: number): Directive | undefined
  /** Whether the main file has said something of it above a line. */
  isKnownAt(name: string, line: number): boolean
  /** Counts a line at which a macro must be what it is. */
  need(name: string, line: number): void
  /** A number that is the same for lines between which no directive stands. */
  between(line: number): number
  /** @param isOfHeaders whether a macro may be defined although the main file has said nothing */
  kept(isOfHeaders: (name: string) => boolean): ReadonlySet<Directive>
}

interface History {
  readonly directives: Directive[]
  /** The one that counts behind each of `directives`. */
  readonly after: (Directive | undefined)[]
  readonly stack: (Directive | undefined)[]
  /** Behind which of `directives` the macro is needed; -1 for before the first. */
  readonly needed: Set<number>
}

export function macroStates({ directives }: Written): MacroStates {
  const histories = new Map<string, History>()
  const lines: number[] = []
  for (const directive of directives) {
    const { macro, name } = directive
    if (macro === undefined) continue
    lines.push(directive.from)
    const own = getOrInsertComputed(
      histories,
      macro,
      (): History => ({ directives: [], after: [], stack: [], needed: new Set() }),
    )
    let state = own.after.at(-1)
    if (name !== 'pragma') state = directive
    else if (/^\s*push/.test(directive.argument)) own.stack.push(state)
    else if (own.stack.length > 0) state = own.stack.pop()
    own.directives.push(directive)
    own.after.push(state)
  }
  const last = (own: History, line: number): number => own.directives.findLastIndex(({ from }) => from <= line)

  return {
    names: new Set(histories.keys()),
    at(name, line) {
      const own = histories.get(name)
      return own?.after[last(own, line)]
    },
    isKnownAt(name, line) {
      const first = histories.get(name)?.directives[0]
      return first !== undefined && first.from < line
    },
    need(name, line) {
      const own = histories.get(name)
      own?.needed.add(last(own, line))
    },
    between: (line) => lastUpTo(lines, line) + 1,
    kept(isOfHeaders) {
      const kept = new Set<Directive>()
      for (const [name, own] of histories) {
        const needed = [...own.needed].sort((a, b) => a - b)
        const isStacked = own.directives.some(stacksMacro)
        let done = -1
        let isDefined = isOfHeaders(name)
        for (const at of needed) {
          if (at === done || at === -1) continue
          const state = own.after[at]
          if (isStacked) for (let one = done + 1; one <= at; one++) kept.add(own.directives[one]!)
          else if (state?.name === 'define') {
            const undef = own.directives.slice(done + 1, at).findLast((one) => one.name === 'undef')
            if (isDefined && undef !== undefined) kept.add(undef)
            kept.add(state)
          } else if (state !== undefined && isDefined) kept.add(state)
          done = at
          isDefined = state === undefined ? isOfHeaders(name) : state.name === 'define'
        }
      }
      return kept
    },
  }
}
