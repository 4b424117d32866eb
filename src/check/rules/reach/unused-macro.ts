// SPDX-License-Identifier: GPL-3.0-or-later
// A macro of a C file that the patch adds or changes, and that nothing in the file uses: no object differs by it.
import type { FileChange } from '../../../patch/patch.ts'
import { changedMacros } from '../../../source/change/changed-macros.ts'
import { type Found, note } from '../../subject/rule.ts'

/** A file's words, apart from what its macros are made of; and the words of which each macro is made. */
function wordsOf(text: string): { plain: ReadonlySet<string>; macros: ReadonlyMap<string, string[]> } {
  const macros = new Map<string, string[]>()
  const rest = text
    .replace(/\\\r?\n/g, ' ')
    .replace(/^[ \t]*#[ \t]*(define|undef)[ \t]+([A-Za-z_]\w*)(.*)$/gm, (_line, kind, name, body) => {
      if (kind === 'define') macros.set(name, [...(macros.get(name) ?? []), ...(body.match(/[A-Za-z_]\w*/g) ?? [])])
      return ''
    })
  return { plain: new Set(rest.match(/[A-Za-z_]\w*/g) ?? []), macros }
}

/**
 * Whether a text uses a macro, by its name or through other macros; in doubt it does: in a comment, in a string, by a
 * part.
 */
function uses(text: string | undefined, macro: string): boolean {
  if (text === undefined) return false
  const { plain, macros } = wordsOf(text)
  // A header that is included may ask for it, and `##` makes names of parts.
  const place = firstPlace(text, macro)
  if (text.includes('##') || (place >= 0 && /^[ \t]*#[ \t]*include\b/m.test(text.slice(place)))) return true
  const reached = new Set<string>()
  const queue = [...plain]
  for (let word = queue.pop(); word !== undefined; word = queue.pop()) {
    if (word === macro) return true
    if (reached.has(word)) continue
    reached.add(word)
    queue.push(...(macros.get(word) ?? []))
  }
  return false
}

/** Where the first definition of a macro stands; below zero where there is none. */
function firstPlace(text: string, macro: string): number {
  return text.search(new RegExp(`^[ \\t]*#[ \\t]*(?:define|undef)[ \\t]+${macro}\\b`, 'm'))
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
