// SPDX-License-Identifier: GPL-3.0-or-later
// Writes what the closure found as a C file: in the order of the original and, wherever that is possible, in its very words.
import { type BoundLocal, type Closure, definitionOf } from './closure.ts'
import { definitionsOf } from './definitions.ts'
import type { RunningSymbol } from './extraction.ts'
import { headOf } from './head.ts'
import type { Token } from './lexer.ts'
import { commentLines, type Edit, linesOf, type Piece, withComment } from './piece.ts'
import { spell } from './spelling.ts'
import type { Chunk, Item, View } from './view.ts'
import type { Directive } from './written.ts'

/** The macro with which a declaration says what it is bound to; nothing when its own name says it. */
function labelOf(name: string, { object, symbol, position }: RunningSymbol): string {
  return symbol === name && position === undefined
    ? ''
    : `LIVEPATCH_SYMBOL(${object ?? 'vmlinux'}, ${symbol}, ${position ?? 0})`
}

/** Whether a header declares this function or variable. */
function isDeclaredByHeaders(
  { expanded: { text, headers } }: View,
  name: string,
  isFunction: boolean,
): boolean {
  const mark = new RegExp(isFunction ? `[\\s*]${name}\\s*\\(` : `\\bextern\\b[^;{}()]*\\b${name}\\b`, 'g')
  for (const { index } of text.matchAll(mark)) {
    // Parts of headers are ordered.
    let low = 0
    let high = headers.length / 2
    while (low < high) {
      const middle = (low + high) >> 1
      if (headers[2 * middle + 1]! <= index) low = middle + 1
      else high = middle
    }
    if (
      low < headers.length / 2 &&
      headers[2 * low]! <= index &&
      text[text.lastIndexOf('\n', index) + 1] !== '#'
    )
      return true
  }
  return false
}

/**
 * The C file.
 * @param bounds of arrays whose initial values tell them, by name
 */
export function writeSource(view: View, closure: Closure, bounds: ReadonlyMap<string, number>): string {
  const { written } = view
  const source = written.probed.text
  const definitions = definitionsOf(written, view.expanded)
  const comments = commentLines(written)
  const pieces: Piece[] = []
  const used = new Set<Directive>()
  const writers: (() => void)[] = []

  const collect = (tokens: readonly Token[]) => definitions.collect(tokens, used)
  const { renamed } = closure

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
      needed.some((item) => closure.whole.has(item)) &&
      defines.every((item) => closure.whole.has(item)) &&
      needed.every((item) => closure.whole.has(item)) &&
      (one.items.length === 1 ||
        !defines.some((item) => closure.targets.get(item.declaration.declarators[0]!.name) === item))
    if (asWritten) verbatim(one, needed)
    else for (const item of one.items) if (needed.includes(item)) single(item)
  }

  /** Words that get other names, in written tokens from `from` on. */
  const renames = (tokens: readonly Token[], from = 0, to = tokens.length): Edit[] => {
    const edits: Edit[] = []
    if (renamed.size === 0) return edits
    for (let at = from; at < to; at++) {
      const { text, kind, start, end } = tokens[at]!
      const as = kind === 'name' ? renamed.get(text) : undefined
      if (as === undefined || /^(?:\.|->)$/.test(tokens[at - 1]?.text ?? '')) continue
      // Who takes its address gets that of the running function, which leads to the new one.
      if (tokens[at + 1]?.text === '(' || !closure.bindings.has(text))
        edits.push({ from: start, to: end, text: as })
    }
    return edits
  }

  /** The declarations of bound static locals, in the place of their definitions. */
  const localEdits = (item: Item, tokens: readonly Token[]): Edit[] => {
    const edits: Edit[] = []
    for (const one of closure.locals.get(item) ?? []) {
      const edit = localEdit(item, one, tokens)
      if (edit !== undefined) edits.push(edit)
    }
    return edits
  }

  const localEdit = (
    item: Item,
    { local, running }: BoundLocal,
    tokens: readonly Token[],
  ): Edit | undefined => {
    const line = item.tokens[local.from]!.line
    const at = tokens.findIndex((token) => token.line === line && token.text === 'static')
    if (at === -1) return undefined
    let end = at
    for (let depth = 0; end < tokens.length; end++) {
      const { text } = tokens[end]!
      if (/^[([{]$/.test(text)) depth++
      else if (/^[)\]}]$/.test(text)) depth--
      else if (text === ';' && depth === 0) break
    }
    const own: Chunk = { ...item.chunk, tokens: tokens.slice(at, end + 1), items: [item] }
    const declared = {
      tokens: item.tokens.slice(local.from, local.to),
      declaration: shifted(local),
      chunk: own,
    }
    const head = headOf(
      {
        item: declared,
        name: local.name,
        as: local.name,
        prefix: 'extern ',
        label: labelOf(local.name, running),
      },
      source,
      definitions,
    )
    return { from: tokens[at]!.start, to: tokens[end]!.end, text: head.text }
  }

  const verbatim = (one: Chunk, needed: readonly Item[]) => {
    const target = needed.find(
      (item) => closure.targets.get(item.declaration.declarators[0]?.name ?? '') === item,
    )
    const edits = needed.flatMap((item) => localEdits(item, one.tokens))
    const kept = one.tokens.filter(({ start }) => !edits.some(({ from, to }) => start >= from && start < to))
    for (const edit of edits) collect(tokensOfEdit(edit, one.from))
    collect(kept)
    const top =
      target === undefined &&
      needed.every((item) => item.declaration.body === undefined && item.declaration.tags.length === 0)
        ? one.from
        : withComment(written, comments, one.from)
    let prefix = ''
    let all = [...edits, ...renames(one.tokens)]
    const [own] = needed
    const name = own?.declaration.body === undefined ? undefined : own.declaration.declarators[0]?.name
    const as = name === undefined ? undefined : renamed.get(name)
    if (own !== undefined && name !== undefined && as !== undefined) {
      prototype(own, name, as, top)
      all = [...all, ...plainHead(own)]
      if (target === undefined) prefix = 'static '
    } else if (target?.declaration.storage.has('static') === true) prefix = '__attribute__((__used__))\n'
    writers.push(() => {
      const body = linesOf(written, one.from, one.to, (directive) => used.has(directive), all)
      const comment =
        top === one.from ? '' : linesOf(written, top, one.from - 1, (directive) => used.has(directive))
      pieces.push({ from: top, to: one.to, kind: 'definition', text: comment + prefix + body, tokens: [] })
    })
  }

  /** Takes `static` and the like off a function that gets a name of its own and is called from elsewhere. */
  const plainHead = (item: Item): Edit[] => {
    const { tokens } = item.chunk
    const edits: Edit[] = []
    for (const [at, token] of tokens.entries()) {
      if (token.text === '{' || token.text === '(') break
      if (/^(?:static|extern|inline|__inline|__inline__|__always_inline)$/.test(token.text))
        edits.push({ from: token.start, to: tokens[at + 1]!.start, text: '' })
    }
    return edits
  }

  /** A function that has a name of its own is declared before its first use; one for other files in any case. */
  const prototype = (item: Item, name: string, as: string, top: number) => {
    const isTarget = closure.targets.get(name) === item
    const user = closure.firstUse(name)
    const isEarly = user !== undefined && user.chunk.from < item.chunk.from
    if (!isTarget && !isEarly) return
    const head = headOf({ item, name, as, prefix: isTarget ? '' : 'static ', label: '' }, source, definitions)
    collect(head.tokens)
    const line = (isEarly ? withComment(written, comments, user.chunk.from) : top) - 0.5
    pieces.push({ from: line, to: line, kind: 'declaration', text: `${head.text}\n`, tokens: [] })
  }

  /** One declaration of several that a macro makes, or one that is only declared. */
  const single = (item: Item) => {
    const { from, to } = item.chunk
    const { declaration } = item
    if (closure.whole.has(item)) {
      expandedDefinition(item)
      return
    }
    if (closure.typesOnly.has(item)) {
      const bound = declaration.declarators.some(({ name }) => closure.bindings.get(name)?.first === item)
      if (!bound) {
        const tokens = item.tokens
          .slice(0, declaration.declarators[0]!.from)
          .filter(({ text }) => !/^(?:static|const)$/.test(text))
        pieces.push({ from, to, kind: 'definition', text: `${spell(tokens)};\n`, tokens: [] })
      }
    }
    for (const { name } of declaration.declarators) {
      const binding = closure.bindings.get(name)
      if (binding?.first === item) declare(name, from, to)
    }
  }

  const declare = (name: string, from: number, to: number) => {
    const { kind, running, item } = closure.bindings.get(name)!
    const label = labelOf(name, running)
    const isPrivate = item.declaration.storage.has('static')
    if (label === '' && !isPrivate && isDeclaredByHeaders(view, name, kind === 'function')) return
    const bound = bounds.get(name)
    const head = headOf(
      {
        item,
        name,
        as: name,
        prefix: 'extern ',
        label,
        ...(bound === undefined ? {} : { bound: `${bound}` }),
      },
      source,
      definitions,
    )
    collect(head.tokens)
    pieces.push({ from, to, kind: 'declaration', text: `${head.text}\n`, tokens: [] })
  }

  /** A definition that only the expanded text has; the body of a function as written where it is there. */
  const expandedDefinition = (item: Item) => {
    const { chunk: own, tokens, declaration } = item
    const [one] = declaration.declarators
    const as = one === undefined ? undefined : renamed.get(one.name)
    const isTarget = one !== undefined && closure.targets.get(one.name) === item
    const words = tokens.map((token) => {
      const other = token.kind === 'name' ? renamed.get(token.text) : undefined
      return other === undefined ? token : { ...token, text: other }
    })
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
    if (one !== undefined && as !== undefined) prototype(item, one.name, as, top)
    const { body } = declaration
    const headEnd = body?.from ?? words.length
    const head = spell(
      words
        .slice(0, headEnd)
        .filter(
          ({ text }) => as === undefined || !/^(?:static|extern|inline|__inline|__inline__)$/.test(text),
        ),
    )
    const writtenBody = body === undefined ? undefined : bodyAsWritten(item)
    if (body === undefined || writtenBody === undefined) {
      const rest = body === undefined ? '' : `\n${spell(words.slice(body.from))}`
      writers.push(() =>
        pieces.push({
          from: top,
          to: own.to,
          kind: 'definition',
          text: `${commentAbove(top, own.from)}${prefix}${head}${rest}\n`,
          tokens: [],
        }),
      )
      return
    }
    const [open, close] = writtenBody
    const inner = own.tokens.slice(open, close + 1)
    const edits = localEdits(item, inner)
    for (const edit of edits) collect(tokensOfEdit(edit, own.from))
    collect(inner.filter(({ start }) => !edits.some(({ from, to }) => start >= from && start < to)))
    writers.push(() => {
      const text = linesOf(
        written,
        inner[0]!.line,
        own.to,
        (directive) => used.has(directive),
        [...edits, ...renames(inner)],
        inner[0]!.start,
        inner.at(-1)!.end,
      )
      pieces.push({
        from: top,
        to: own.to,
        kind: 'definition',
        text: `${commentAbove(top, own.from)}${prefix}${head}\n${text}\n`,
        tokens: [],
      })
    })
  }

  const commentAbove = (top: number, from: number): string =>
    top === from ? '' : linesOf(written, top, from - 1, (directive) => used.has(directive))

  /** Indexes of the braces in the chunk's written tokens that are the function's own. */
  const bodyAsWritten = ({
    tokens,
    declaration: { body },
    chunk: { tokens: own },
  }: Item): [number, number] | undefined => {
    const openLine = tokens[body!.from]!.line
    const closeLine = tokens[body!.to - 1]!.line
    for (let at = 0, depth = 0; at < own.length; at++) {
      const { text, line } = own[at]!
      if (text === '{' && depth === 0 && line === openLine) {
        let end = at
        for (let inner = 0; end < own.length; end++) {
          if (own[end]!.text === '{') inner++
          else if (own[end]!.text === '}' && --inner === 0) break
        }
        return own[end]?.line === closeLine && (closeLine !== own[0]!.line || openLine !== closeLine)
          ? [at, end]
          : undefined
      }
      if (/^[([{]$/.test(text)) depth++
      else if (/^[)\]}]$/.test(text)) depth--
    }
    return undefined
  }

  for (const one of view.chunks) chunk(one)
  for (const write of writers) write()
  const insides = view.chunks.map(({ from, to }) => ({ from, to }))
  pieces.push(...directivePieces(view, used, pieces, insides, comments))
  const labelled = pieces.filter(({ text }) => text.includes('LIVEPATCH_SYMBOL('))
  if (labelled.length > 0) {
    const first = Math.min(...labelled.map(({ from }) => from))
    const last = pieces.filter(({ kind, from }) => kind === 'include' && from < first).at(-1)?.to ?? 0
    pieces.push({ from: last, to: last, kind: 'include', text: '#include <inarch-source.h>\n', tokens: [] })
  }
  return layOut(pieces, written.probed.lines.length)
}

/** A static local's declaration as one of its own: indexes count from its first token. */
function shifted({ declaration, from }: BoundLocal['local']): BoundLocal['local']['declaration'] {
  const move = <T extends { from: number; to: number }>(one: T): T => ({
    ...one,
    from: one.from - from,
    to: one.to - from,
  })
  return {
    ...declaration,
    declarators: declaration.declarators.map((one) => ({
      ...move(one),
      at: one.at - from,
      core: one.core - from,
      ...(one.value === undefined ? {} : { value: move(one.value) }),
      ...(one.openBound === undefined ? {} : { openBound: one.openBound - from }),
    })),
  }
}

function tokensOfEdit(edit: Edit, line: number): Token[] {
  return (edit.text.match(/[A-Za-z_]\w*/g) ?? []).map((text) => ({
    kind: 'name' as const,
    text,
    start: 0,
    end: 0,
    line,
  }))
}

/** The #includes, the macros that are used, and the pragmas. */
function directivePieces(
  view: View,
  used: ReadonlySet<Directive>,
  others: readonly Piece[],
  insides: readonly { from: number; to: number }[],
  comments: ReadonlyMap<number, number>,
): Piece[] {
  const { written } = view
  const isIn = (list: readonly { from: number; to: number }[], line: number) =>
    list.some(({ from, to }) => line >= from && line <= to)
  const kept = others.filter(({ kind }) => kind === 'definition')
  const pieces: Piece[] = []
  const live = new Set<string>()
  for (const directive of written.directives) {
    const { from, to, name, macro } = directive
    const text = () => linesOf(written, from, to, () => true)
    if (name === 'define' && used.has(directive)) {
      live.add(macro!)
      if (isIn(kept, from)) continue
      const top = withComment(written, comments, from)
      const comment = top === from ? '' : linesOf(written, top, from - 1, () => true)
      pieces.push({ from: top, to, kind: 'macro', text: comment + text(), tokens: [] })
    } else if (name === 'undef' && (live.has(macro!) || isRedefined(written.directives, used, directive))) {
      live.delete(macro!)
      if (!isIn(kept, from)) pieces.push({ from, to, kind: 'macro', text: text(), tokens: [] })
    } else if (/^(?:include|include_next|import)$/.test(name) && !isIn(insides, from))
      pieces.push({ from, to, kind: 'include', text: text(), tokens: [] })
    else if (name === 'pragma' && !isIn(insides, from))
      pieces.push({ from, to, kind: 'pragma', text: text(), tokens: [] })
  }
  return pieces
}

/** Whether a used definition of the same macro follows. */
function isRedefined(
  directives: readonly Directive[],
  used: ReadonlySet<Directive>,
  undef: Directive,
): boolean {
  return directives.some((one) => one.macro === undef.macro && one.from > undef.from && used.has(one))
}

/** The pieces in the order of the original; blank lines where it had some, or had something else. */
function layOut(pieces: Piece[], _lines: number): string {
  const sorted = pieces
    .map((piece, at) => ({ piece, at }))
    .sort((a, b) => a.piece.from - b.piece.from || a.at - b.at)
  let text = ''
  let last: Piece | undefined
  for (const { piece } of sorted) {
    if (last !== undefined) {
      const adjoins = piece.from === last.to + 1 && last.kind !== 'definition'
      const alike = piece.kind === last.kind && piece.kind !== 'definition'
      if (!adjoins && !alike) text += '\n'
    }
    text += piece.text.endsWith('\n') ? piece.text : `${piece.text}\n`
    last = piece
  }
  return text
}
