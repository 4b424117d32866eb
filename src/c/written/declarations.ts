// SPDX-License-Identifier: GPL-3.0-or-later
// C text taken apart into its top-level declarations, and what each of them declares. A change to a
// header reaches a unit only through the names that it changes, so most units can be told apart from
// those that matter without compiling them. Whatever is not understood is `code`: in doubt it counts.
import { attributeEnd } from '../tokens/declarators.ts'
import {
  closing,
  findOutside,
  outsideLiterals,
  partsOf,
  type Token,
  tokenize,
  withoutComments,
} from '../tokens/lexer.ts'
import { TopLevelCutter } from '../tokens/top-level.ts'
import { isTagWord, keywords, typeofWords } from '../tokens/words.ts'
import { declaredFunction } from './functions.ts'

export interface Declaration {
  /**
   * `function`: a static one, which makes no code by itself. `type`: struct, union, enum, typedef.
   * `prototype`: what is only announced. `macro`: a #define. These matter only where their names are
   * used. `directive`: any other line of the preprocessor. `code`: all else.
   */
  readonly kind: 'function' | 'type' | 'prototype' | 'macro' | 'directive' | 'code'
  /** What it declares; empty for directives and code. */
  readonly names: readonly string[]
  /** Without comments; white space around newlines is one space. */
  readonly text: string
}

/** Operators that headers spell as macros: `__printf(1, 2)`, `__must_hold(&lock)`. */
const decoration = /^__\w+$/

/** Words behind the braces of a type that declare no variable. */
const typeAttributes = new Set(['__packed', '____cacheline_aligned', '__randomize_layout'])
const inlineWords = new Set(['inline', '__inline', '__inline__', '__always_inline'])

/** The tokens without attributes, and without what `typeof` is asked about. */
function withoutAttributes(tokens: readonly Token[]): Token[] {
  const kept: Token[] = []
  for (let at = 0; at < tokens.length; at++) {
    const isTypeof = typeofWords.has(tokens[at]!.text) && tokens[at + 1]?.text === '('
    const end = isTypeof ? closing(tokens, at + 1) : attributeEnd(tokens, at, tokens.length)
    if (end === undefined) kept.push(tokens[at]!)
    else at = end - 1
  }
  return kept
}

/** The names among tokens; `bool` is a typedef of the kernel. */
function namesIn(tokens: readonly Token[]): string[] {
  return tokens.flatMap(({ kind, text }) => (kind === 'name' && !keywords.has(text) && text !== 'bool' ? [text] : []))
}

/** The tags and enumerators that tokens define. */
function tagsOf(tokens: readonly Token[]): string[] {
  return tokens.flatMap((token, at) => {
    if (!isTagWord(token.text)) return []
    let brace = at + 1
    while (tokens[brace]?.kind === 'name') brace++
    if (tokens[brace]?.text !== '{') return []
    const tags = namesIn(tokens.slice(at + 1, brace))
    if (token.text !== 'enum') return tags
    // What an enumerator is given is only used by it. A directive, whose line can't be told any more, stands before it.
    const parts = partsOf(tokens, brace + 1, closing(tokens, brace) - 1)
    return [
      ...tags,
      ...parts.flatMap(({ from, to }) => namesIn(tokens.slice(from, findOutside(tokens, from, '=', to)))),
    ]
  })
}

/** The names that a typedef may declare: not those of the types and bounds that it uses. */
function typedefNames(tokens: readonly Token[]): string[] {
  const outer: Token[] = []
  for (let at = 0; at < tokens.length; at++) {
    outer.push(tokens[at]!)
    if (/^[{[]$/.test(tokens[at]!.text)) at = closing(tokens, at) - 1
  }
  const type = outer.findIndex(({ text }) => !/^(?:typedef|const|volatile|__extension__)$/.test(text))
  return namesIn(outer.filter((_, at) => at !== type && !isTagWord(outer[at - 1]?.text)))
}

const special = '(?:used|constructor|destructor|alias|ifunc|externally_visible|retain)_*$'
const saidByMacro = new RegExp(`^__${special}`)
const saidByAttribute = new RegExp(`^_*${special}`)

/** Whether what has this head makes code, or is kept, though nobody may use it. */
function runsByItself(head: readonly Token[]): boolean {
  const first = head.findIndex(({ text }) => text.startsWith('__attribute'))
  return head.some(({ text }, at) => saidByMacro.test(text) || (first >= 0 && at > first && saidByAttribute.test(text)))
}

/** The name of the function that a declaration's head declares: of two words at least, or a macro is expanded here. */
function functionName(head: readonly Token[], isMacro: (name: string) => boolean): string | undefined {
  const declared = declaredFunction(head)
  if (declared === undefined || declared.at === 0) return undefined
  for (let at = 0; at < declared.at; at++) {
    const { kind, text } = head[at]!
    if (text === '(' && at > 0 && decoration.test(head[at - 1]!.text)) at = closing(head, at) - 1
    else if (kind !== 'name' && (text !== '*' || at === 0)) return undefined
  }
  const [name] = namesIn([head[declared.at]!])
  return name === undefined || isMacro(name) ? undefined : name
}

/** What one declaration, with its final `;` or `}`, is. */
function classify(text: string, isMacro: ((name: string) => boolean) | undefined): Declaration {
  const code: Declaration = { kind: 'code', names: [], text }
  const brace = text.indexOf('{')
  const whole = tokenize(text, 0, brace === -1 ? text.length : brace)
  if (runsByItself(whole)) return code
  const head = withoutAttributes(whole)
  const has = (word: string) => head.some((one) => one.text === word)
  const called = functionName(head, isMacro ?? (() => false))
  if (brace !== -1 && text.endsWith('}') && !has('=')) {
    // What is static makes code only where it is used. Before the preprocessor, a macro might say that it
    // is used (__used, spelled in another way), which nobody says of an inline one.
    const isPassive = (isMacro === undefined || head.some((one) => inlineWords.has(one.text))) && has('static')
    return (isPassive || (has('extern') && text.includes('gnu_inline'))) && called !== undefined
      ? { kind: 'function', names: [called], text }
      : code
  }
  const first = head[0]?.text === '__extension__' ? head[1] : head[0]
  if (first?.text === 'typedef') {
    const tokens = withoutAttributes(tokenize(text))
    return { kind: 'type', names: [...tagsOf(tokens), ...typedefNames(tokens)], text }
  }
  if (brace !== -1) {
    if (!isTagWord(first?.text) || has('(')) return code
    const tokens = withoutAttributes(tokenize(text))
    // Words behind the brace are attributes spelled as macros, or a variable.
    const rest = tokens.slice(tokens.findLastIndex((one) => one.text === '}') + 1)
    return rest.every((one) => one.text === ';' || typeAttributes.has(one.text))
      ? { kind: 'type', names: tagsOf(tokens), text }
      : code
  }
  if (head.at(-1)?.text !== ';') return code
  if (head.length === 3 && isTagWord(first?.text)) return { kind: 'type', names: namesIn(head), text }
  if (has('=')) return code
  if (called !== undefined) return { kind: 'prototype', names: [called], text }
  return first?.text === 'extern' && !has('(') ? { kind: 'prototype', names: namesIn(head), text } : code
}

function tidy(text: string): string {
  return text.replace(/(?<![ \t])[ \t]*\n[ \t\n]*/g, ' ').trim()
}

const scanLandmarks = outsideLiterals(String.raw`[{}();=]|^[ \t]*#[^\n]*`)

/** Pairs of braces that stand beside each other in one declaration; nobody writes more than three. */
const mostBraces = 64

/**
 * Splits C text, before or after the preprocessor, into its declarations, in order.
 * @param isMacro for text before the preprocessor: whether a name is a macro's, and so declares nothing
 * @returns undefined when the text's braces can't be followed, as with a branch of #if that opens one
 */
export function splitDeclarations(source: string, isMacro?: (name: string) => boolean): Declaration[] | undefined {
  const text = withoutComments(source)
  const found: Declaration[] = []
  const conditions: { depth: number; end?: number }[] = []
  let [start, at] = [0, 0]
  const cutter = new TopLevelCutter(() => {
    const head = text.slice(start, at)
    return tokenize(head.includes('#') ? head.replace(/^[ \t]*#.*$/gm, '') : head)
  }, true)
  /** Of the declaration so far. */
  let braces = 0
  /** Where the white space ends with which it begins. */
  let blank = 0
  const isBlankTo = (index: number) => {
    blank = Math.max(blank, start)
    while (blank < index && /\s/.test(text[blank]!)) blank++
    return blank >= index
  }
  const finish = (end: number) => {
    const one = tidy(text.slice(start, end))
    if (one !== '' && one !== ';') found.push(classify(one, isMacro))
    start = end
    braces = 0
  }
  for (const { text: mark, start: index } of scanLandmarks(text)) {
    if (mark.trimStart().startsWith('#')) {
      const directive = /^\s*#\s*([a-z]*)\s*([A-Za-z_]\w*)?/.exec(mark)!
      const name = directive[1]!
      if (/^if/.test(name)) conditions.push({ depth: cutter.depth })
      const condition = conditions.at(-1)
      if (/^(?:el|endif)/.test(name)) {
        if (condition === undefined) return undefined
        condition.end ??= cutter.depth
        if (cutter.depth !== condition.end) return undefined
        if (name === 'endif') conditions.pop()
        else cutter.depth = condition.depth
      }
      const between = cutter.depth === 0 && isBlankTo(index)
      if (name === 'define' && directive[2] !== undefined)
        found.push({ kind: 'macro', names: [directive[2]], text: tidy(mark) })
      else if (between && name !== '') found.push({ kind: 'directive', names: [], text: tidy(mark) })
      // A directive inside a declaration is a part of its text.
      if (between) start = index + mark.length
      continue
    }
    at = index
    if (cutter.depth === 0) {
      if (mark === ')' || mark === '}') return undefined
      if (mark === '{') {
        if (++braces > mostBraces) return undefined
        // C++'s linkage braces, in headers that both languages use.
        if (/\bextern\s*"C"\s*$/.test(text.slice(start, at))) return undefined
      }
    }
    if (cutter.endsBehind(mark.charCodeAt(0))) finish(at + 1)
  }
  if (cutter.depth !== 0 || conditions.length > 0) return undefined
  // A macro that is expanded at the end, without a semicolon.
  finish(text.length)
  return found
}

/** Those of `all` that the others lack, text by text. */
export function lacking(all: readonly Declaration[], others: readonly Declaration[]): Declaration[] {
  const texts = new Set(others.map(({ text }) => text))
  return all.filter(({ text }) => !texts.has(text))
}
