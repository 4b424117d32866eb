// SPDX-License-Identifier: GPL-3.0-or-later
// Macros that a patch changes, put in where functions use them. The rules read a function as it is written: where only
// a macro of it changes, its text is the same on both sides and what it does is not. Macros that do not change stay as
// they are written, since the rules know them by their names.

import { closing, isClosing, isOpening, partsOf, type Token, tokenize } from '../tokens/lexer.ts'
import type { Definition, Definitions } from './functions.ts'
import { macroValues } from './macro-values.ts'

/** A macro with what it stands for. */
interface Macro {
  /** Undefined for one without parentheses. */
  readonly parameters: readonly string[] | undefined
  readonly body: readonly Token[]
}

/** Macros of one side, by name. */
export type Macros = ReadonlyMap<string, Macro>

/** How deep macros in macros are followed. */
const deepest = 6
/** A body beyond this is left as it is. */
const mostTokens = 20_000

/** True of a value that is only a number, made of other constants or not: rules know it by its name. */
function isConstant(body: readonly Token[]): boolean {
  return body.every(
    ({ kind, text }, at) =>
      kind !== 'name' ||
      (/^[A-Z_][A-Z0-9_]*$/.test(text) && body[at + 1]?.text !== '(') ||
      /^(?:unsigned|signed|long|int|char|short|sizeof|struct|__force|[us](?:8|16|32|64)|__[usbl]e?\d+|\w+_t|BIT\w*|GENMASK\w*|ilog2)$/.test(
        text,
      ),
  )
}

/** Bodies that only the preprocessor can put in, and those that open what they do not close. */
function isPlain(body: readonly Token[]): boolean {
  let depth = 0
  for (const one of body) {
    if (one.text === '#' || one.text === '##') return false
    if (isOpening(one)) depth++
    else if (isClosing(one) && --depth < 0) return false
  }
  return depth === 0
}

function macrosIn(text: string, { byName }: Definitions): Map<string, Macro> {
  const found = new Map<string, Macro>()
  for (const { kind, name, parameters, body } of byName.values())
    if (kind === 'macro') found.set(name, { parameters, body })
  for (const [name, value] of macroValues(text))
    if (value !== '' && !found.has(name) && !byName.has(name))
      found.set(name, { parameters: undefined, body: tokenize(value.split('\n').at(-1)!) })
  return found
}

function spelling({ parameters, body }: Macro): string {
  return `${parameters?.join(',')}\n${body.map(({ text }) => text).join(' ')}`
}

/** One side's changed files. */
interface Texts {
  readonly text: string
  readonly definitions: Definitions
}

export interface MacroChange {
  /** Those to be put in, of each side. */
  readonly before: Macros
  readonly after: Macros
  /** All that mean something else, the constants among them. */
  readonly names: ReadonlySet<string>
}

/** The macros that mean something else on the other side, by themselves or by a macro that they use. */
export function macrosThatChange(before: readonly Texts[], after: readonly Texts[]): MacroChange {
  const [old, young] = [before, after].map(
    (side) => new Map(side.flatMap(({ text, definitions }) => [...macrosIn(text, definitions)])),
  ) as [Map<string, Macro>, Map<string, Macro>]
  const changed = new Set<string>()
  for (const [name, macro] of young) {
    const was = old.get(name)
    if (was !== undefined && spelling(was) !== spelling(macro)) changed.add(name)
  }
  if (changed.size === 0) return { before: new Map(), after: new Map(), names: changed }
  const uses = ({ body }: Macro) => body.some(({ kind, text }) => kind === 'name' && changed.has(text))
  for (let before = -1; before !== changed.size; ) {
    before = changed.size
    for (const side of [old, young])
      for (const [name, macro] of side) if (old.has(name) && young.has(name) && uses(macro)) changed.add(name)
  }
  const chosen = (side: Map<string, Macro>): Macros =>
    new Map(
      [...side].filter(([name, { parameters, body }]) => {
        if (!changed.has(name) || !isPlain(body)) return false
        return parameters !== undefined || !isConstant(body)
      }),
    )
  return { before: chosen(old), after: chosen(young), names: changed }
}

/** The definition with the macros put in; itself where it uses none. */
export function expanded(definition: Definition, macros: Macros): Definition {
  if (macros.size === 0 || definition.kind === 'macro') return definition
  if (!definition.body.some(({ kind, text }) => kind === 'name' && macros.has(text))) return definition
  const body = expand(definition.body, macros, [])
  return body.length > mostTokens ? definition : { ...definition, body, written: definition.body }
}

function expand(tokens: readonly Token[], macros: Macros, within: readonly string[]): Token[] {
  const found: Token[] = []
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!
    const macro = token.kind === 'name' && !within.includes(token.text) ? macros.get(token.text) : undefined
    const isMember = /^(?:->|\.)$/.test(tokens[at - 1]?.text ?? '')
    if (macro === undefined || isMember || within.length >= deepest || found.length > mostTokens) {
      found.push(token)
      continue
    }
    const inner = [...within, token.text]
    const here = (list: readonly Token[]) => list.map((one) => ({ ...one, line: token.line }))
    if (macro.parameters === undefined) {
      found.push(...expand(here(macro.body), macros, inner))
      continue
    }
    if (tokens[at + 1]?.text !== '(') {
      found.push(token)
      continue
    }
    const end = closing(tokens, at + 1)
    const values = argumentsOf(macro.parameters, tokens.slice(at + 2, end - 1))
    const body = macro.body.flatMap((one) => (one.kind === 'name' ? (values.get(one.text) ?? [one]) : [one]))
    found.push(...expand(here(withoutWrapping(body)), macros, inner))
    at = end - 1
  }
  return found
}

/** What each parameter is given, in parentheses where it is more than a path to a member. */
function argumentsOf(parameters: readonly string[], inner: readonly Token[]): ReadonlyMap<string, readonly Token[]> {
  const parts = partsOf(inner)
  const lists = new Map<string, readonly Token[]>()
  for (const [index, name] of parameters.entries()) {
    const isRest = name.endsWith('...')
    const [first, last] = [parts[index], isRest ? parts.at(-1) : parts[index]]
    const list = first === undefined || last === undefined ? [] : inner.slice(first.from, last.to)
    lists.set(name === '...' ? '__VA_ARGS__' : isRest ? name.slice(0, -3) : name, list)
  }
  return lists
}

/** `do { … } while (0)` and `({ … })` as the statements in them, and `(x)->y` as `x->y`: so functions are written. */
function withoutWrapping(body: readonly Token[]): readonly Token[] {
  let list = body
  if (list[0]?.text === 'do' && list[1]?.text === '{') {
    const end = closing(list, 1)
    if (list[end]?.text === 'while') list = [...list.slice(2, end - 1)]
    // The use brings a semicolon of its own.
    if (list.at(-1)?.text === ';') list = list.slice(0, -1)
  }
  const found: Token[] = []
  for (let at = 0; at < list.length; at++) {
    const isGroup = list[at]!.text === '(' && list[at - 1]?.kind !== 'name'
    const end = isGroup ? closing(list, at) : at
    const inner = list.slice(at + 1, end - 1)
    const isPath =
      isGroup &&
      inner.length > 0 &&
      inner.every(({ kind, text }) => kind === 'name' || text === '->' || text === '.') &&
      (inner.length === 1 || /^(?:->|\.)$/.test(inner[1]!.text)) &&
      // A cast, `(type)x`, is none.
      !/^(?:name|number)$/.test(list[end]?.kind ?? '') &&
      !/^[(*&~!]$/.test(list[end]?.text ?? '')
    if (!isPath) {
      found.push(list[at]!)
      continue
    }
    found.push(...inner)
    at = end - 1
  }
  return found
}
