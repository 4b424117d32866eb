// SPDX-License-Identifier: GPL-3.0-or-later
// Parts of the written text as they go into the output: without conditions and what they left out, with some words
// exchanged.
import { commentsIn, type Token, tokenize } from '../../c/tokens/lexer.ts'
import type { Directive, Written } from '../../c/written/written-lines.ts'

/** A piece of the output. */
export interface Piece {
  /** The lines of the probed text that it stands for. */
  readonly from: number
  readonly to: number
  /** Where the comment above it begins. */
  readonly top?: number
  readonly kind: 'include' | 'macro' | 'pragma' | 'declaration' | 'definition'
  /** It is not made of the lines that it stands for, and has none of their directives. */
  readonly isSpelled?: true
  /** Made when everything is known: which #defines stay in it depends on all others. */
  readonly text: () => string
}

/** Text to put in the place of a part of the written text. */
export interface Edit {
  readonly from: number
  readonly to: number
  readonly text: string
}

/** Where the comments of a text are, by the line they end on: their first line. */
export function commentLines(written: Written): Map<number, number> {
  const found = new Map<number, number>()
  const { code, starts } = written
  let line = 1
  const lineOf = (offset: number): number => {
    while (line < starts.length && starts[line]! <= offset) line++
    return line
  }
  for (const { text, start, end } of commentsIn(code)) {
    const from = lineOf(start)
    const to = lineOf(end - 1)
    // Only a comment that has its lines for itself.
    const before = code.slice(starts[from - 1], start)
    const rest = code.slice(end, starts[to] ?? code.length)
    if (before.trim() === '' && rest.trim() === '')
      found.set(to, found.get(from - 1) !== undefined && text.startsWith('//') ? found.get(from - 1)! : from)
  }
  return found
}

/** The line above which a comment that belongs to `line` begins; `line` itself when there is none. */
export function withComment(written: Written, comments: ReadonlyMap<number, number>, line: number): number {
  let above = line - 1
  while (above > 0 && written.probed.lines[above - 1]!.hidden) above--
  return comments.get(above) ?? line
}

/**
 * Lines of the written text that count.
 * @param keeps whether a #define or #undef among them stays
 */
export function linesOf(
  written: Written,
  from: number,
  to: number,
  keeps: (directive: Directive) => boolean,
  edits: readonly Edit[] = [],
  start = written.starts[from - 1]!,
  end = written.starts[to] ?? written.probed.text.length,
): string {
  const { probed, starts } = written
  const cuts: Edit[] = [...edits]
  for (let line = from; line <= to; line++) {
    const directive = written.directiveAt.get(line)
    const isDropped = directive?.macro !== undefined && !keeps(directive)
    if (!written.isActive(line) || isDropped || written.conditions.has(line))
      cuts.push({ from: starts[line - 1]!, to: starts[line] ?? probed.text.length, text: '' })
  }
  cuts.sort((a, b) => a.from - b.from || b.to - a.to)
  let text = ''
  let at = start
  for (const cut of cuts) {
    if (cut.to <= at || cut.from >= end) continue
    if (cut.from < at) {
      // A line that is left out, within an exchanged part.
      at = Math.max(at, cut.to)
      continue
    }
    text += probed.text.slice(at, cut.from) + cut.text
    at = cut.to
  }
  if (at < end) text += probed.text.slice(at, end)
  return text
}

/** The tokens of an edit, as if they stood in a line. */
export function tokensOfEdit(edit: Edit, line: number): Token[] {
  return tokenize(edit.text, 0, edit.text.length, line)
}
