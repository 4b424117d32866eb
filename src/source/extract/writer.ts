// SPDX-License-Identifier: GPL-3.0-or-later
// Writes what the closure found as a C file: in the order of the original and, wherever that is possible, in its very
// words.

import { type MacroUses, macroUses } from '../../c/expanded/macro-uses.ts'
import { plainest, typeIn, typeThrough } from '../../c/expanded/split-declaration.ts'
import type { Declarator } from '../../c/tokens/declarators.ts'
import { type Token, wordsOf } from '../../c/tokens/lexer.ts'
import { spell } from '../../c/tokens/spelling.ts'
import type { Directive } from '../../c/written/written-lines.ts'
import { lazy } from '../../ground/values/remembered.ts'
import { definitionOf, isInline, isOnlyForInlining } from '../view/declared-names.ts'
import type { RunningSymbol, SourceRequest, SourceUnit } from '../view/request.ts'
import { type Chunk, type Item, isDeclaredByHeaders, type View } from '../view/unit-view.ts'
import { tokensIn, writtenBody } from '../view/written-body.ts'
import { commentLines, type Edit, linesOf, type Piece, tokensOfEdit, withComment } from '../view/written-piece.ts'
import type { Bounds } from './array-bounds.ts'
import { declarationOf, isForUsers, withoutLinkage } from './bound-declaration.ts'
import { type LocalText, localEdits, withBoundLocals } from './bound-statics.ts'
import type { Closure } from './closure.ts'
import { CopiedFunctions } from './copied-functions.ts'
import { collectHeaderParameters } from './header-parameters.ts'
import { directivePieces, layOut } from './output-order.ts'
import { renamedWords } from './renaming.ts'
import { isSystemCall } from './system-call.ts'

/**
 * With what a declaration says what it is bound to; nothing when its own name says it.
 * @param label an asm label that the unit gives it
 */
function labelOf(
  name: string,
  { object, symbol, position }: RunningSymbol,
  isPrivate: boolean,
  label?: string,
): string {
  const isNamed = object === undefined || !isPrivate
  if (label !== undefined && position === undefined && isNamed) return `asm("${label}")`
  return symbol === name && position === undefined && isNamed
    ? ''
    : `LIVEPATCH_SYMBOL(${object ?? 'vmlinux'}, ${symbol}, ${position ?? 0})`
}

/**
 * The C file.
 * @param bounds of arrays whose initial values tell them
 * @param inlining of the request
 * @param isIncluded whether an #include stays, by its line
 */
export function writeSource(
  view: View,
  closure: Closure,
  unit: SourceUnit,
  bounds: Bounds,
  inlining: SourceRequest['inlining'],
  isIncluded: (line: number) => boolean = () => true,
): string {
  return new SourceWriter(view, closure, bounds, inlining).write(unit, isIncluded)
}

class SourceWriter {
  readonly #written: View['written']
  readonly #source: string
  readonly #definitions: MacroUses
  readonly #comments: ReadonlyMap<number, number>
  readonly #copies: CopiedFunctions
  readonly #renamed: ReadonlyMap<string, string>
  /** How the running kernel's static variables are declared. */
  readonly #localText: LocalText
  readonly #pieces: Piece[] = []
  readonly #used = lazy(() => this.#definitions.kept())

  constructor(
    private readonly view: View,
    private readonly closure: Closure,
    private readonly bounds: Bounds,
    inlining: SourceRequest['inlining'],
  ) {
    this.#written = view.written
    this.#source = view.written.probed.text
    this.#definitions = macroUses(view.written, view.expanded)
    this.#comments = commentLines(view.written)
    this.#copies = new CopiedFunctions(closure, this.#definitions, inlining)
    this.#renamed = closure.renamed
    this.#localText = {
      source: this.#source,
      definitions: this.#definitions,
      label: ({ as, running }) => labelOf(as, running, true),
      bound: ({ local }) => bounds.ofLocal.get(local),
    }
  }

  write(unit: SourceUnit, isIncluded: (line: number) => boolean): string {
    for (const [type, line] of this.closure.forwards)
      this.#pieces.push({ from: line, to: line, kind: 'declaration', text: () => `${type};\n` })
    for (const one of this.view.chunks) this.#chunk(one)
    const keepsIncludes = !this.view.chunks.some(({ from }) => from < 0)
    if (keepsIncludes) this.#collectIncluded(unit, isIncluded)
    const directives = directivePieces(
      this.view,
      (one) => (one.macro === undefined ? isIncluded(one.from) : this.#keeps(one)),
      this.#pieces,
      this.#comments,
      this.#renamed,
    )
    if (keepsIncludes) return layOut([...this.#pieces, ...directives], this.#written)
    const macros = this.#definitions.fromHeaders().join('')
    const before: Piece = { from: 0, to: 0, kind: 'macro', text: () => macros }
    const kept = directives.filter(({ kind }) => kind !== 'include')
    return layOut([...this.#pieces, ...(macros === '' ? [] : [before]), ...kept], this.#written)
  }

  /** Counts the macros for which the included headers ask, and those by which an #include names one. */
  #collectIncluded(unit: SourceUnit, isIncluded: (line: number) => boolean): void {
    collectHeaderParameters(
      unit,
      this.view.expanded.parts.filter(({ line }) => isIncluded(line)),
      this.#definitions,
    )
    for (const { name, argument, from } of this.#written.probed.directives)
      if (name === 'include' && !/^\s*["<]/.test(argument) && isIncluded(from))
        for (const word of wordsOf(argument)) this.#definitions.collectState(word, from)
  }

  readonly #keeps = (directive: Directive): boolean => this.#used().has(directive)

  /** The pieces of a chunk; which #defines stay in it is known only when all is written. */
  #chunk(one: Chunk) {
    const needed = one.items.filter(
      (item) =>
        this.closure.whole.has(item) ||
        this.closure.typesOnly.has(item) ||
        item.declaration.declarators.some(({ name }) => this.closure.bindings.get(name)?.first === item),
    )
    if (needed.length === 0) return
    const defines = one.items.filter((item) =>
      item.declaration.declarators.some(({ name }) => definitionOf(item, name)),
    )
    const asWritten =
      one.tokens.length > 0 &&
      !this.#definitions.counts(one.tokens) &&
      needed.some((item) => this.closure.whole.has(item)) &&
      defines.every((item) => this.closure.whole.has(item)) &&
      needed.every((item) => this.closure.whole.has(item) && !this.#isDivided(item)) &&
      (one.items.length === 1 || !defines.some((item) => this.#hasOtherDeclarator(item)))
    // A replaced function whose address is taken: the address is that of the running one.
    for (const { declaration, chunk: own } of needed.filter(
      (item) => this.closure.whole.has(item) && item.declaration.body !== undefined,
    ))
      for (const { name } of declaration.declarators)
        if (this.closure.bindings.get(name)?.first.chunk === own) this.#declare(name, own.from - 0.5, own.from - 0.5)
    if (isSystemCall(one, needed, this.closure)) this.#systemCall(one, needed)
    else if (asWritten) this.#verbatim(one, needed)
    else for (const item of one.items) if (needed.includes(item)) this.#single(item)
  }

  #verbatim(one: Chunk, needed: readonly Item[]) {
    const target = needed.find((item) => this.closure.targets.get(item.declaration.declarators[0]?.name ?? '') === item)
    const edits = this.#editsIn(one.tokens, needed, one.from)
    const top =
      target === undefined &&
      needed.every((item) => item.declaration.body === undefined && item.declaration.tags.length === 0)
        ? one.from
        : withComment(this.#written, this.#comments, one.from)
    let prefix = ''
    let all = [...edits, ...this.#renames(needed, one.tokens)]
    const [own] = needed
    const name = own?.declaration.body === undefined ? undefined : own.declaration.declarators[0]?.name
    const as = name === undefined ? undefined : this.#renamed.get(name)
    for (const item of needed)
      if (item.declaration.body !== undefined) this.#prototype(item, item.declaration.declarators[0]!.name)
    if (own !== undefined && name !== undefined && as !== undefined) {
      all = [...all, ...this.#copies.linkageEdits(own)]
      if (target === undefined) prefix = `static ${this.#copies.inliningWord(own, name)}`
    } else if (target?.declaration.storage.has('static') === true) prefix = '__attribute__((__used__))\n'
    else if (own !== undefined && name !== undefined && target === undefined && one.items.length === 1)
      all = [...all, ...this.#copies.inliningEdits(own, name)]
    const origin = needed.some((item) => item.declaration.body !== undefined) ? this.#originOf(one.from) : ''
    const text = () =>
      origin + this.#commentAbove(top, one.from) + prefix + linesOf(this.#written, one.from, one.to, this.#keeps, all)
    this.#pieces.push({ from: one.from, top, to: one.to, kind: 'definition', text })
  }

  /** A system call as it is written; macros give its functions their names. */
  #systemCall(one: Chunk, needed: readonly Item[]) {
    const edits = this.#editsIn(one.tokens, needed, one.from)
    const top = withComment(this.#written, this.#comments, one.from)
    const names = needed.flatMap(({ declaration }) =>
      declaration.declarators.slice(0, 1).flatMap(({ name }) => (this.#renamed.has(name) ? [name] : [])),
    )
    const own = [...new Set(names)].sort()
    const define = own.map((name) => `#define ${name} ${this.#renamed.get(name)}\n`).join('')
    const undef = own.map((name) => `#undef ${name}\n`).join('')
    const text = () =>
      this.#originOf(one.from) +
      this.#commentAbove(top, one.from) +
      define +
      linesOf(this.#written, one.from, one.to, this.#keeps, [...edits, ...this.#renames(needed, one.tokens)]) +
      undef
    this.#pieces.push({ from: one.from, top, to: one.to, kind: 'definition', text })
  }

  /**
   * A function that has a name of its own is declared before its first use; one for other files, or one of which other
   * declarations say more than its definition, in any case.
   */
  #prototype(item: Item, name: string) {
    const as = this.#renamed.get(name)
    const isTarget = this.closure.targets.get(name) === item
    const user = this.closure.firstUse(name)
    const isEarly = as !== undefined && user !== undefined && user.chunk.from < item.chunk.from
    const attributes = isOnlyForInlining(item) ? [] : this.#copies.attributesFor(item, name)
    if (!(isTarget && as !== undefined) && !isEarly && attributes.length === 0) return
    const { storage } = item.declaration
    const isPrivate = as === undefined ? storage.has('static') : !isTarget
    const prefix = `${isPrivate ? 'static ' : ''}${as === undefined && isInline(item) ? 'inline ' : ''}`
    const declaration = declarationOf(
      { item, name, as: as ?? name, prefix, label: '', attributes },
      this.#source,
      this.#definitions,
    )
    this.#definitions.collect(declaration.tokens)
    const line = (isEarly ? user.chunk : item.chunk).from - 0.5
    this.#pieces.push({ from: line, to: line, kind: 'declaration', text: () => `${declaration.text}\n` })
  }

  /** One declaration of several that a macro makes, or one that is only declared. */
  #single(item: Item): void {
    const { from, to } = item.chunk
    const { declarators } = item.declaration
    const isBound = ({ name }: Declarator) => this.closure.bindings.get(name)?.first === item
    const bound = declarators.filter(isBound)
    if (this.closure.whole.has(item) && (bound.length === 0 || item.declaration.body !== undefined)) {
      this.#expandedDefinition(item)
      return
    }
    const others = this.closure.whole.has(item) ? declarators.filter((one) => !isBound(one)) : []
    const type = typeIn(item.tokens, item.declaration)
    const isTypeAlone =
      type?.name !== undefined && (this.closure.typesOnly.has(item) || bound.length + others.length > 1)
    const specifiers = item.tokens.slice(0, declarators[0]!.from)
    if (isTypeAlone || (this.closure.typesOnly.has(item) && bound.length === 0)) {
      const tokens = specifiers.filter(({ text }) => !/^(?:static|const)$/.test(text))
      this.#definitions.collectSpelled(tokens)
      this.#pieces.push({ from, to, kind: 'definition', isSpelled: true, text: () => `${spell(tokens)};\n` })
    }
    // A type without a name is that of the first one that is declared.
    const first = plainest(bound)
    const ordered = first === undefined ? [] : [first, ...bound.filter((one) => one !== first)]
    const typeFor = (one: Declarator): string | undefined => {
      if (isTypeAlone) return type.name
      return type === undefined || one === first || first === undefined ? undefined : typeThrough(item.tokens, first)
    }
    for (const one of ordered) this.#declare(one.name, from, to, typeFor(one))
    for (const one of others) {
      const own = typeFor(one)
      const front = own === undefined ? spell(specifiers) : `static ${own}`
      const rest = spell(item.tokens.slice(one.from, one.value?.to ?? one.to))
      this.#definitions.collectSpelled(item.tokens)
      this.#pieces.push({ from, to, kind: 'definition', isSpelled: true, text: () => `${front} ${rest};\n` })
    }
  }

  #declare(name: string, from: number, to: number, specifiers?: string) {
    const { kind, running, item, label: symbol } = this.closure.bindings.get(name)!
    const isPrivate = item.declaration.storage.has('static')
    const label = labelOf(name, running, isPrivate, symbol)
    const bound = this.bounds.ofName.get(name)
    // A header may declare an array without its bound.
    const attributes = this.closure.attributesBeside(item, name).filter(isForUsers)
    if (label === '' && !isPrivate && bound === undefined && attributes.length === 0)
      if (isDeclaredByHeaders(this.view, name, kind === 'function')) return
    const declaration = declarationOf(
      {
        item,
        name,
        as: name,
        prefix: 'extern ',
        label,
        attributes,
        ...(specifiers === undefined ? {} : { specifiers }),
        ...(bound === undefined ? {} : { bound: `${bound}` }),
      },
      this.#source,
      this.#definitions,
    )
    this.#definitions.collect(declaration.tokens)
    this.#pieces.push({ from, to, kind: 'declaration', text: () => `${declaration.text}\n` })
  }

  /** A definition that only the expanded text has; the body of a function as written where it is there. */
  #expandedDefinition(item: Item) {
    const { chunk: own, tokens, declaration } = item
    const [one] = declaration.declarators
    const as = one === undefined ? undefined : this.#renamed.get(one.name)
    const isTarget = one !== undefined && this.closure.targets.get(one.name) === item
    const others = new Set(renamedWords(this.closure, [item], tokens))
    const words = withBoundLocals(item, this.closure.locals.get(item) ?? [], this.#localText, (token) =>
      others.has(token) ? { ...token, text: this.#renamed.get(token.text)! } : token,
    )
    const isStatic = declaration.storage.has('static')
    const prefix =
      as !== undefined ? (isTarget ? '' : 'static ') : isTarget && isStatic ? '__attribute__((__used__))\n' : ''
    const top = isTarget ? withComment(this.#written, this.#comments, own.from) : own.from
    if (one !== undefined && declaration.body !== undefined) this.#prototype(item, one.name)
    const { body } = declaration
    const declarationEnd = body?.from ?? words.length
    const front = spell(
      as === undefined ? words.slice(0, declarationEnd) : withoutLinkage(words.slice(0, declarationEnd)),
    )
    const place = this.#definitions.counts(own.tokens) ? undefined : writtenBody(item)
    if (body === undefined || place === undefined) {
      const rest = body === undefined ? '' : `\n${spell(words.slice(body.from))}`
      const origin = body === undefined ? '' : this.#originOf(own.from)
      const text = () => `${origin}${this.#commentAbove(top, own.from)}${prefix}${front}${rest}\n`
      this.#definitions.collectSpelled(tokens)
      this.#pieces.push({ from: own.from, top, to: own.to, kind: 'definition', isSpelled: true, text })
      return
    }
    this.#definitions.collectSpelled(tokens.slice(0, declarationEnd))
    const inner = tokensIn(own, place)
    const edits = this.#editsIn(inner, [item], own.from)
    const text = () => {
      const all = [...edits, ...this.#renames([item], inner, 'body')]
      const [start, end] = [inner[0]!.start, inner.at(-1)!.end]
      const body = linesOf(this.#written, inner[0]!.line, inner.at(-1)!.line, this.#keeps, all, start, end)
      return `${this.#originOf(own.from)}${this.#commentAbove(top, own.from)}${prefix}${front}\n${body}\n`
    }
    this.#pieces.push({ from: own.from, top, to: own.to, kind: 'definition', text })
  }

  /** Where a function stands. */
  #originOf(line: number): string {
    const at = this.#written.probed.lines[line - 1]
    // A #line says it already.
    const isSaid = this.#written.probed.places.some(({ from }) => from < line)
    return at === undefined || isSaid ? '' : `/* ${at.file.replaceAll('*/', '*?')}:${at.number} */\n`
  }

  #commentAbove(top: number, from: number): string {
    return top === from ? '' : linesOf(this.#written, top, from - 1, this.#keeps)
  }

  /** Whether some of the variables of one declaration are bound, and others are defined. */
  #isDivided({ declaration: { declarators, body }, chunk: own }: Item): boolean {
    return body === undefined && declarators.some(({ name }) => this.closure.bindings.get(name)?.first.chunk === own)
  }

  /** Whether a function is declared otherwise in the output: where several share a line, only one could be. */
  #hasOtherDeclarator(item: Item): boolean {
    const name = item.declaration.declarators[0]?.name ?? ''
    return this.closure.targets.get(name) === item || (item.declaration.body !== undefined && this.#renamed.has(name))
  }

  /** Words that get other names, in written tokens. */
  #renames(items: readonly Item[], tokens: readonly Token[], part?: 'body'): Edit[] {
    return renamedWords(this.closure, items, tokens, part).map(({ start, end, text }) => ({
      from: start,
      to: end,
      text: this.#renamed.get(text)!,
    }))
  }

  /** The edits of declarations in some tokens; counts the macros of what they put there, and of what stays. */
  #editsIn(tokens: readonly Token[], items: readonly Item[], line: number): Edit[] {
    const edits = items.flatMap((item) => this.#editsOf(item))
    for (const edit of edits) this.#definitions.collect(tokensOfEdit(edit, line))
    this.#definitions.collect(tokens.filter(({ start }) => !edits.some(({ from, to }) => start >= from && start < to)))
    return edits
  }

  #editsOf(item: Item): Edit[] {
    return localEdits(item, this.closure.locals.get(item) ?? [], this.#localText)
  }
}
