// SPDX-License-Identifier: GPL-3.0-or-later
// Writes what the closure found as a C file: in the order of the original and, wherever that is possible, in its very
// words.

import { macroUses } from '../../c/expanded/macro-uses.ts'
import { plainest, typeIn, typeThrough } from '../../c/expanded/split-declaration.ts'
import { attributeEnd, type Declarator, parseDeclaration } from '../../c/tokens/declarators.ts'
import { closing, type Token, wordsOf } from '../../c/tokens/lexer.ts'
import { spell } from '../../c/tokens/spelling.ts'
import type { Directive } from '../../c/written/written-lines.ts'
import type { Bounds } from './array-bounds.ts'
import type { Attribute } from './attributes.ts'
import {
  declarationOf,
  isDefinitionWord,
  isForUsers,
  transparentIn,
  withoutDefinitionWords,
  withoutLinkage,
} from './bound-declaration.ts'
import { type LocalText, localEdits, withBoundLocals } from './bound-statics.ts'
import type { Closure } from './closure.ts'
import { definitionOf, isInline, isOnlyForInlining } from './declared-names.ts'
import { collectHeaderParameters } from './header-parameters.ts'
import { directivePieces, layOut } from './output-order.ts'
import { renamedWords } from './renaming.ts'
import type { RunningSymbol, SourceRequest, SourceUnit } from './request.ts'
import { isSystemCall } from './system-call.ts'
import { type Chunk, type Item, isDeclaredByHeaders, type View } from './unit-view.ts'
import { tokensIn, writtenBody } from './written-body.ts'
import { commentLines, type Edit, linesOf, type Piece, tokensOfEdit, withComment } from './written-piece.ts'

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
  const { written } = view
  const source = written.probed.text
  const definitions = macroUses(written, view.expanded)
  const comments = commentLines(written)
  const pieces: Piece[] = []
  let used: ReadonlySet<Directive> | undefined
  const keeps = (directive: Directive): boolean => {
    used ??= definitions.kept()
    return used.has(directive)
  }

  const { collect } = definitions
  const { renamed } = closure

  /** Whether some of the variables of one declaration are bound, and others are defined. */
  const isDivided = ({ declaration: { declarators, body }, chunk: own }: Item): boolean =>
    body === undefined && declarators.some(({ name }) => closure.bindings.get(name)?.first.chunk === own)

  /** Whether a function's head is another one in the output: where several share a line, only one could be. */
  const hasOtherDeclarator = (item: Item): boolean => {
    const name = item.declaration.declarators[0]?.name ?? ''
    return closure.targets.get(name) === item || (item.declaration.body !== undefined && renamed.has(name))
  }

  /** The pieces of a chunk; which #defines stay in it is known only when all is written. */
  const chunk = (one: Chunk) => {
    const needed = one.items.filter(
      (item) =>
        closure.whole.has(item) ||
        closure.typesOnly.has(item) ||
        item.declaration.declarators.some(({ name }) => closure.bindings.get(name)?.first === item),
    )
    if (needed.length === 0) return
    const defines = one.items.filter((item) =>
      item.declaration.declarators.some(({ name }) => definitionOf(item, name)),
    )
    const asWritten =
      one.tokens.length > 0 &&
      !definitions.counts(one.tokens) &&
      needed.some((item) => closure.whole.has(item)) &&
      defines.every((item) => closure.whole.has(item)) &&
      needed.every((item) => closure.whole.has(item) && !isDivided(item)) &&
      (one.items.length === 1 || !defines.some(hasOtherDeclarator))
    // A replaced function whose address is taken: what is handed on is the running one's.
    for (const { declaration, chunk: own } of needed.filter(
      (item) => closure.whole.has(item) && item.declaration.body !== undefined,
    ))
      for (const { name } of declaration.declarators)
        if (closure.bindings.get(name)?.first.chunk === own) declare(name, own.from - 0.5, own.from - 0.5)
    if (isSystemCall(one, needed, closure)) systemCall(one, needed)
    else if (asWritten) verbatim(one, needed)
    else for (const item of one.items) if (needed.includes(item)) single(item)
  }

  /** Words that get other names, in written tokens. */
  const renames = (items: readonly Item[], tokens: readonly Token[], part?: 'body'): Edit[] =>
    renamedWords(closure, items, tokens, part).map(({ start, end, text }) => ({
      from: start,
      to: end,
      text: renamed.get(text)!,
    }))

  /** How the running kernel's static variables are declared. */
  const localText: LocalText = {
    source,
    definitions,
    label: ({ as, running }) => labelOf(as, running, true),
    bound: ({ local }) => bounds.ofLocal.get(local),
  }
  const editsOf = (item: Item): Edit[] => localEdits(item, closure.locals.get(item) ?? [], localText)

  const verbatim = (one: Chunk, needed: readonly Item[]) => {
    const target = needed.find(
      (item) => closure.targets.get(item.declaration.declarators[0]?.name ?? '') === item,
    )
    const edits = needed.flatMap((item) => editsOf(item))
    const kept = one.tokens.filter(({ start }) => !edits.some(({ from, to }) => start >= from && start < to))
    for (const edit of edits) collect(tokensOfEdit(edit, one.from))
    collect(kept)
    const top =
      target === undefined &&
      needed.every((item) => item.declaration.body === undefined && item.declaration.tags.length === 0)
        ? one.from
        : withComment(written, comments, one.from)
    let prefix = ''
    let all = [...edits, ...renames(needed, one.tokens)]
    const [own] = needed
    const name = own?.declaration.body === undefined ? undefined : own.declaration.declarators[0]?.name
    const as = name === undefined ? undefined : renamed.get(name)
    for (const item of needed)
      if (item.declaration.body !== undefined) prototype(item, item.declaration.declarators[0]!.name)
    if (own !== undefined && name !== undefined && as !== undefined) {
      all = [...all, ...linkageEdits(own)]
      if (target === undefined) prefix = `static ${wordFor(own, name)}`
    } else if (target?.declaration.storage.has('static') === true) prefix = '__attribute__((__used__))\n'
    else if (own !== undefined && name !== undefined && target === undefined && one.items.length === 1)
      all = [...all, ...wordEdit(own, name)]
    const origin = needed.some((item) => item.declaration.body !== undefined) ? originOf(one.from) : ''
    const text = () =>
      origin + commentAbove(top, one.from) + prefix + linesOf(written, one.from, one.to, keeps, all)
    pieces.push({ from: one.from, top, to: one.to, kind: 'definition', text })
  }

  /** A system call as it is written; macros give its functions their names. */
  const systemCall = (one: Chunk, needed: readonly Item[]) => {
    const edits = needed.flatMap((item) => editsOf(item))
    for (const edit of edits) collect(tokensOfEdit(edit, one.from))
    collect(one.tokens.filter(({ start }) => !edits.some(({ from, to }) => start >= from && start < to)))
    const top = withComment(written, comments, one.from)
    const names = needed.flatMap(({ declaration }) =>
      declaration.declarators.slice(0, 1).flatMap(({ name }) => (renamed.has(name) ? [name] : [])),
    )
    const own = [...new Set(names)].sort()
    const define = own.map((name) => `#define ${name} ${renamed.get(name)}\n`).join('')
    const undef = own.map((name) => `#undef ${name}\n`).join('')
    const text = () =>
      originOf(one.from) +
      commentAbove(top, one.from) +
      define +
      linesOf(written, one.from, one.to, keeps, [...edits, ...renames(needed, one.tokens)]) +
      undef
    pieces.push({ from: one.from, top, to: one.to, kind: 'definition', text })
  }

  /** What of other declarations' attributes the declaration of a function in the output must say. */
  const attributesFor = (item: Item, name: string): readonly Attribute[] => {
    const isPrivate = renamed.has(name) && closure.targets.get(name) !== item
    // What is said of inline functions means nothing elsewhere, and nothing of its symbol is left in a private copy.
    const left = isPrivate
      ? /^(?:gnu_inline|always_inline|unused|weak|visibility|externally_visible)$/
      : renamed.has(name)
        ? /^(?:gnu_inline|always_inline|unused)$/
        : /^gnu_inline$/
    return closure.attributesBeside(item, name).filter((one) => !left.test(one.name))
  }

  /** Makes the compiler do with a copied function what it did with the function: `inline `, `noinline ` or nothing. */
  const wordFor = (item: Item, name: string): string => {
    const says =
      item.chunk.tokens.some(({ text }) => /^(?:__|__always_)?inline|^no_*inline/.test(text)) ||
      attributesFor(item, name).some((one) => /inline$/.test(one.name))
    const word = says ? undefined : inlining?.(name)
    // What is called in one place goes there anyway.
    return word === undefined || (word === 'inline' && callsOf(name) < 2) ? '' : `${word} `
  }

  const wordEdit = (item: Item, name: string): Edit[] => {
    const token = item.chunk.tokens.find(({ text }) => text === 'static')
    const word = token === undefined ? '' : wordFor(item, name)
    return token === undefined || word === ''
      ? []
      : [{ from: token.start, to: token.end, text: `static ${word.trim()}` }]
  }

  let calls: Map<string, number> | undefined
  const callsOf = (name: string): number => {
    if (calls === undefined) {
      calls = new Map()
      for (const { tokens, declaration } of closure.whole) {
        const { body } = declaration
        for (let at = body?.from ?? tokens.length; at < tokens.length; at++) {
          const { kind, text } = tokens[at]!
          if (kind === 'name' && tokens[at + 1]?.text === '(') calls.set(text, (calls.get(text) ?? 0) + 1)
        }
      }
    }
    return calls.get(name) ?? 0
  }

  /** Takes `static` and the like off a function that gets a name of its own and is called from elsewhere. */
  const linkageEdits = (item: Item): Edit[] => {
    const { tokens } = item.chunk
    const isTransparent = transparentIn(definitions)
    const declaration = parseDeclaration(tokens, 0, tokens.length, isTransparent)
    const end = declaration.declarators[0]?.at ?? 0
    const edits: Edit[] = []
    for (let at = 0; at < end; at++) {
      const { text, line, start } = tokens[at]!
      const next = attributeEnd(tokens, at, end, isTransparent)
      const word = next === undefined ? text : (definitions.meaning(text, line) ?? '')
      const own = withoutDefinitionWords(isDefinitionWord(text) ? '' : word)
      if (own !== word.trim())
        edits.push({ from: start, to: tokens[next ?? at + 1]!.start, text: own === '' ? '' : `${own} ` })
      if (next !== undefined) at = next - 1
      else if (/^[([{]$/.test(text)) at = closing(tokens, at, end) - 1
    }
    return edits
  }

  /**
   * A function that has a name of its own is declared before its first use; one for other files, or one of which other
   * declarations say more than its definition, in any case.
   */
  const prototype = (item: Item, name: string) => {
    const as = renamed.get(name)
    const isTarget = closure.targets.get(name) === item
    const user = closure.firstUse(name)
    const isEarly = as !== undefined && user !== undefined && user.chunk.from < item.chunk.from
    const attributes = isOnlyForInlining(item) ? [] : attributesFor(item, name)
    if (!(isTarget && as !== undefined) && !isEarly && attributes.length === 0) return
    const { storage } = item.declaration
    const isPrivate = as === undefined ? storage.has('static') : !isTarget
    const prefix = `${isPrivate ? 'static ' : ''}${as === undefined && isInline(item) ? 'inline ' : ''}`
    const head = declarationOf(
      { item, name, as: as ?? name, prefix, label: '', attributes },
      source,
      definitions,
    )
    collect(head.tokens)
    const line = (isEarly ? user.chunk : item.chunk).from - 0.5
    pieces.push({ from: line, to: line, kind: 'declaration', text: () => `${head.text}\n` })
  }

  /** One declaration of several that a macro makes, or one that is only declared. */
  const single = (item: Item) => {
    const { from, to } = item.chunk
    const { declarators } = item.declaration
    const isBound = ({ name }: Declarator) => closure.bindings.get(name)?.first === item
    const bound = declarators.filter(isBound)
    if (closure.whole.has(item) && (bound.length === 0 || item.declaration.body !== undefined)) {
      expandedDefinition(item)
      return
    }
    const others = closure.whole.has(item) ? declarators.filter((one) => !isBound(one)) : []
    const type = typeIn(item.tokens, item.declaration)
    const isTypeAlone =
      type?.name !== undefined && (closure.typesOnly.has(item) || bound.length + others.length > 1)
    const specifiers = item.tokens.slice(0, declarators[0]!.from)
    if (isTypeAlone || (closure.typesOnly.has(item) && bound.length === 0)) {
      const tokens = specifiers.filter(({ text }) => !/^(?:static|const)$/.test(text))
      definitions.collectSpelled(tokens)
      pieces.push({ from, to, kind: 'definition', isSpelled: true, text: () => `${spell(tokens)};\n` })
    }
    // A type without a name is that of the first one that is declared.
    const first = plainest(bound)
    const ordered = first === undefined ? [] : [first, ...bound.filter((one) => one !== first)]
    const typeFor = (one: Declarator): string | undefined => {
      if (isTypeAlone) return type.name
      return type === undefined || one === first || first === undefined
        ? undefined
        : typeThrough(item.tokens, first)
    }
    for (const one of ordered) declare(one.name, from, to, typeFor(one))
    for (const one of others) {
      const own = typeFor(one)
      const head = own === undefined ? spell(specifiers) : `static ${own}`
      const rest = spell(item.tokens.slice(one.from, one.value?.to ?? one.to))
      definitions.collectSpelled(item.tokens)
      pieces.push({ from, to, kind: 'definition', isSpelled: true, text: () => `${head} ${rest};\n` })
    }
  }

  const declare = (name: string, from: number, to: number, specifiers?: string) => {
    const { kind, running, item, label: symbol } = closure.bindings.get(name)!
    const isPrivate = item.declaration.storage.has('static')
    const label = labelOf(name, running, isPrivate, symbol)
    const bound = bounds.ofName.get(name)
    // A header may declare an array without its bound.
    const attributes = closure.attributesBeside(item, name).filter(isForUsers)
    if (label === '' && !isPrivate && bound === undefined && attributes.length === 0)
      if (isDeclaredByHeaders(view, name, kind === 'function')) return
    const head = declarationOf(
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
      source,
      definitions,
    )
    collect(head.tokens)
    pieces.push({ from, to, kind: 'declaration', text: () => `${head.text}\n` })
  }

  /** A definition that only the expanded text has; the body of a function as written where it is there. */
  const expandedDefinition = (item: Item) => {
    const { chunk: own, tokens, declaration } = item
    const [one] = declaration.declarators
    const as = one === undefined ? undefined : renamed.get(one.name)
    const isTarget = one !== undefined && closure.targets.get(one.name) === item
    const others = new Set(renamedWords(closure, [item], tokens))
    const words = withBoundLocals(item, closure.locals.get(item) ?? [], localText, (token) =>
      others.has(token) ? { ...token, text: renamed.get(token.text)! } : token,
    )
    const isStatic = declaration.storage.has('static')
    const prefix =
      as !== undefined
        ? isTarget
          ? ''
          : 'static '
        : isTarget && isStatic
          ? '__attribute__((__used__))\n'
          : ''
    const top = isTarget ? withComment(written, comments, own.from) : own.from
    if (one !== undefined && declaration.body !== undefined) prototype(item, one.name)
    const { body } = declaration
    const headEnd = body?.from ?? words.length
    const head = spell(as === undefined ? words.slice(0, headEnd) : withoutLinkage(words.slice(0, headEnd)))
    const place = definitions.counts(own.tokens) ? undefined : writtenBody(item)
    if (body === undefined || place === undefined) {
      const rest = body === undefined ? '' : `\n${spell(words.slice(body.from))}`
      const origin = body === undefined ? '' : originOf(own.from)
      const text = () => `${origin}${commentAbove(top, own.from)}${prefix}${head}${rest}\n`
      definitions.collectSpelled(tokens)
      pieces.push({ from: own.from, top, to: own.to, kind: 'definition', isSpelled: true, text })
      return
    }
    definitions.collectSpelled(tokens.slice(0, headEnd))
    const inner = tokensIn(own, place)
    const edits = editsOf(item)
    for (const edit of edits) collect(tokensOfEdit(edit, own.from))
    collect(inner.filter(({ start }) => !edits.some(({ from, to }) => start >= from && start < to)))
    const text = () => {
      const all = [...edits, ...renames([item], inner, 'body')]
      const [start, end] = [inner[0]!.start, inner.at(-1)!.end]
      const body = linesOf(written, inner[0]!.line, inner.at(-1)!.line, keeps, all, start, end)
      return `${originOf(own.from)}${commentAbove(top, own.from)}${prefix}${head}\n${body}\n`
    }
    pieces.push({ from: own.from, top, to: own.to, kind: 'definition', text })
  }

  /** Where a function stands. */
  const originOf = (line: number): string => {
    const at = written.probed.lines[line - 1]
    // A #line says it already.
    const isSaid = written.probed.places.some(({ from }) => from < line)
    return at === undefined || isSaid ? '' : `/* ${at.file.replaceAll('*/', '*?')}:${at.number} */\n`
  }

  const commentAbove = (top: number, from: number): string =>
    top === from ? '' : linesOf(written, top, from - 1, keeps)

  for (const [type, line] of closure.forwards)
    pieces.push({ from: line, to: line, kind: 'declaration', text: () => `${type};\n` })
  for (const one of view.chunks) chunk(one)
  const keepsIncludes = !view.chunks.some(({ from }) => from < 0)
  if (keepsIncludes) {
    collectHeaderParameters(
      unit,
      view.expanded.parts.filter(({ line }) => isIncluded(line)),
      definitions,
    )
    // What an #include names by a macro.
    for (const { name, argument, from } of written.probed.directives)
      if (name === 'include' && !/^\s*["<]/.test(argument) && isIncluded(from))
        for (const word of wordsOf(argument)) definitions.collectState(word, from)
  }
  const directives = directivePieces(
    view,
    (one) => (one.macro === undefined ? isIncluded(one.from) : keeps(one)),
    pieces,
    comments,
    renamed,
  )
  if (keepsIncludes) return layOut([...pieces, ...directives], written)
  const macros = definitions.fromHeaders().join('')
  const before: Piece = { from: 0, to: 0, kind: 'macro', text: () => macros }
  const kept = directives.filter(({ kind }) => kind !== 'include')
  return layOut([...pieces, ...(macros === '' ? [] : [before]), ...kept], written)
}
