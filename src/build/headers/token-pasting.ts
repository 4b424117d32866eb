// SPDX-License-Identifier: GPL-3.0-or-later
// Names that stand in no text because macros paste them together (`##`): which macros do that, with what
// text of their own, and whether a name can be made by one of them. A macro that hands its arguments on
// to such a macro is one too, so that `Page##name` is known by every macro through which it is reached.
import { addTo } from '../../ground/values/grouped.ts'

export type Piece = string | number | readonly string[] | null

/**
 * One way in which a macro makes a name. Each piece is a text, the number of an argument, one of several
 * words (of a longer text that is handed on), or null for what is not followed further.
 */
export interface Paste {
  readonly macro: string
  readonly pieces: readonly Piece[]
}

/** A macro with parameters, as its #define has it. */
export interface MacroDefinition {
  readonly name: string
  readonly parameters: readonly string[]
  /** The last parameter stands for any number of arguments. */
  readonly variadic: boolean
  readonly body: string
}

const definition = /^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)\(((?:[^)\\\n]|\\\r?\n)*)\)((?:[^\\\n]|\\[^\n]|\\\n)*)/gm
const chain = /(\w+)(?:\s*##\s*\w+)+/g

/** The macros with parameters that a text defines. */
export function macrosIn(text: string): MacroDefinition[] {
  const found: MacroDefinition[] = []
  for (const { 1: name, 2: list, 3: body } of text.matchAll(definition))
    found.push({
      name: name!,
      parameters: list!
        .replaceAll('\\\n', ' ')
        .split(',')
        .map((one) =>
          one
            .trim()
            .replace(/^\.\.\.$/, '__VA_ARGS__')
            .replace(/\s*\.\.\.$/, ''),
        ),
      variadic: list!.includes('...'),
      body: body!.replaceAll('\\\n', ' '),
    })
  return found
}

function pieceOf(text: string, parameters: readonly string[]): Piece {
  const word = text.trim()
  const at = parameters.indexOf(word)
  if (at !== -1) return at
  if (/^\w*$/.test(word)) return word
  // What is called may paste again; of what is not, the first word or the last is pasted.
  return word.includes('(') ? null : (word.match(/\w+/g) ?? [])
}

/** The arguments of a call whose opening parenthesis is at `open`; undefined when it does not end. */
function argumentsAt(text: string, open: number): string[] | undefined {
  const found: string[] = []
  let depth = 0
  let from = open + 1
  for (let i = open; i < text.length; i++) {
    const c = text[i]
    if (c === '(') depth++
    else if (c === ')') {
      if (--depth === 0) return [...found, text.slice(from, i)]
    } else if (c === ',' && depth === 1) {
      found.push(text.slice(from, i))
      from = i + 1
    }
  }
  return undefined
}

/** The call that a text consists of. */
function callIn(text: string): { readonly macro: string; readonly given: string[] } | undefined {
  const start = /^\s*([A-Za-z_]\w*)\s*\(/.exec(text)
  if (start === null || !/\)\s*$/.test(text)) return undefined
  const given = argumentsAt(text, start[0].length - 1)
  return given === undefined ? undefined : { macro: start[1]!, given }
}

/** Ways that differ only in what can't be told apart are one. */
function keyOf(paste: Paste): string {
  return `${paste.macro} ${paste.pieces.map((piece) => JSON.stringify(piece)).join(' ')}`
}

/**
 * How the macros paste, and those through which they are reached.
 * @param definitions of all files; those of the same name are alternatives
 */
export function findPastes(definitions: Iterable<MacroDefinition>): Paste[] {
  const found = new Map<string, Paste>()
  const byMacro = new Map<string, Paste[]>()
  const callers = new Map<string, { readonly by: MacroDefinition; readonly open: number }[]>()
  /** Where the parameter stands that takes all arguments from there on. */
  const variadic = new Map<string, number>()
  const fresh: Paste[] = []
  const add = (paste: Paste) => {
    const key = keyOf(paste)
    if (found.has(key)) return
    found.set(key, paste)
    addTo(byMacro, paste.macro, paste)
    fresh.push(paste)
  }
  for (const one of definitions) {
    if (one.variadic) variadic.set(one.name, one.parameters.length - 1)
    for (const { 0: whole } of one.body.matchAll(chain))
      add({ macro: one.name, pieces: whole.split('##').map((piece) => pieceOf(piece, one.parameters)) })
    for (const { 1: called, 0: whole, index } of one.body.matchAll(/\b([A-Za-z_]\w*)\s*\(/g))
      addTo(callers, called!, { by: one, open: index + whole.length - 1 })
  }
  const chainsOf = (macro: string) => byMacro.get(macro) ?? []
  /** The ways of a call to paste, in terms of the parameters of the macro that has it in its body. */
  const waysOf = (paste: Paste, given: readonly string[] | undefined, by: MacroDefinition): Piece[][] => {
    let ways: Piece[][] = [[]]
    for (const piece of paste.pieces) {
      let next: readonly (readonly Piece[])[] = [[piece]]
      if (typeof piece === 'number') {
        const rest = given?.slice(piece, variadic.get(paste.macro) === piece ? undefined : piece + 1)
        const text = rest?.join(',').trim() ?? ''
        const inner = callIn(text)
        next =
          inner === undefined || chainsOf(inner.macro).length === 0
            ? [[given?.[piece] === undefined ? null : pieceOf(text, by.parameters)]]
            : chainsOf(inner.macro).flatMap((one) => waysOf(one, inner.given, by))
      }
      ways = ways.flatMap((way) => next.map((more) => [...way, ...more]))
      // Alternatives of alternatives: not worth to be told apart.
      if (ways.length > 256) return [[null]]
    }
    return ways
  }
  // What is given may be pasted itself, by macros of which that is not known yet.
  const later: {
    readonly paste: Paste
    readonly by: MacroDefinition
    readonly given: string[] | undefined
  }[] = []
  const take = ({ paste, by, given }: (typeof later)[number]) => {
    for (const pieces of waysOf(paste, given, by)) add({ macro: by.name, pieces })
  }
  for (;;) {
    const paste = fresh.pop()
    if (paste === undefined) {
      const one = later.pop()
      if (one === undefined) break
      take(one)
      continue
    }
    for (const { by, open } of callers.get(paste.macro) ?? []) {
      if (by.name === paste.macro) continue
      const one = { paste, by, given: argumentsAt(by.body, open) }
      const waits = one.given?.some((text) => {
        const inner = callIn(text)
        return inner !== undefined && chainsOf(inner.macro).length === 0
      })
      if (waits === true) later.push(one)
      else take(one)
    }
  }
  return [...found.values()]
}

/**
 * Whether the macro can make this name of arguments for which `isWord` holds. Empty arguments and numbers
 * are always possible.
 */
export function canPaste(paste: Paste, name: string, isWord: (piece: string) => boolean): boolean {
  const { pieces } = paste
  const match = (at: number, from: number): boolean => {
    if (at === pieces.length) return from === name.length
    const piece = pieces[at]
    if (typeof piece === 'string') {
      if (piece === '__COUNTER__' || piece === '__LINE__') {
        const digits = /^\d+/.exec(name.slice(from))?.[0]
        return digits !== undefined && match(at + 1, from + digits.length)
      }
      return name.startsWith(piece, from) && match(at + 1, from + piece.length)
    }
    for (let end = from; end <= name.length; end++) {
      if (!match(at + 1, end)) continue
      const word = name.slice(from, end)
      if (piece === null || /^\d*$/.test(word) || isWord(word)) return true
      if (typeof piece === 'object' && piece.includes(word)) return true
    }
    return false
  }
  return match(0, 0)
}
