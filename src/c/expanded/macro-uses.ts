// SPDX-License-Identifier: GPL-3.0-or-later
// Macros as a text uses them: which definitions of the main file it needs, through whatever other macros, and what a
// macro stands for where it decorates a declaration.

import { remembered } from '../../ground/values/remembered.ts'
import { closing, partsOf, type Token, tokenize, withoutComments } from '../tokens/lexer.ts'
import type { Directive, Written } from '../written/written-lines.ts'
import type { Expanded } from './expanded-text.ts'
import { type MacroStates, macroStates } from './macro-states.ts'

export interface MacroUses {
  /** Counts what these tokens use of the macros that the main file defines, or ends. */
  collect(tokens: readonly Token[]): void
  /** Whether what these tokens stand for depends on how often `__COUNTER__` stands above them in the main file. */
  counts(tokens: readonly Token[]): boolean
  /** The same for tokens that the preprocessor has made already: what is no macro to them must be none. */
  collectSpelled(tokens: readonly Token[]): void
  /** The macros of which the main file says something, and whether it has done so above a line. */
  readonly names: ReadonlySet<string>
  isKnownAt(macro: string, line: number): boolean
  /** Counts what a macro is at a line, for a header that is included there and asks for it. */
  collectState(macro: string, line: number): void
  /** The directives of the main file by which every macro is what all that was counted uses. */
  kept(): ReadonlySet<Directive>
  /** The headers' macros that all tokens that were handed to `collect` use: lines of definitions. */
  fromHeaders(): string[]
  /** What a macro without arguments stands for, at a line of the main file; undefined when it is none. */
  meaning(name: string, line: number): string | undefined
  /** Whether it is a macro with parameters. */
  hasParameters(name: string, line: number): boolean
  /** Whether a name is a macro's at this line. */
  isMacro(name: string, line: number): boolean
}

interface Body {
  readonly parameters: readonly string[] | undefined
  readonly words: readonly string[]
  readonly text: string
}

/** Takes `(a, b) a + b` apart: what follows the name in a definition. */
function parseBody(text: string): Body {
  const tokens = tokenize(text)
  const close = tokens[0]?.text === '(' && tokens[0].start === 0 ? closing(tokens, 0) : 0
  const parameters = close === 0 ? undefined : partsOf(tokens, 1, close - 1).map(({ from }) => tokens[from]!.text)
  const own = new Set(parameters)
  const words = namesIn(tokens.slice(close)).filter((word) => !own.has(word))
  const body = withoutComments(text.slice(close === 0 ? 0 : tokens[close - 1]!.end)).trim()
  return { parameters, words: [...new Set(words)], text: body }
}

function namesIn(tokens: readonly Token[]): string[] {
  return tokens.flatMap(({ kind, text }) => (kind === 'name' ? [text] : []))
}

/** Whether `name` is made of two or more of `parts`. */
function isPasted(name: string, parts: ReadonlySet<string>, depth = 0): boolean {
  if (depth > 3) return false
  for (let length = 1; length < name.length; length++) {
    if (!parts.has(name.slice(0, length))) continue
    const rest = name.slice(length)
    if (parts.has(rest) || isPasted(rest, parts, depth + 1)) return true
  }
  return false
}

export function macroUses(written: Written, expanded: Expanded): MacroUses {
  const states: MacroStates = macroStates(written)
  const bodyOf = remembered(({ argument, macro }: Directive) =>
    parseBody(argument.slice(argument.indexOf(macro!) + macro!.length)),
  )
  const headerBody = remembered(parseBody)
  const bodiesAt = (name: string, line: number): { body: Body; directive?: Directive }[] => {
    const directive = states.at(name, line)
    if (directive?.name === 'define') return [{ body: bodyOf(directive), directive }]
    if (directive !== undefined) return []
    // The main file's own definitions are among them; those that come later don't count.
    if (states.names.has(name) && !expanded.macros.has(name)) return []
    return (expanded.macros.get(name) ?? []).map((text) => ({ body: headerBody(text) }))
  }

  const ofHeaders = new Set<string>()

  const collect = (tokens: readonly Token[]) => {
    const seen = new Set<string>()
    const words = new Set<string>()
    const literals = new Set<string>()
    let pastes = false
    const visit = (name: string, line: number, followed: boolean) => {
      if (states.names.has(name)) states.need(name, line)
      for (const { body, directive } of bodiesAt(name, line)) {
        if (body.parameters !== undefined && !followed) continue
        // What the words of a body are may be another thing at another line.
        const key = `${name} ${directive?.from ?? body.text} ${states.between(line)}`
        if (seen.has(key)) continue
        seen.add(key)
        if (directive === undefined) ofHeaders.add(name)
        if (body.text.includes('##')) {
          pastes = true
          for (const word of body.text.match(/\w+/g) ?? []) literals.add(word)
        }
        for (const word of body.words) visit(word, line, true)
      }
    }
    for (let index = 0; index < tokens.length; index++) {
      const { kind, text, line } = tokens[index]!
      if (kind === 'name') visit(text, line, tokens[index + 1]?.text === '(')
      if (kind === 'name' || kind === 'number') words.add(text)
    }
    if (!pastes || tokens.length === 0) return
    for (const word of literals) words.add(word)
    const { line } = tokens.at(-1)!
    for (const name of states.names) if (isPasted(name, words)) visit(name, line, true)
  }

  return {
    counts(tokens) {
      const seen = new Set<string>()
      const isCounted = (word: string, line: number): boolean => {
        if (word === '__COUNTER__') return true
        const directive = states.at(word, line)
        if (directive?.name !== 'define' || seen.has(word)) return false
        seen.add(word)
        return bodyOf(directive).words.some((inner) => isCounted(inner, line))
      }
      return tokens.some(({ kind, text, line }) => kind === 'name' && isCounted(text, line))
    },
    collectSpelled(tokens) {
      for (const { kind, text, line } of tokens)
        if (kind === 'name' && states.names.has(text) && states.at(text, line)?.name !== 'define')
          states.need(text, line)
    },
    names: states.names,
    isKnownAt: states.isKnownAt,
    collectState: (macro, line) =>
      collect([
        { kind: 'name', text: macro, start: 0, end: 0, line },
        { kind: 'punctuator', text: '(', start: 0, end: 0, line },
      ]),
    kept: () => states.kept((name) => expanded.ofHeaders.has(name)),
    fromHeaders: () =>
      [...expanded.macros]
        .filter(([name]) => ofHeaders.has(name) && !expanded.predefined.has(name))
        .map(([name, texts]) => `#define ${name}${texts.at(-1)!}\n`),
    isMacro: (name, line) => {
      const directive = states.at(name, line)
      return directive === undefined ? expanded.macros.has(name) : directive.name === 'define'
    },
    hasParameters: (name, line) => bodiesAt(name, line)[0]?.body.parameters !== undefined,
    meaning(name, line) {
      const seen = new Set<string>()
      const expand = (word: string): string | undefined => {
        if (seen.has(word)) return undefined
        const [first] = bodiesAt(word, line)
        if (first === undefined) return undefined
        seen.add(word)
        const body = first.body.text
        let text = ''
        let from = 0
        for (const { kind, text: inner, start, end } of tokenize(body)) {
          text += body.slice(from, start) + ((kind === 'name' ? expand(inner) : undefined) ?? inner)
          from = end
        }
        seen.delete(word)
        return text
      }
      return expand(name)
    },
    collect,
  }
}
