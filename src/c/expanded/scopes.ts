// SPDX-License-Identifier: GPL-3.0-or-later
// Which names are local inside of one top-level declaration, and how far (C11, 6.2.1), with GNU's statement expressions
// and local labels. Macros must be expanded. In doubt a word is no local name: that makes a use too many, never one too
// few.
import { addTo } from '../../ground/values/grouped.ts'
import { attributeEnd, type Declarator, parseDeclaration } from '../tokens/declarators.ts'
import { findOutside, isClosing, isOpening, partsOf, type Token } from '../tokens/lexer.ts'
import { isSpecifier, isTagWord, keywords, qualifiers } from '../tokens/words.ts'

/** Where names are declared inside of one top-level declaration. Offsets are those of its tokens. */
export interface Scopes {
  /** Each local name: from where to where it hides a name of the file. */
  readonly locals: ReadonlyMap<string, readonly { readonly from: number; readonly to: number }[]>
  /** Offsets of words that are members or labels. */
  readonly others: ReadonlySet<number>
}

/** Brackets that are open. */
interface Frame {
  /**
   * `block`: statements. `members`: of a struct or union. `enumerators`. `value`: braces of an initial value. `other`:
   * parentheses and square brackets.
   */
  readonly kind: 'block' | 'members' | 'enumerators' | 'value' | 'other'
  /** The index of the opening one. */
  readonly at: number
  /** The offset behind them. */
  readonly end: number
  /** A statement, a member or an enumerator begins with the next token. */
  begins: boolean
  /** In `case …`: conditional operators whose colon has not come yet. */
  conditions?: number | undefined
}

const control = /^(?:if|while|for|switch)$/

/** The scopes of the declaration that `tokens` are. */
export function scopesOf(tokens: readonly Token[]): Scopes {
  const reader = new ScopeReader(tokens)
  reader.read()
  return reader
}

class ScopeReader implements Scopes {
  readonly locals = new Map<string, { from: number; to: number }[]>()
  readonly others = new Set<number>()
  /** By the index of an opening bracket, the index behind the one that closes it. */
  readonly #ends: Int32Array
  readonly #open: Frame[] = []
  /** The braces of types, by the index of the opening one. */
  readonly #types = new Map<number, 'members' | 'enumerators'>()

  constructor(private readonly tokens: readonly Token[]) {
    this.#ends = bracketEnds(tokens)
  }

  read(): void {
    const tokens = this.tokens
    const { declarators, body } = parseDeclaration(tokens, 0, tokens.length)
    for (const one of declarators) this.#parameters(one, body === undefined ? undefined : tokens.at(-1)!.end)
    for (const [at, token] of tokens.entries()) {
      if (token.kind === 'name') this.#name(at)
      else if (token.kind !== 'punctuator') this.#pass()
      else if (isOpening(token)) this.#push(at, at === body?.from)
      else if (isClosing(token)) this.#pop()
      else this.#mark(token.text)
    }
  }

  /** Something that begins nothing has been read. */
  #pass(): void {
    const frame = this.#open.at(-1)
    if (frame !== undefined) frame.begins = false
  }

  #name(at: number): void {
    const tokens = this.tokens
    const { text, start } = tokens[at]!
    const [before, behind] = [tokens[at - 1]?.text, tokens[at + 1]?.text]
    const frame = this.#open.at(-1)
    if (isTagWord(text)) this.#type(at)
    if (frame?.begins === true) {
      frame.begins = text === 'else' || text === 'do' || text === '__extension__'
      if (frame.kind === 'members') this.#member(at)
      else if (frame.kind === 'enumerators') this.#declare(at, this.#blockEnd())
      else if (text === 'case' || text === 'default') frame.conditions = 0
      else if (behind === ':') {
        this.others.add(start)
        frame.conditions = 0
      } else this.#statement(at, frame.end)
    } else if (before === 'goto') this.others.add(start)
    // { member: value }, as GNU has it.
    else if (frame?.kind === 'value' && behind === ':' && (before === '{' || before === ',')) this.others.add(start)
  }

  /** Notes where the braces of a type open, if they do. */
  #type(at: number): void {
    const tokens = this.tokens
    let brace = at + 1
    for (let named = false; tokens[brace]?.kind === 'name'; ) {
      const attribute = attributeEnd(tokens, brace, tokens.length)
      if (attribute === undefined && named) return
      named ||= attribute === undefined
      brace = attribute ?? brace + 1
    }
    if (tokens[brace]?.text === '{') this.#types.set(brace, tokens[at]!.text === 'enum' ? 'enumerators' : 'members')
  }

  #push(at: number, isBody: boolean): void {
    const tokens = this.tokens
    const outer = this.#open.at(-1)
    const before = tokens[at - 1]?.text
    let kind: Frame['kind'] = 'other'
    if (tokens[at]!.text === '{') {
      const isBlock = isBody || before === '(' || (outer?.kind === 'block' && outer.begins)
      kind = this.#types.get(at) ?? (isBlock ? 'block' : 'value')
    }
    if (before === 'for' && isDeclaration(tokens, at + 1, this)) {
      const behind = this.#behindStatement(this.#ends[at]!)
      this.#declared(at + 1, tokens[behind - 1]!.end)
    }
    if (outer !== undefined) outer.begins = false
    this.#open.push({
      kind,
      at,
      end: tokens[this.#ends[at]! - 1]!.end,
      begins: kind !== 'other' && kind !== 'value',
    })
  }

  #pop(): void {
    const closed = this.#open.pop()
    const outer = this.#open.at(-1)
    if (closed === undefined || outer?.kind !== 'block') return
    outer.begins =
      closed.kind === 'block' || (closed.kind === 'other' && control.test(this.tokens[closed.at - 1]?.text ?? ''))
  }

  #mark(text: string): void {
    const frame = this.#open.at(-1)
    if (frame === undefined) return
    const { kind } = frame
    frame.begins = kind === 'enumerators' ? text === ',' : text === ';' && (kind === 'block' || kind === 'members')
    if (frame.conditions === undefined) return
    if (text === '?') frame.conditions++
    else if (text === ':' && frame.conditions-- === 0) {
      frame.begins = true
      frame.conditions = undefined
    }
  }

  #member(at: number): void {
    for (const one of parseDeclaration(this.tokens, at, this.#behindSemicolon(at)).declarators) {
      this.others.add(this.tokens[one.at]!.start)
      this.#parameters(one)
    }
  }

  /** What the declaration at `at` declares, if there is one. */
  #statement(at: number, end: number): void {
    if (this.tokens[at]!.text === '__label__') {
      let next = at + 1
      for (; this.tokens[next + 1]?.text === ','; next += 2) this.#declare(next, end)
      this.#declare(next, end)
    } else if (isDeclaration(this.tokens, at, this)) this.#declared(at, end)
  }

  /** @param end the offset up to which the names are known */
  #declared(at: number, end: number): void {
    for (const one of parseDeclaration(this.tokens, at, this.#behindSemicolon(at)).declarators) {
      this.#declare(one.at, end)
      this.#parameters(one)
    }
  }

  #declare(at: number, to: number): void {
    const { text, start } = this.tokens[at]!
    addTo(this.locals, text, { from: start, to })
  }

  /**
   * The parameters that a declarator names.
   * @param end of a function with a body: the offset behind it
   */
  #parameters({ from, to, at }: Declarator, end?: number): void {
    const tokens = this.tokens
    for (let index = from, first = true; index < to; index++) {
      const attribute = attributeEnd(tokens, index, to)
      if (attribute !== undefined) index = attribute - 1
      else if (isOpening(tokens[index]!)) {
        const behind = this.#ends[index]!
        // Around the name, and not behind it.
        if (index < at && at < behind) continue
        if (index > at && tokens[index]!.text === '(') {
          this.#list(index, first ? end : undefined)
          first = false
        }
        index = behind - 1
      }
    }
  }

  #list(open: number, end: number | undefined): void {
    const tokens = this.tokens
    const close = this.#ends[open]! - 1
    const known = end ?? tokens[close]!.end
    // f(a, b) int a; { … }
    const next = tokens[close + 1]
    const isOldStyle =
      end !== undefined && next?.kind === 'name' && attributeEnd(tokens, close + 1, close + 2) === undefined
    for (const { from, to } of partsOf(tokens, open + 1, close)) {
      const [one] = parseDeclaration(tokens, from, to).declarators
      // A type alone, `f(foo_t)`, names nobody.
      if (one !== undefined && (isOldStyle || hasType(tokens, from, one.at))) {
        this.#declare(one.at, known)
        this.#parameters(one)
      }
    }
  }

  #behindSemicolon(at: number): number {
    const tokens = this.tokens
    const end = findOutside(tokens, at, ';)]}')
    return tokens[end]?.text === ';' ? end + 1 : end
  }

  #behindStatement(at: number): number {
    const tokens = this.tokens
    for (let next = at; ; next++) {
      const text = tokens[next]?.text
      if (text === undefined) return tokens.length
      if (text === 'do') next = this.#behindSemicolon(this.#behindStatement(next + 1)) - 1
      else if (text === '{') next = this.#ends[next]! - 1
      else if (control.test(text)) {
        next = this.#ends[next + 1]! - 1
        continue
      } else if (text !== 'else') next = this.#behindSemicolon(next) - 1
      else continue
      if (tokens[next + 1]?.text !== 'else') return next + 1
    }
  }

  /** The end of the innermost block. */
  #blockEnd(): number {
    return this.#open.findLast(({ kind }) => kind === 'block')?.end ?? this.tokens.at(-1)!.end
  }
}

/** By the index of an opening bracket, the index behind the one that closes it. */
function bracketEnds(tokens: readonly Token[]): Int32Array {
  const ends = new Int32Array(tokens.length).fill(tokens.length)
  const open: number[] = []
  for (const [at, token] of tokens.entries()) {
    if (isOpening(token)) open.push(at)
    else if (isClosing(token) && open.length > 0) ends[open.pop()!] = at + 1
  }
  return ends
}

/** Whether there is more than qualifiers before a name. */
function hasType(tokens: readonly Token[], from: number, name: number): boolean {
  for (let at = from; at < name; at++) {
    const attribute = attributeEnd(tokens, at, name)
    if (attribute !== undefined) at = attribute - 1
    else if (tokens[at]!.kind === 'name' && !qualifiers.has(tokens[at]!.text) && tokens[at]!.text !== 'register')
      return true
  }
  return false
}

/** Whether a statement is a declaration; one of a typedef's name is told by what follows it. */
function isDeclaration(tokens: readonly Token[], from: number, { locals }: Scopes): boolean {
  let at = from
  for (let end: number | undefined = at; end !== undefined; ) {
    at = end
    end = tokens[at]?.text === '__extension__' ? at + 1 : attributeEnd(tokens, at, tokens.length)
  }
  const token = tokens[at]
  if (token?.kind !== 'name') return false
  if (isSpecifier(token.text)) return true
  if (keywords.has(token.text)) return false
  let next = at + 1
  const text = () => tokens[next]?.text
  if (tokens[next]?.kind === 'name') return true
  if (text() !== '*' && text() !== '(') return false
  // A variable of the function is no type: `a * b`.
  if (locals.get(token.text)?.some(({ from, to }) => token.start >= from && token.start < to) === true) return false
  // type (*name)(…), type *(*name)(…), type *name
  while (text() === '*' || qualifiers.has(text() ?? '')) next++
  if (text() === '(') {
    if (tokens[next + 1]?.text !== '*') return false
    while (/^[(*]$/.test(text() ?? '') || qualifiers.has(text() ?? '')) next++
    return (
      tokens[next]?.kind === 'name' &&
      /^[)[(]$/.test(tokens[next + 1]?.text ?? '') &&
      /^[([]$/.test(tokens[next + 2]?.text ?? '')
    )
  }
  if (tokens[next]?.kind !== 'name' || keywords.has(text()!)) return false
  const behind = tokens[next + 1]
  if (behind?.kind === 'name') return true
  // The last statement of ({ … }) has a value.
  if (behind?.text === ';') return !(tokens[next + 2]?.text === '}' && tokens[next + 3]?.text === ')')
  return /^[=,[]$/.test(behind?.text ?? '')
}
