// SPDX-License-Identifier: GPL-3.0-or-later
// C text taken apart into its top-level declarations, and what each of them declares. A change to a
// header reaches a unit only through the names that it changes, so most units can be told apart from
// those that matter without compiling them. Whatever is not understood is `code`: in doubt it counts.
import { outsideLiterals, tokenize, withoutComments } from '../tokens/lexer.ts'
import { TopLevelCutter } from '../tokens/top-level.ts'
import { keywords } from '../tokens/words.ts'

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

/** Takes `__attribute__((…))` and `__aligned(…)`-like operators out, four levels of parentheses deep. */
const attribute =
  /\b(?:__attribute__|__attribute|__typeof__|typeof|__asm__|asm|_Alignas)\s*\((?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*\)/g

/** Operators that headers spell as macros: `__printf(1, 2)`, `__must_hold(&lock)`. */
const decoration = /\b__\w+\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)/g

/** Of written text: `bool` is a typedef of the kernel. */
function isKeyword(word: string): boolean {
  return keywords.has(word) || word === 'bool'
}

const anyWord = /[A-Za-z_]\w*/g

function wordsOf(text: string): string[] {
  return (text.match(anyWord) ?? []).filter((word) => !isKeyword(word))
}

/** Text outside of all braces. */
function outsideBraces(text: string): string {
  let depth = 0
  let result = ''
  let from = 0
  for (const { 0: brace, index } of text.matchAll(/[{}]/g)) {
    if (brace === '{') {
      if (depth++ === 0) result += `${text.slice(from, index)} {} `
    } else if (--depth === 0) from = index + 1
  }
  return depth === 0 ? result + text.slice(from) : text
}

/** The tags and enumerators that a text defines. */
function tagsOf(text: string): string[] {
  const names: string[] = []
  // Enumerators up to here are known.
  let known = 0
  for (const { 1: kind, 2: tag, 3: brace, index, 0: whole } of text.matchAll(
    /\b(struct|union|enum)\b\s*((?:[A-Za-z_]\w*\s*)*)(\{)?/g,
  )) {
    if (brace === undefined) continue
    for (const word of wordsOf(tag ?? '')) names.push(word)
    if (kind === 'enum') {
      const from = Math.max(known, index + whole.length)
      const end = text.indexOf('}', from)
      known = end === -1 ? text.length : end
      for (const word of wordsOf(text.slice(from, known))) names.push(word)
    }
  }
  return names
}

const special = '(?:used|constructor|destructor|alias|ifunc|externally_visible|retain)_*\\b'
const saidByMacro = new RegExp(`\\b__${special}`)
const saidByAttribute = new RegExp(`\\b_*${special}`, 'g')

/** Whether what has this head makes code, or is kept, though nobody may use it. */
function runsByItself(head: string): boolean {
  if (saidByMacro.test(head)) return true
  const attributeStart = '__attribute_'
  const first = head.indexOf(attributeStart)
  if (first < 0) return false
  saidByAttribute.lastIndex = first + attributeStart.length
  return saidByAttribute.test(head)
}

// Two words at least before the parenthesis: a type and a name, not a macro that is expanded here.
const nameBeforeParenthesis = /^(?:[A-Za-z_]\w*[\s*]+)+([A-Za-z_]\w*)\s*\(/

/** The name of the function that a declaration's head declares. */
function functionName(head: string, isMacro: (name: string) => boolean): string | undefined {
  const called = nameBeforeParenthesis.exec(head.replace(decoration, ' '))?.[1] ?? nameBeforeParenthesis.exec(head)?.[1]
  return called === undefined || isKeyword(called) || isMacro(called) ? undefined : called
}

/** What one declaration, with its final `;` or `}`, is. */
function classify(text: string, isMacro: ((name: string) => boolean) | undefined): Declaration {
  const code: Declaration = { kind: 'code', names: [], text }
  if (runsByItself(text.slice(0, text.indexOf('{') === -1 ? undefined : text.indexOf('{')))) return code
  const plain = text.replace(attribute, ' ')
  const brace = plain.indexOf('{')
  const head = (brace === -1 ? plain : plain.slice(0, brace)).trim()
  const isInline = /\b(?:inline|__inline|__inline__|__always_inline)\b/.test(head)
  const first = /^(?:__extension__\s+)?([A-Za-z_]\w*)/.exec(head)?.[1]
  const called = functionName(head, isMacro ?? (() => false))
  if (brace !== -1 && plain.endsWith('}') && !head.includes('=')) {
    // What is static makes code only where it is used. Before the preprocessor, a macro might say that it
    // is used (__used, spelled in another way), which nobody says of an inline one.
    const passive = isInline || isMacro === undefined ? /\bstatic\b/.test(head) : false
    return (passive || (/\bextern\b/.test(head) && text.includes('gnu_inline'))) && called !== undefined
      ? { kind: 'function', names: [called], text }
      : code
  }
  if (first === 'typedef') return { kind: 'type', names: [...tagsOf(plain), ...wordsOf(outsideBraces(plain))], text }
  if ((first === 'struct' || first === 'union' || first === 'enum') && brace !== -1) {
    const rest = plain
      .slice(plain.lastIndexOf('}') + 1)
      .replace(/;\s*$/, '')
      .trim()
    // Words behind the brace are attributes spelled as macros, or a variable.
    if (!head.includes('(') && (rest === '' || /^(?:__packed|____cacheline_aligned|__randomize_layout)+$/.test(rest)))
      return { kind: 'type', names: tagsOf(plain), text }
    return code
  }
  if (/^(?:struct|union|enum)\s+\w+\s*;$/.test(plain)) return { kind: 'type', names: wordsOf(plain), text }
  if (brace === -1 && !plain.includes('=') && plain.endsWith(';')) {
    if (called !== undefined && /\)[^()]*;$/.test(plain)) return { kind: 'prototype', names: [called], text }
    if (first === 'extern' && !plain.includes('(')) return { kind: 'prototype', names: wordsOf(plain), text }
  }
  return code
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
