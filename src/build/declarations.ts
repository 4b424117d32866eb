// SPDX-License-Identifier: GPL-3.0-or-later
// C text taken apart into its top-level declarations, and what each of them declares. A change to a
// header reaches a unit only through the names that it changes, so most units can be told apart from
// those that matter without compiling them. Whatever is not understood is `code`: in doubt it counts.

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

const keywords = new Set(
  (
    'auto break case char const continue default do double else enum extern float for goto if inline int long ' +
    'register restrict return short signed sizeof static struct switch typedef union unsigned void volatile ' +
    'while _Bool __inline __inline__ __extension__ __volatile__ __const __signed__ bool'
  ).split(' '),
)

/** Takes `__attribute__((…))` and `__aligned(…)`-like operators out, four levels of parentheses deep. */
const attribute =
  /\b(?:__attribute__|__attribute|__typeof__|typeof|__asm__|asm|_Alignas)\s*\((?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*\)/g

/** Operators that headers spell as macros: `__printf(1, 2)`, `__must_hold(&lock)`. */
const decoration = /\b__\w+\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)/g

const anyWord = /[A-Za-z_]\w*/g

function wordsOf(text: string): string[] {
  return (text.match(anyWord) ?? []).filter((word) => !keywords.has(word))
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
  for (const { 1: kind, 2: tag, 3: brace, index, 0: whole } of text.matchAll(
    /\b(struct|union|enum)\b\s*((?:[A-Za-z_]\w*\s*)*)(\{)?/g,
  )) {
    if (brace === undefined) continue
    names.push(...wordsOf(tag ?? ''))
    if (kind === 'enum') {
      const end = text.indexOf('}', index)
      names.push(...wordsOf(text.slice(index + whole.length, end === -1 ? undefined : end)))
    }
  }
  return names
}

const runsByItself =
  /(?:__attribute__?_?.*\b_*|\b__)(?:used|constructor|destructor|alias|ifunc|externally_visible|retain)_*\b/

// Two words at least before the parenthesis: a type and a name, not a macro that is expanded here.
const nameBeforeParenthesis = /^(?:[A-Za-z_]\w*[\s*]+)+([A-Za-z_]\w*)\s*\(/

/** The name of the function that a declaration's head declares. */
function functionName(head: string, isMacro: (name: string) => boolean): string | undefined {
  const called =
    nameBeforeParenthesis.exec(head.replace(decoration, ' '))?.[1] ?? nameBeforeParenthesis.exec(head)?.[1]
  return called === undefined || keywords.has(called) || isMacro(called) ? undefined : called
}

/** What one declaration, with its final `;` or `}`, is. */
function classify(text: string, isMacro: ((name: string) => boolean) | undefined): Declaration {
  const code: Declaration = { kind: 'code', names: [], text }
  if (runsByItself.test(text.slice(0, text.indexOf('{') === -1 ? undefined : text.indexOf('{')))) return code
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
  if (first === 'typedef')
    return { kind: 'type', names: [...tagsOf(plain), ...wordsOf(outsideBraces(plain))], text }
  if ((first === 'struct' || first === 'union' || first === 'enum') && brace !== -1) {
    const rest = plain
      .slice(plain.lastIndexOf('}') + 1)
      .replace(/;\s*$/, '')
      .trim()
    // Words behind the brace are attributes spelled as macros, or a variable.
    if (
      !head.includes('(') &&
      (rest === '' || /^(?:__packed|____cacheline_aligned|__randomize_layout)+$/.test(rest))
    )
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

/** Comments become spaces, continued lines are joined. Strings are left as they are. */
function withoutComments(text: string): string {
  return text
    .replace(/\\\r?\n/g, ' ')
    .replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*/g, (match) =>
      match.startsWith('/') ? ' ' : match,
    )
}

const landmark = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[{}();=]|^[ \t]*#[^\n]*/gm

/**
 * Splits C text, before or after the preprocessor, into its declarations, in order.
 * @param isMacro for text before the preprocessor: whether a name is a macro's, and so declares nothing
 * @returns undefined when the text's braces can't be followed, as with a branch of #if that opens one
 */
export function splitDeclarations(
  source: string,
  isMacro?: (name: string) => boolean,
): Declaration[] | undefined {
  const text = withoutComments(source)
  const found: Declaration[] = []
  const conditions: { depth: number; parens: number; end?: number }[] = []
  let depth = 0
  let parens = 0
  let start = 0
  // Of the declaration so far.
  let hasParens = false
  let assigns = false
  let isBody = false
  const finish = (end: number) => {
    const one = tidy(text.slice(start, end))
    if (one !== '' && one !== ';') found.push(classify(one, isMacro))
    start = end
    hasParens = false
    assigns = false
    isBody = false
  }
  for (const { 0: mark, index } of text.matchAll(landmark)) {
    const c = mark[0]
    if (c === '"' || c === "'") continue
    if (mark.trimStart().startsWith('#')) {
      const directive = /^\s*#\s*([a-z]*)\s*([A-Za-z_]\w*)?/.exec(mark)!
      const name = directive[1]!
      if (/^if/.test(name)) conditions.push({ depth, parens })
      const condition = conditions.at(-1)
      if (/^(?:el|endif)/.test(name)) {
        if (condition === undefined) return undefined
        condition.end ??= depth
        if (depth !== condition.end) return undefined
        if (name === 'endif') conditions.pop()
        else {
          depth = condition.depth
          parens = condition.parens
        }
      }
      const between = depth === 0 && text.slice(start, index).trim() === ''
      if (name === 'define' && directive[2] !== undefined)
        found.push({ kind: 'macro', names: [directive[2]], text: tidy(mark) })
      else if (between && name !== '') found.push({ kind: 'directive', names: [], text: tidy(mark) })
      // A directive inside a declaration is a part of its text.
      if (between) start = index + mark.length
      continue
    }
    if (c === '(') {
      parens++
      if (depth === 0) hasParens = true
    } else if (c === ')') {
      if (--parens < 0) return undefined
    } else if (c === '=') {
      if (depth === 0 && parens === 0) assigns = true
    } else if (c === '{') {
      if (depth === 0 && parens === 0) {
        const head = text.slice(start, index).replace(attribute, ' ')
        // The braces of a type or an initial value are followed by more; those of a function end it.
        isBody =
          hasParens &&
          !assigns &&
          /\)[^();]*$/.test(text.slice(start, index)) &&
          !/^\s*typedef\b/.test(head) &&
          head.includes('(')
        // C++'s linkage braces, in headers that both languages use.
        if (/\bextern\s*"C"\s*$/.test(head)) return undefined
      }
      depth++
    } else if (c === '}') {
      if (--depth < 0) return undefined
      if (depth === 0 && parens === 0 && isBody) finish(index + 1)
    } else if (c === ';' && depth === 0 && parens === 0) finish(index + 1)
  }
  if (depth !== 0 || parens !== 0 || conditions.length > 0) return undefined
  // A macro that is expanded at the end, without a semicolon.
  finish(text.length)
  return found
}
