// SPDX-License-Identifier: GPL-3.0-or-later
// The body of a function in the text as it was written. Several functions may share a line, and macros make others
// beside what is written out; the expanded text and the written one are held against each other in their order.

import { declarationStart, isStorage, staticLocalsOf } from '../../c/expanded/local-statics.ts'
import { parseDeclaration } from '../../c/tokens/declarators.ts'
import { findOutside, type Token } from '../../c/tokens/lexer.ts'
import { declarationsIn } from '../../c/tokens/top-level.ts'
import type { Chunk, Item } from './unit-view.ts'

/** Indexes of tokens; the end is exclusive. */
export interface TokenRange {
  readonly from: number
  readonly to: number
}

/** The bodies that are written out in a chunk, with their braces. */
function bodiesIn(tokens: readonly Token[]): TokenRange[] {
  const at = new Map(tokens.map(({ start }, index) => [start, index]))
  return declarationsIn([tokens]).flatMap((piece) => {
    const { body } = parseDeclaration(piece, 0, piece.length)
    return body === undefined
      ? []
      : [{ from: at.get(piece[body.from]!.start)!, to: at.get(piece[body.to - 1]!.start)! + 1 }]
  })
}

/**
 * The body of a function among its chunk's written tokens; undefined when a macro makes it, or when that can't be told.
 */
export function writtenBody(item: Item): TokenRange | undefined {
  const { chunk } = item
  if (item.declaration.body === undefined) return undefined
  const lines = (tokens: readonly Token[], { from, to }: TokenRange) => `${tokens[from]!.line} ${tokens[to - 1]!.line}`
  const own = lines(item.tokens, item.declaration.body)
  const alike = chunk.items.filter(
    ({ tokens, declaration: { body } }) => body !== undefined && lines(tokens, body) === own,
  )
  const bodies = bodiesIn(chunk.tokens).filter((body) => lines(chunk.tokens, body) === own)
  return bodies.length === alike.length ? bodies[alike.indexOf(item)] : undefined
}

/**
 * Where the declarations of a function's static variables are written, by where each begins in the expanded tokens.
 * What a macro declares is not among them.
 */
export function writtenStatics(item: Item): ReadonlyMap<number, TokenRange> {
  const found = new Map<number, TokenRange>()
  const body = writtenBody(item)
  if (body === undefined) return found
  const { tokens } = item.chunk
  const written = staticsIn(tokens, body)
  const meant = new Map<number, { line: number; prefix: number; names: string[] }>()
  for (const { name, from, word } of staticLocalsOf(item)) {
    const known = meant.get(from)
    if (known === undefined) meant.set(from, { line: item.tokens[word]!.line, prefix: word - from, names: [name] })
    else known.names.push(name)
  }
  for (const line of new Set([...meant.values()].map((one) => one.line))) {
    const expected = [...meant].filter(([, one]) => one.line === line)
    const here = written.filter(({ word }) => tokens[word]!.line === line)
    const holds = ({ word, to }: Written, names: readonly string[]) =>
      names.every((name) => tokens.slice(word, to).some(({ text }) => text === name))
    const inOrder = expected.length === here.length && expected.every(([, { names }], at) => holds(here[at]!, names))
    for (const [at, [from, { prefix, names }]] of expected.entries()) {
      const candidates = inOrder ? [here[at]!] : here.filter((one) => holds(one, names))
      const [place] = candidates
      const isShared = expected.filter(([, one]) => place !== undefined && holds(place, one.names)).length > 1
      if (place === undefined || candidates.length > 1 || (!inOrder && isShared)) continue
      // What stands before `static` counts only where the expanded text has something there: a macro may stand for
      // nothing.
      found.set(from, { from: prefix === 0 ? place.word : place.from, to: place.to })
    }
  }
  return found
}

interface Written extends TokenRange {
  /** Where `static` stands. */
  readonly word: number
}

function staticsIn(tokens: readonly Token[], body: TokenRange): Written[] {
  const found: Written[] = []
  for (let word = body.from + 1; word < body.to; word++) {
    if (!isStorage(tokens, word)) continue
    const to = findOutside(tokens, word, ';)]}', body.to)
    if (tokens[to]?.text !== ';') continue
    found.push({ word, from: declarationStart(tokens, word, body.from + 1), to: to + 1 })
    word = to
  }
  return found
}

/** The chunk's tokens in a range. */
export function tokensIn({ tokens }: Chunk, { from, to }: TokenRange): readonly Token[] {
  return tokens.slice(from, to)
}
