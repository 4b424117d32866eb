// SPDX-License-Identifier: GPL-3.0-or-later
// Which of a unit's #includes an extract needs: those of the headers that say what its text uses, and as few others as
// bring the rest along. A guess, which the preprocessor and the compiler check: with them the text must mean the same.

import type { Expanded } from '../../c/expanded/expanded-text.ts'
import { parseDeclaration } from '../../c/tokens/declarators.ts'
import { type Token, tokenize } from '../../c/tokens/lexer.ts'
import { declarationsIn } from '../../c/tokens/top-level.ts'
import { addTo, grouped } from '../../ground/values/grouped.ts'

/** An #include of the main file. */
interface Direct {
  /** Its line. */
  readonly line: number
  readonly file: string
}

/**
 * @param words all words of the text, as written and as the preprocessor makes it
 * @returns the lines of the #includes that are enough, as far as names tell
 */
export function neededIncludes(expanded: Expanded, words: ReadonlySet<string>): ReadonlySet<number> {
  const { includes } = expanded
  const directs: Direct[] = includes.flatMap(({ from, file, line }) =>
    from === undefined && file !== undefined ? [{ line, file }] : [],
  )
  const edges = new Map<string, string[]>()
  for (const { from, file } of includes) if (from !== undefined && file !== undefined) addTo(edges, from, file)
  const reach = (file: string): Set<string> => {
    const found = new Set([file])
    for (const one of found) for (const next of edges.get(one) ?? []) found.add(next)
    return found
  }
  const wanted = filesThatSay(expanded, words)
  const kept = new Set<number>()
  const covered = new Set<string>()
  const take = ({ line, file }: Direct) => {
    kept.add(line)
    for (const one of reach(file)) covered.add(one)
  }
  for (const direct of directs) if (wanted.has(direct.file)) take(direct)
  for (;;) {
    const missing = [...wanted].filter((file) => !covered.has(file))
    let best: { direct: Direct; count: number } | undefined
    for (const direct of directs) {
      if (kept.has(direct.line)) continue
      const reached = reach(direct.file)
      const count = missing.filter((file) => reached.has(file)).length
      if (count > (best?.count ?? 0)) best = { direct, count }
    }
    if (best === undefined) return kept
    take(best.direct)
  }
}

/** The headers that declare one of the words, or define a macro of its name. */
function filesThatSay(expanded: Expanded, words: ReadonlySet<string>): Set<string> {
  const found = new Set<string>()
  for (const [name, file] of expanded.definers) if (words.has(name)) found.add(file)
  const { text, parts } = expanded
  // What a file declares goes on behind what it includes in between.
  for (const [file, own] of grouped(parts, ({ files }) => files.at(-1)!)) {
    const declarations = declarationsIn(own.map(({ start, end }) => tokenize(text, start, end)))
    if (declarations.some((tokens) => declaresAny(tokens, words))) found.add(file)
  }
  return found
}

function declaresAny(tokens: readonly Token[], words: ReadonlySet<string>): boolean {
  if (!tokens.some(({ kind, text }) => kind === 'name' && words.has(text))) return false
  const { declarators, tags, enumerators, body } = parseDeclaration(tokens, 0, tokens.length)
  return (
    (body === undefined ? declarators : declarators.slice(0, 1)).some(({ name }) => words.has(name)) ||
    tags.some(({ name, isDefined }) => isDefined && words.has(name)) ||
    enumerators.some((name) => words.has(name))
  )
}
