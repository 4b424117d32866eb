// SPDX-License-Identifier: GPL-3.0-or-later
// What one top-level declaration of C declares (C11, 6.7), with GNU's attributes and asm labels wherever they may
// stand. It works on the tokens of expanded text and, as far as macros leave it recognisable, on those of written text.
import { closing, findOutside, partsOf, type Token } from './lexer.ts'
import { attributeWords, isTagWord, qualifiers, storageWords, typeofWords, typeWords } from './words.ts'

export interface Declarator {
  readonly name: string
  /** Index of the name's token. */
  readonly at: number
  readonly isFunction: boolean
  /** The declarator with its suffixes and attributes, without an initial value; the end is exclusive. */
  readonly from: number
  readonly to: number
  /** Behind the last token that is not an attribute or an asm label. */
  readonly core: number
  /** From the `=` to the end of the initial value. */
  readonly value?: { readonly from: number; readonly to: number }
  /** The brackets of a first bound that is left out: `[]`. */
  readonly openBound?: number
  /** What is declared is constant itself: `const` behind the last `*`, or without any `*`. */
  readonly isConst: boolean
}

type Named = Omit<Declarator, 'from' | 'to' | 'value'> & { readonly isDerived: boolean }

export interface Tag {
  readonly keyword: 'struct' | 'union' | 'enum'
  readonly name: string
  readonly at: number
  readonly isDefined: boolean
}

export interface Declaration {
  /** Storage classes and `inline`, as words. */
  readonly storage: ReadonlySet<string>
  readonly declarators: readonly Declarator[]
  readonly tags: readonly Tag[]
  readonly enumerators: readonly string[]
  /** The braces of a function, the end exclusive. */
  readonly body?: { readonly from: number; readonly to: number }
}

/** A declaration and its tokens, macros expanded. */
export interface Declared {
  readonly tokens: readonly Token[]
  readonly declaration: Declaration
}

/** Tells where something that declares nothing ends: a macro that stands for an attribute or for nothing. */
export type Transparent = (tokens: readonly Token[], index: number) => number | undefined

/** The index behind an attribute at `index`; undefined when there is none. */
export function attributeEnd(
  tokens: readonly Token[],
  index: number,
  end: number,
  isTransparent?: Transparent,
): number | undefined {
  const token = tokens[index]
  if (token === undefined || index >= end || token.kind !== 'name') return undefined
  if (attributeWords.has(token.text)) {
    let open = index + 1
    // asm volatile (…) at the top level.
    while (open < end && tokens[open]!.kind === 'name') open++
    return tokens[open]?.text === '(' ? closing(tokens, open, end) : open
  }
  return isTransparent?.(tokens, index)
}

/**
 * Takes a top-level declaration apart.
 * @param from its first token, `to` the one behind its last (`;` or `}`)
 */
export function parseDeclaration(
  tokens: readonly Token[],
  from: number,
  to: number,
  isTransparent?: Transparent,
): Declaration {
  const storage = new Set<string>()
  const declarators: Declarator[] = []
  const tags: Tag[] = []
  const enumerators: string[] = []
  let body: { from: number; to: number } | undefined
  let at = from
  let constant = false
  let typed = false
  const is = (text: string, index = at) => index < to && tokens[index]!.text === text
  const skip = (): boolean => {
    const end = attributeEnd(tokens, at, to, isTransparent)
    if (end === undefined) return false
    at = end
    return true
  }

  /** `struct tag { … }`: the tags in its body escape to the file. */
  const tagged = (index: number): number => {
    const keyword = tokens[index]!.text as Tag['keyword']
    let next = index + 1
    for (let end = next; end !== undefined; ) {
      next = end
      end = attributeEnd(tokens, next, to, isTransparent) as number
    }
    let name = -1
    if (next < to && tokens[next]!.kind === 'name') {
      name = next++
      for (let end: number | undefined = next; end !== undefined; ) {
        next = end
        end = attributeEnd(tokens, next, to, isTransparent)
      }
    }
    // enum tag : type {
    if (keyword === 'enum' && next < to && tokens[next]!.text === ':')
      while (next < to && tokens[next]!.text !== '{' && tokens[next]!.text !== ';') next++
    const isDefined = next < to && tokens[next]!.text === '{'
    if (name !== -1) tags.push({ keyword, name: tokens[name]!.text, at: name, isDefined })
    if (!isDefined) return name === -1 ? next : Math.max(next, name + 1)
    const end = closing(tokens, next, to)
    if (keyword === 'enum') {
      for (const part of partsOf(tokens, next + 1, end - 1)) {
        const one = tokens.slice(part.from, part.to).find(({ kind }) => kind === 'name')
        if (one !== undefined) enumerators.push(one.text)
      }
    } else
      for (let inner = next + 1; inner < end - 1; inner++)
        if (isTagWord(tokens[inner]!.text)) inner = Math.max(inner, tagged(inner) - 1)
    return end
  }

  // Specifiers.
  while (at < to) {
    const token = tokens[at]!
    if (token.kind !== 'name') break
    const { text } = token
    if (skip()) continue
    if (storageWords.has(text)) {
      storage.add(text)
      at++
    } else if (qualifiers.has(text)) {
      if (/const/.test(text)) constant = true
      at++
      if (text === '_Atomic' && is('(')) {
        at = closing(tokens, at, to)
        typed = true
      }
    } else if (typeWords.has(text)) {
      typed = true
      at++
    } else if (typeofWords.has(text) && is('(', at + 1)) {
      at = closing(tokens, at + 1, to)
      typed = true
    } else if (isTagWord(text)) {
      at = tagged(at)
      typed = true
    } else if (typed) break
    else {
      // A typedef's name, unless it is all that comes: `static foo;`, or a call of a macro.
      const next = tokens[at + 1]
      if (at + 1 >= to || (next !== undefined && /^[=;,[)]$/.test(next.text))) break
      // `number (f)(int x)` is of a type, `f(int x)` of none.
      const isOfType = tokens[at + 2]?.text === '*' || /^[([]$/.test(tokens[closing(tokens, at + 1, to)]?.text ?? '')
      if (next?.text === '(' && !isOfType) break
      typed = true
      at++
    }
  }

  /** What a name is made into by what stands around it, up to `stop`. */
  const declarator = (stop: (index: number) => boolean): Named | undefined => {
    let named: Omit<Named, 'isDerived' | 'isConst' | 'core'> | undefined
    let core = at
    let isConst = constant
    let isPointer = false
    // Brackets behind the name bind more tightly than a `*` before it; what is in parentheses comes first.
    let isDerived = false
    while (at < to && !stop(at)) {
      if (skip()) continue
      const { text, kind } = tokens[at]!
      if (text === '*') {
        isPointer = true
        isConst = false
        at++
      } else if (kind === 'name' && qualifiers.has(text)) {
        if (/const/.test(text) && isPointer) isConst = true
        at++
      } else if (kind === 'name' && named === undefined) {
        named = { name: text, at, isFunction: false }
        core = ++at
      } else if (text === '(' && named === undefined) {
        const end = closing(tokens, at, to)
        at++
        const inner = declarator((index) => index >= end - 1)
        if (inner === undefined) return undefined
        core = at = end
        named = inner
        isDerived = inner.isDerived
        if (isDerived) isConst = inner.isConst
      } else if (text === '(' || text === '[') {
        if (!isDerived && text === '(') named = { ...named!, isFunction: true }
        if (!isDerived && is(']', at + 1)) named = { ...named!, openBound: at }
        isDerived = true
        core = at = closing(tokens, at, to)
      } else at++
    }
    return named === undefined ? undefined : { ...named, core, isConst, isDerived: isDerived || isPointer }
  }

  while (at < to && !is(';') && !is('{')) {
    const start = at
    const ends = (index: number): boolean => /^(?:[;,={:])$/.test(tokens[index]!.text)
    const one = declarator(ends)
    const end = at
    // K&R: the parameters' declarations stand before the body.
    let value: { from: number; to: number } | undefined
    if (is(':')) at = findOutside(tokens, at, ',;', to)
    if (is('=')) {
      const first = at
      at = findOutside(tokens, at, ',;', to)
      value = { from: first, to: at }
    }
    if (one !== undefined) {
      const { isDerived: _, ...own } = one
      declarators.push({ ...own, from: start, to: end, ...(value === undefined ? {} : { value }) })
    }
    if (is(',')) at++
    else if (one === undefined && at === start) at++
  }
  if (is(';') && tokens[to - 1]?.text === '}') while (at < to && !is('{')) at++
  if (is('{')) body = { from: at, to: closing(tokens, at, to) }
  return { storage, declarators, tags, enumerators, ...(body === undefined ? {} : { body }) }
}
