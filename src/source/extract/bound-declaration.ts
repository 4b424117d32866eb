// SPDX-License-Identifier: GPL-3.0-or-later
// The declaration of something that is defined elsewhere, made from its definition: as written where the text allows
// it, otherwise from the expanded tokens. What only concerns the definition (static, inline, a section) is left out.

import type { MacroUses } from '../../c/expanded/macro-uses.ts'
import {
  attributeEnd,
  type Declaration,
  type Declarator,
  parseDeclaration,
  type Transparent,
} from '../../c/tokens/declarators.ts'
import { closing, isOpening, openingOf, type Token, tokenize, wordsOf } from '../../c/tokens/lexer.ts'
import { spell } from '../../c/tokens/spelling.ts'
import type { Attribute } from '../view/attributes.ts'
import type { Item } from '../view/unit-view.ts'

/** Attributes that callers or users must know. All others concern the definition only. */
const matters = new Set(
  (
    'format format_arg nonnull warn_unused_result noreturn const pure malloc aligned packed ' +
    'returns_nonnull regparm ms_abi ' +
    'sysv_abi vector_size mode cold error warning assume_aligned alloc_size alloc_align returns_twice ' +
    'transparent_union ' +
    'tls_model no_caller_saved_registers cdecl may_alias address_space btf_type_tag noderef'
  ).split(' '),
)
const definitionWords = new Set(
  'static inline __inline __inline__ extern register __extension__ auto _Noreturn'.split(' '),
)

/** The attributes' names in `__attribute__((a(1), b))`. */
function attributeNames(text: string): string[] {
  return wordsOf(text.replace(/"(?:[^"\\]|\\.)*"/g, ''))
    .filter((name) => !/^__attribute(?:__)?$/.test(name))
    .map((name) => name.replace(/^__(.*)__$/, '$1'))
}

/** Whether what a macro stands for is made of attributes and storage classes only. */
export function isDecoration(meaning: string): boolean {
  const tokens = tokenize(meaning)
  for (let at = 0; at < tokens.length; ) {
    const { text } = tokens[at]!
    const end = /^__attribute(?:__)?$/.test(text) ? attributeEnd(tokens, at, tokens.length) : undefined
    if (end === undefined && !definitionWords.has(text)) return false
    at = end ?? at + 1
  }
  return true
}

/** Whether an attribute, or a macro that stands for some, is left out of a declaration. */
function isOmitted(meaning: string): boolean {
  if (meaning.trim() === '') return false
  const outside = meaning.replace(/\([\s\S]*\)/, ' ')
  if (wordsOf(outside).some((name) => definitionWords.has(name))) return true
  const first = attributeNames(meaning)
  return !first.every((name) => matters.has(name) || /^\d|^(?:printf|scanf|gnu_printf)$/.test(name)) && !isSized(first)
}

/** Whether callers or users must know it. */
export function isForUsers({ name }: Attribute): boolean {
  return matters.has(name)
}

/** An alignment may be computed of anything. */
function isSized(names: readonly string[]): boolean {
  return names[0] === 'aligned'
}

/** Tells macros that declare nothing, in text as written. */
export function transparentIn(definitions: MacroUses): Transparent {
  return (tokens, index) => {
    const { text, line } = tokens[index]!
    if (!definitions.isMacro(text, line)) return undefined
    const meaning = definitions.meaning(text, line)
    if (meaning === undefined || !isDecoration(meaning)) return undefined
    return tokens[index + 1]?.text === '(' && definitions.hasParameters(text, line)
      ? closing(tokens, index + 1)
      : index + 1
  }
}

export interface DeclarationText {
  readonly text: string
  /** The tokens that are in it, for the macros that it uses. */
  readonly tokens: readonly Token[]
}

export interface DeclarationRequest {
  readonly item: Item
  readonly name: string
  /** The name it gets. */
  readonly as: string
  /** Stands before it: `extern ` or nothing. */
  readonly prefix: string
  /** Stands behind its declarator, before attributes: an asm label or nothing. */
  readonly label: string
  /** Stand in the place of its own ones, whose type is defined elsewhere. */
  readonly specifiers?: string
  /** The bound of an array whose initial value has told it. */
  readonly bound?: string
  /** What other declarations of it say besides. */
  readonly attributes?: readonly Attribute[]
}

/** Token ranges (end exclusive) to leave out: storage classes and attributes that don't matter. */
function omissions(
  tokens: readonly Token[],
  from: number,
  to: number,
  isTransparent: Transparent | undefined,
  meaningOf: (from: number, to: number) => string,
): [number, number][] {
  const left: [number, number][] = []
  for (let at = from; at < to; at++) {
    const { text, kind } = tokens[at]!
    if (kind !== 'name') {
      if (isOpening(tokens[at]!)) at = closing(tokens, at, to) - 1
      continue
    }
    if (definitionWords.has(text)) left.push([at, at + 1])
    else {
      const end = attributeEnd(tokens, at, to, isTransparent)
      if (end === undefined) continue
      const meaning = meaningOf(at, end)
      if (isOmitted(meaning) || /^(?:asm|__asm__)/.test(text)) left.push([at, end])
      at = end - 1
    }
  }
  return left
}

/** Where the specifiers of a declaration end: where its first declarator begins. */
function specifiersEnd(declaration: Declaration): number {
  return declaration.declarators[0]!.from
}

/** What of the tokens stays: the specifiers and the declarator. */
function assemble(
  tokens: readonly Token[],
  declaration: Declaration,
  declarator: Declarator,
  omitted: readonly [number, number][],
  start: number,
): { kept: Token[]; core: number } {
  const kept: Token[] = []
  const isOmitted = (at: number) => omitted.some(([from, to]) => at >= from && at < to)
  const put = (from: number, to: number) => {
    for (let at = from; at < to; at++) if (!isOmitted(at)) kept.push(tokens[at]!)
  }
  put(start, specifiersEnd(declaration))
  put(declarator.from, declarator.core)
  const core = kept.length
  put(declarator.core, declarator.to)
  return { kept, core }
}

/** Kept tokens as text: with the white space of the original between neighbours. */
function join(source: string | undefined, tokens: readonly Token[], all: readonly Token[]): string {
  if (source === undefined) return spell(tokens)
  let text = ''
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]!
    if (index > 0) {
      const before = tokens[index - 1]!
      text += between(source, before, token, all)
    }
    text += token.text
  }
  return text
}

/** Adds what the request wants to the kept tokens. */
function finish(
  request: DeclarationRequest,
  source: string | undefined,
  all: readonly Token[],
  kept: readonly Token[],
  core: number,
  nameToken: Token,
  openBound: Token | undefined,
): DeclarationText {
  const part = (tokens: readonly Token[]): string => join(source, tokens, all)
  let before = part(kept.slice(0, core))
  if (request.as !== request.name) {
    const at = kept.indexOf(nameToken)
    const ahead = joinEnd(part(kept.slice(0, at)), source, all, kept, at)
    const behind = joinEnd('', source, all, kept, at + 1) + part(kept.slice(at + 1, core))
    before = `${ahead}${request.as}${behind}`
  }
  if (openBound !== undefined && request.bound !== undefined) before = before.replace(/\[\s*\]/, `[${request.bound}]`)
  const after = part(kept.slice(core))
  const label = request.label === '' ? '' : ` ${request.label}`
  const others = (request.attributes ?? []).map((one) => one.text).join(', ')
  const besides = others === '' ? '' : ` __attribute__((${others}))`
  const specifiers = request.specifiers === undefined ? '' : `${request.specifiers} `
  const rest = after === '' ? '' : ` ${after}`
  const text = `${request.prefix}${specifiers}${before}${label}${rest}${besides};`
  return { text: text.replace(/[ \t]+$/gm, ''), tokens: kept }
}

/** The white space between kept tokens `at - 1` and `at`, behind `text`. */
function joinEnd(
  text: string,
  source: string | undefined,
  all: readonly Token[],
  kept: readonly Token[],
  at: number,
): string {
  const before = kept[at - 1]
  const token = kept[at]
  if (before === undefined || token === undefined) return text
  if (source === undefined) return /^[*(]$/.test(before.text) || /^[[(,;)]$/.test(token.text) ? text : `${text} `
  return text + between(source, before, token, all)
}

/**
 * What stands between two kept tokens: the white space of the original where they are neighbours, and no directive
 * between them.
 */
function between(source: string, before: Token, token: Token, all: readonly Token[]): string {
  const gap = source.slice(before.end, token.start)
  return all[all.indexOf(before) + 1] === token && !/\n[ \t]*#/.test(gap) ? gap : ' '
}

/**
 * A declaration of `name`, which `item` defines.
 * @param source the written text, in which the item's chunk has its tokens
 */
export function declarationOf(request: DeclarationRequest, source: string, definitions: MacroUses): DeclarationText {
  const { item, name } = request
  const expandedOne = item.declaration.declarators.find((one) => one.name === name)!
  const { tokens } = item.chunk
  if (item.chunk.items.length === 1) {
    const isTransparent = transparentIn(definitions)
    const declaration = parseDeclaration(tokens, 0, tokens.length, isTransparent)
    const one = declaration.declarators.find((candidate) => candidate.name === name)
    const isPlain =
      one !== undefined &&
      one.isFunction === expandedOne.isFunction &&
      (item.declaration.body === undefined) === (declaration.body === undefined) &&
      !isParameterList(tokens, declaration, one)
    if (isPlain) {
      const meaningOf = (from: number, to: number): string => {
        const { text, line } = tokens[from]!
        return (
          definitions.meaning(text, line) ??
          tokens
            .slice(from, to)
            .map((token) => token.text)
            .join(' ')
        )
      }
      const omitted = [
        ...omissions(tokens, 0, specifiersEnd(declaration), isTransparent, meaningOf),
        ...omissions(tokens, one.from, one.to, isTransparent, meaningOf),
      ]
      const start = request.specifiers === undefined ? 0 : specifiersEnd(declaration)
      const { kept, core } = assemble(tokens, declaration, one, omitted, start)
      return finish(request, source, tokens, kept, core, tokens[one.at]!, openBoundOf(tokens, one))
    }
  }
  const all = item.tokens
  const meaningOf = (from: number, to: number): string =>
    all
      .slice(from, to)
      .map((token) => token.text)
      .join(' ')
  const omitted = [
    ...omissions(all, 0, specifiersEnd(item.declaration), undefined, meaningOf),
    ...omissions(all, expandedOne.from, expandedOne.to, undefined, meaningOf),
  ]
  const isOld = isParameterList(all, item.declaration, expandedOne)
  // Of a function in the style of K&R, a declaration says nothing about the parameters.
  const parts = isOld
    ? { ...item.declaration, declarators: [{ ...expandedOne, to: expandedOne.core }] }
    : item.declaration
  const { kept: found, core: foundCore } = assemble(
    all,
    parts,
    parts.declarators.find((one) => one.name === name)!,
    omitted,
    request.specifiers === undefined ? 0 : specifiersEnd(item.declaration),
  )
  const last = expandedOne.core - 1
  const open = all[openingOf(all, last)]!
  const kept = isOld ? found.filter((token) => token.start <= open.start || token === all[last]) : found
  const core = isOld ? kept.length : foundCore
  return {
    ...finish(request, undefined, all, kept, core, all[expandedOne.at]!, openBoundOf(all, expandedOne)),
    tokens: [],
  }
}

function openBoundOf(tokens: readonly Token[], one: Declarator): Token | undefined {
  return one.openBound === undefined ? undefined : tokens[one.openBound]
}

/** K&R: `f(a, b) int a; …`: the parameters' types stand behind; as a declaration that is `f()`. */
export function isParameterList(tokens: readonly Token[], { body }: Declaration, one: Declarator): boolean {
  // A prototype has none: what stands behind its parentheses are attributes.
  if (!one.isFunction || body === undefined) return false
  return tokens[one.core]?.kind === 'name' && tokens.slice(one.core, one.to + 1).some(({ text }) => text === ';')
}

/** Whether a word says only that a function is private or inline. */
export function isDefinitionWord(word: string): boolean {
  return /^(?:static|extern|inline|__inline|__inline__|__always_inline)$/.test(word)
}

/** What a macro in a head stands for, without what concerns only a private or inline definition. */
export function withoutDefinitionWords(text: string): string {
  return text
    .replace(/\b(?:static|extern|inline|__inline|__inline__)\b/g, ' ')
    .replace(/__attribute__\s*\(\(\s*(?:__)?(?:gnu_inline|always_inline|unused)(?:__)?\s*\)\)/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}

/** A function's head without what says that it is private or inline, and what is only said of such. */
export function withoutLinkage(tokens: readonly Token[]): Token[] {
  const kept: Token[] = []
  for (let at = 0; at < tokens.length; at++) {
    const end = attributeEnd(tokens, at, tokens.length)
    if (end !== undefined) {
      const names = tokens.slice(at, end).map(({ text }) => text)
      if (!names.some((text) => /^(?:__)?(?:gnu_inline|always_inline|unused)(?:__)?$/.test(text)))
        kept.push(...tokens.slice(at, end))
      at = end - 1
    } else if (!/^(?:static|extern|inline|__inline|__inline__)$/.test(tokens[at]!.text)) kept.push(tokens[at]!)
  }
  return kept
}
