// SPDX-License-Identifier: GPL-3.0-or-later
// Whether two pieces of preprocessed C are the same, token by token: white space, line markers, and how a long
// string is broken into several are no difference.
import { tokenize } from '../tokens/lexer.ts'
import { withoutMarkers } from './outline.ts'

/** A string that ends in an escape whose digits the next one could go on with. */
const openEscape = /\\(?:x[\da-fA-F]*|[0-7]{1,2})$/

/** The tokens as one text, which is the same for two pieces exactly when they are the same. */
export function tokenText(text: string): string {
  const tokens: string[] = []
  for (const { text: one } of tokenize(withoutMarkers(text))) {
    const last = tokens.at(-1)
    if (one.startsWith('"') && last?.endsWith('"') && !openEscape.test(last.slice(0, -1)))
      tokens[tokens.length - 1] = last.slice(0, -1) + one.slice(1)
    else tokens.push(one)
  }
  return tokens.join('\n')
}
