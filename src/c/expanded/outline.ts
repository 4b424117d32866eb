// SPDX-License-Identifier: GPL-3.0-or-later
// The outline of a unit: its preprocessed text taken apart into what stands at its top level, each with the
// file and line that it comes from. One pass over the characters; what an item declares is only worked out
// when somebody asks, since of thousands of items few ever differ.
import { countInFront } from '../../ground/values/sorted.ts'
import { type Declaration, type Declared, parseDeclaration } from '../tokens/declarators.ts'
import { tokenize } from '../tokens/lexer.ts'
import { TopLevelCutter } from '../tokens/top-level.ts'
import { attributeWords, isTagWord } from '../tokens/words.ts'

export interface Item {
  /** Offsets in the text: first character, and behind the last. */
  readonly start: number
  readonly end: number
  /** As the preprocessor names it. */
  readonly file: string
  /** 1-based lines of the file: its first, and its last. */
  readonly line: number
  readonly lastLine: number
  /** Where the braces of a function's body open; undefined for all else. */
  readonly body: number | undefined
}

/** What an item says about the names in it; of a function its head alone is taken apart. */
export interface Meaning extends Declared {
  /**
   * `declaration`: types, prototypes, `extern` data, whatever makes nothing by itself. `other`: asm and what is
   * not understood.
   */
  readonly kind: 'function' | 'data' | 'declaration' | 'other'
  /** What it defines; of a declaration: the tags and typedefs. */
  readonly names: readonly string[]
}

export interface Outline {
  readonly text: string
  readonly items: readonly Item[]
  meaning(item: Item): Meaning
  /** The items in which a word stands. */
  itemsWith(word: string): readonly Item[]
  /** The function that an item is, if it is one. */
  functionName(item: Item): string | undefined
}

enum Char {
  tab = 9,
  newline = 10,
  return = 13,
  space = 32,
  quote = 34,
  hash = 35,
  apostrophe = 39,
  open = 40,
  close = 41,
  semicolon = 59,
  backslash = 92,
  openBrace = 123,
}

const marker = /#(?: |line )(\d+) "((?:[^"\\]|\\.)*)"/y

/** Offset of the closing quote of the literal that opens at `at`; the text's end when it has none. */
function endOfLiteral(text: string, at: number, quote: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === Char.backslash) i++
    else if (c === quote) return i
    else if (c === Char.newline) return i - 1
  }
  return text.length
}

/** Marks of a declaration, by a character's code. */
const isMark = new Uint8Array(128)
for (const mark of '()[]{}=;') isMark[mark.charCodeAt(0)] = 1

function split(text: string): Item[] {
  const items: Item[] = []
  let file = ''
  let line = 1
  let start = -1
  let first = { file, line }
  let body: number | undefined
  let at = 0
  /** The parenthesis that opened last outside of all brackets. */
  let paren = -1
  const cutter = new TopLevelCutter(() => {
    let last = at - 1
    while (last > start && text.charCodeAt(last) <= Char.space) last--
    if (text.charCodeAt(last) === Char.close) {
      // No parameter of K&R is declared so, and most functions begin so: the end of the head tells.
      if (text.charCodeAt(at) === Char.semicolon) return []
      const [name, ...more] = tokenize(text, startOfWord(text, paren), paren + 1)
      if (more.length === 1 && name!.kind === 'name' && !attributeWords.has(name!.text)) return [name!, ...more]
    }
    return tokenize(withoutMarkers(text.slice(start, at)))
  })
  const finish = (end: number) => {
    // A lone semicolon says nothing.
    if (start >= 0 && (end - start > 1 || text.charCodeAt(start) !== Char.semicolon))
      items.push({ start, end, file: first.file, line: first.line, lastLine: line, body })
    start = -1
    body = undefined
  }
  for (; at < text.length; at++) {
    const c = text.charCodeAt(at)
    if (c === Char.newline) {
      line++
      continue
    }
    if (c === Char.space || c === Char.tab || c === Char.return) continue
    if (c === Char.hash && (at === 0 || text.charCodeAt(at - 1) === Char.newline)) {
      marker.lastIndex = at
      const match = marker.exec(text)
      let end = text.indexOf('\n', at)
      if (end < 0) end = text.length
      if (match !== null) {
        file = match[2] ?? ''
        line = Number(match[1])
      } else line++
      at = end
      continue
    }
    if (start < 0) {
      start = at
      first = { file, line }
    }
    if (c === Char.quote || c === Char.apostrophe) at = endOfLiteral(text, at, c)
    else if (isMark[c] === 1) {
      if (c === Char.open && cutter.depth === 0) paren = at
      const ends = cutter.endsBehind(c)
      if (c === Char.openBrace && body === undefined && cutter.inBody) body = at
      if (ends) finish(at + 1)
    }
  }
  finish(text.length)
  return items
}

function startOfWord(text: string, end: number): number {
  let start = end
  while (start > 0 && /[\w$]/.test(text[start - 1]!)) start--
  return start
}

/** Offsets are others then. */
export function withoutMarkers(text: string): string {
  return text.includes('#') ? text.replace(/^#.*$/gm, '') : text
}

/** The tags that a declaration defines. */
function definedTags({ tags }: Declaration): string[] {
  return tags.flatMap(({ name, isDefined }) => (isDefined ? [name] : []))
}

/**
 * What a declaration says.
 * @param text with its semicolon; literals and line markers may be in it
 */
export function meaningOfDeclaration(text: string): Meaning {
  const tokens = tokenize(withoutMarkers(text))
  const declaration = parseDeclaration(tokens, 0, tokens.length)
  const { storage, declarators } = declaration
  const names = declarators.map(({ name }) => name)
  const says = (kind: Meaning['kind'], names: readonly string[]) => ({ kind, names, tokens, declaration })
  if (storage.has('typedef')) return says('declaration', [...definedTags(declaration), ...names])
  const [first] = declarators
  if (first === undefined) {
    const isAssertion = /^(?:_Static_assert|static_assert)$/.test(tokens[0]?.text ?? '')
    const isType = !isAssertion && tokens.some(({ text }) => isTagWord(text))
    return isType ? says('declaration', definedTags(declaration)) : says('other', [])
  }
  const isOnlyNamed = storage.has('extern') || storage.has('register')
  if (first.isFunction || (isOnlyNamed && declarators.every(({ value }) => value === undefined)))
    return says('declaration', definedTags(declaration))
  return says('data', names)
}

/** @param text a unit's text behind the preprocessor, with line markers */
export function outline(text: string): Outline {
  const items = split(text)
  const known = new Map<Item, Meaning>()
  const meaning = (item: Item): Meaning => {
    let result = known.get(item)
    if (result === undefined) {
      if (item.body === undefined) result = meaningOfDeclaration(text.slice(item.start, item.end))
      else {
        const tokens = tokenize(withoutMarkers(text.slice(item.start, item.body)))
        const declaration = parseDeclaration(tokens, 0, tokens.length)
        result = {
          kind: 'function',
          names: declaration.declarators.slice(0, 1).map(({ name }) => name),
          tokens,
          declaration,
        }
      }
      known.set(item, result)
    }
    return result
  }
  const itemAt = (offset: number): Item | undefined => {
    const item = items[countInFront(items.length, (at) => items[at]!.start <= offset) - 1]
    return item !== undefined && offset < item.end ? item : undefined
  }
  return {
    text,
    items,
    meaning,
    functionName: (item) => (item.body === undefined ? undefined : meaning(item).names[0]),
    itemsWith(word) {
      const found: Item[] = []
      for (let at = text.indexOf(word); at >= 0; ) {
        const isWord = !/[\w$]/.test(text[at - 1] ?? ' ') && !/[\w$]/.test(text[at + word.length] ?? ' ')
        const item = isWord ? itemAt(at) : undefined
        if (item !== undefined) found.push(item)
        at = text.indexOf(word, item?.end ?? at + word.length)
      }
      return found
    },
  }
}
