// SPDX-License-Identifier: GPL-3.0-or-later
// The order of the output: its #includes, macros and pragmas between the declarations, as they stood in the original.

import type { Directive, Written } from '../../c/written/written-lines.ts'
import type { View } from '../view/unit-view.ts'
import { linesOf, type Piece, withComment } from '../view/written-piece.ts'

/** Pragmas that say something to the compiler about all that follows; others concern its messages, or nothing. */
const lasting =
  /^\s*(?:pack|weak|redefine_extname|scalar_storage_order|GCC (?!diagnostic|system_header|poison|warning|error)|(?:push|pop)_macro|clang attribute)/

/**
 * The #includes, the macros that are used, and the pragmas.
 * @param keeps whether a directive about a macro is used, or an #include needed
 */
export function directivePieces(
  view: View,
  keeps: (directive: Directive) => boolean,
  others: readonly Piece[],
  comments: ReadonlyMap<number, number>,
  renamed: ReadonlyMap<string, string>,
): Piece[] {
  const { written } = view
  const isIn = (list: readonly { readonly from: number; readonly to: number }[], line: number) =>
    list.some(({ from, to }) => line >= from && line <= to)
  const kept = others
    .filter(({ kind, isSpelled }) => kind === 'definition' && isSpelled !== true)
    .map(({ from, to, top }) => ({ from: top ?? from, to }))
  const last = Math.max(...others.map(({ from }) => from))
  const pieces: Piece[] = []
  const put = (kind: Piece['kind'], { from, to }: Directive, top = from) =>
    pieces.push({
      from: top,
      to,
      kind,
      text: () => {
        const text = linesOf(written, top, to, () => true)
        return kind === 'macro' ? callsRenamed(text, renamed) : text
      },
    })
  for (const directive of written.directives) {
    const { from, name, macro, argument } = directive
    // Nothing comes behind it that it could serve.
    if (from > last) break
    if (isIn(kept, from)) continue
    if ((macro !== undefined || name === 'include') && !keeps(directive)) continue
    if (written.operators.has(directive)) {
      if (lasting.test(argument)) pieces.push({ from, to: from, kind: 'pragma', text: () => `#pragma${argument}\n` })
    } else if (name === 'define') put('macro', directive, withComment(written, comments, from))
    else if (name === 'undef') put('macro', directive)
    else if (/^(?:include|include_next|import)$/.test(name)) {
      if (!isIn(view.chunks, from)) put('include', directive)
    } else if (name === 'pragma' && (!isIn(view.chunks, from) || lasting.test(argument))) put('pragma', directive)
  }
  return pieces
}

/** A macro that calls functions which have other names now. */
function callsRenamed(text: string, renamed: ReadonlyMap<string, string>): string {
  if (renamed.size === 0) return text
  const call = /(?<![\w.]|->)[A-Za-z_]\w*(?=\s*\()/g
  return text.replace(call, (name) => renamed.get(name) ?? name)
}

/** A header of ours whose macro the text uses. */
const labels = {
  word: /\bLIVEPATCH_SYMBOL\(|^(?:COMPAT_)?SYSCALL_DEFINE[0-6]\(/m,
  line: '#include <inarch-source.h>\n',
}

/** The text of the pieces, in the order of the original; blank lines where it had some, or had something else. */
export function layOut(pieces: readonly Piece[], written: Written): string {
  const { lines } = written.probed
  const sorted = pieces
    .map(({ from, to, top, kind, text }, at) => ({ from, to, top: top ?? from, kind, text: text(), at }))
    .sort((a, b) => a.from - b.from || a.at - b.at)
  const labelled = sorted.findIndex(({ text }) => labels.word.test(text))
  if (labelled !== -1) {
    const include = sorted.findLastIndex(({ kind }, at) => kind === 'include' && at < labelled)
    const line = sorted[include]?.to ?? 0
    sorted.splice(include + 1, 0, {
      from: line + 1,
      to: line,
      top: line + 1,
      kind: 'include',
      text: labels.line,
      at: -1,
    })
  }
  let text = ''
  for (const [at, piece] of sorted.entries()) {
    const last = sorted[at - 1]
    if (last !== undefined) {
      const between = lines.slice(Math.max(Math.floor(last.to), 0), Math.max(Math.ceil(piece.top) - 1, 0))
      const isLong = [last, piece].some((one) => one.kind === 'definition' && one.to > one.top)
      const isMixed = piece.kind === 'definition' && last.kind !== 'definition' && last.kind !== 'macro'
      const adjoins = !isMixed && !isLong && between.every((line) => line.text.trim() !== '')
      const alike = piece.kind === last.kind && piece.kind !== 'definition'
      if (!adjoins && !alike) text += '\n'
    }
    if (piece.kind === 'definition') text += placeOf(written, piece.top)
    text += piece.text.endsWith('\n') ? piece.text : `${piece.text}\n`
  }
  return text
}

/**
 * The `#line` directive by which a line is said to be where the unit says that it is; nothing where it says nothing.
 */
function placeOf({ places }: Written, line: number): string {
  const last = places.findLast(({ from }) => from < line)
  if (last === undefined) return ''
  const file = places.findLast(({ from, file: one }) => from < line && one !== undefined)?.file
  return `#line ${last.number + line - last.from - 1}${file === undefined ? '' : ` ${file}`}\n`
}
