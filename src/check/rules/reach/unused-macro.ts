// SPDX-License-Identifier: GPL-3.0-or-later
// A macro of a C file that the patch adds or changes, and that nothing in the file uses: no object differs by it.

import { directivesIn } from '../../../c/tokens/directives.ts'
import { tokenize, wordsOf } from '../../../c/tokens/lexer.ts'
import { addTo } from '../../../ground/values/grouped.ts'
import type { FileChange } from '../../../patch/patch.ts'
import { changedMacros } from '../../../source/change/changed-macros.ts'
import { type Found, note } from '../../subject/rule.ts'

/** Names that what a file says of its macros leads to; `start` is the place of the first definition of `macro`. */
function readMacros(text: string, macro: string) {
  const tokens = tokenize(text)
  const directives = directivesIn(text, tokens)
  const macros = new Map<string, string[]>()
  let [plain, from, start] = ['', 0, text.length]
  for (const one of directives) {
    const named = tokens[one.from + 2]
    if (!/^(?:define|undef)$/.test(one.name) || named === undefined) continue
    if (named.text === macro) start = Math.min(start, one.start)
    plain += text.slice(from, one.start)
    from = one.end
    if (one.name === 'define')
      for (const word of wordsOf(text.slice(named.end, one.end))) addTo(macros, named.text, word)
  }
  const isIncludedLater = directives.some((one) => one.name === 'include' && one.start > start)
  return { plain: wordsOf(plain + text.slice(from)), macros, isIncludedLater }
}

/**
 * Whether a text uses a macro, by its name or through other macros; in doubt it does: in a comment, in a string, by a
 * part.
 */
function uses(text: string | undefined, macro: string): boolean {
  if (text === undefined) return false
  const { plain, macros, isIncludedLater } = readMacros(text, macro)
  // A header that is included may ask for it, and `##` makes names of parts.
  if (text.includes('##') || isIncludedLater) return true
  const reached = new Set(plain)
  for (const word of reached) for (const next of macros.get(word) ?? []) reached.add(next)
  return reached.has(macro)
}

/** @param changes the changed files with their whole text on both sides */
export function unusedMacros(changes: readonly FileChange[]): Found[] {
  return changes
    .filter((change) => change.path.endsWith('.c'))
    .flatMap((change) =>
      changedMacros([change])
        .all.filter(({ name }) => !uses(change.before, name) && !uses(change.after, name))
        .map(({ name }) => ({
          symbol: name,
          unit: change.path,
          message: `The patch changes the macro ${name}, which nothing in ${change.path} uses`,
        })),
    )
}

export const unusedMacro = note(
  'unused-macro',
  'A macro of a C file that the patch changes and that nothing in the file uses',
  'No code differs by it, so this part of the patch has no effect',
  'See whether a part of the fix is missing',
  ['scripts/Makefile.extrawarn: -Wunused-macros'],
  ({ changes }) => unusedMacros(changes),
)
