// SPDX-License-Identifier: GPL-3.0-or-later
// Splits a command that kbuild would hand to the shell into its arguments, so that the program can be
// called without a shell. Only quoting is understood (POSIX Shell Command Language, 2.2); what would
// need a real shell is refused.

/**
 * Splits `text` into words.
 * @returns undefined when the text needs a shell to be understood (`$(…)`, backquotes, `;`, `|`, …)
 *   or a quote does not end
 */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (c === ' ' || c === '\t' || c === '\n') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (c === "'") {
      const end = text.indexOf("'", i + 1)
      if (end === -1) return undefined
      word = (word ?? '') + text.slice(i + 1, end)
      i = end
    } else if (c === '"') {
      word ??= ''
      for (i++; text[i] !== '"'; i++) {
        const inner = text[i]
        if (inner === undefined || inner === '$' || inner === '`') return undefined
        if (inner === '\\' && /["\\$`]/.test(text[i + 1] ?? '')) i++
        word += text[i]
      }
    } else if (c === '\\') {
      if (i + 1 === text.length) return undefined
      word = (word ?? '') + text[++i]
    } else if (
      '$`;|&<>()#*?~'.includes(c) &&
      !(c === '~' && word !== undefined) &&
      !(c === '#' && word !== undefined)
    ) {
      return undefined
    } else {
      word = (word ?? '') + c
    }
  }
  if (word !== undefined) words.push(word)
  return words
}
