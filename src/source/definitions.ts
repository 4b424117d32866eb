// SPDX-License-Identifier: GPL-3.0-or-later
// Macros as a text uses them: which definitions of the main file it needs, through whatever other macros, and what a macro
// stands for where it decorates a declaration.
import type { Expanded } from './expanded.ts'
import { type Token, wordsOf } from './lexer.ts'
import type { Directive, Written } from './written.ts'

export interface Definitions {
  /** Adds the definitions of the main file that these tokens use to `into`. */
  collect(tokens: readonly Token[], into: Set<Directive>): void
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
  const plain = text
    .replace(/\\\r?\n/g, ' ')
    .replace(/"(?:[^"\\\n]|\\.)*"|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (part) =>
      part.startsWith('"') ? part : ' ',
    )
  const parameters = /^\(([^)]*)\)/.exec(plain)
  const body = parameters === null ? plain : plain.slice(parameters[0].length)
  const names =
    parameters === null
      ? undefined
      : parameters[1]!.split(',').map((name) => name.trim().replace(/\s*\.\.\.$/, ''))
  const own = new Set(names)
  const words = wordsOf(body.replace(/"(?:[^"\\\n]|\\.)*"/g, ' ')).filter((word) => !own.has(word))
  return { parameters: names, words: [...new Set(words)], text: body.trim() }
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

export function definitionsOf(written: Written, expanded: Expanded): Definitions {
  const own = new Map<string, Directive[]>()
  for (const directive of written.directives) {
    if (directive.macro === undefined) continue
    const list = own.get(directive.macro)
    if (list === undefined) own.set(directive.macro, [directive])
    else list.push(directive)
  }
  const bodies = new Map<Directive | string, Body>()
  const bodyOf = (directive: Directive): Body => {
    let body = bodies.get(directive)
    if (body === undefined) {
      const start = directive.argument.indexOf(directive.macro!) + directive.macro!.length
      body = parseBody(directive.argument.slice(start))
      bodies.set(directive, body)
    }
    return body
  }
  const headerBody = (text: string): Body => {
    let body = bodies.get(text)
    if (body === undefined) {
      body = parseBody(text)
      bodies.set(text, body)
    }
    return body
  }
  /** The directive of the main file that governs a name at a line. */
  const governing = (name: string, line: number): Directive | undefined => {
    let found: Directive | undefined
    for (const directive of own.get(name) ?? []) if (directive.from <= line) found = directive
    return found
  }
  const bodiesAt = (name: string, line: number): { body: Body; directive?: Directive }[] => {
    const directive = governing(name, line)
    if (directive?.name === 'define') return [{ body: bodyOf(directive), directive }]
    // The main file's own definitions are among them; those that come later don't count.
    if (directive === undefined && own.has(name) && !expanded.macros.has(name)) return []
    return (expanded.macros.get(name) ?? []).map((text) => ({ body: headerBody(text) }))
  }

  const ofHeaders = new Set<string>()

  return {
    fromHeaders: () =>
      [...expanded.macros]
        .filter(([name]) => ofHeaders.has(name) && !expanded.predefined.has(name))
        .map(([name, texts]) => `#define ${name}${texts.at(-1)!}\n`),
    isMacro: (name, line) => {
      const directive = governing(name, line)
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
        const text = first.body.text.replace(/[A-Za-z_$][\w$]*/g, (inner) => expand(inner) ?? inner)
        seen.delete(word)
        return text
      }
      return expand(name)
    },
    collect(tokens, into) {
      const seen = new Set<string | Directive>()
      const words = new Set<string>()
      const literals = new Set<string>()
      let pastes = false
      const visit = (name: string, line: number, followed: boolean) => {
        for (const { body, directive } of bodiesAt(name, line)) {
          if (body.parameters !== undefined && !followed) continue
          const key = directive ?? `${name} ${body.text}`
          if (seen.has(key)) continue
          seen.add(key)
          if (directive !== undefined) into.add(directive)
          else ofHeaders.add(name)
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
      for (const name of own.keys()) if (isPasted(name, words)) visit(name, line, true)
    },
  }
}
