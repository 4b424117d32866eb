// SPDX-License-Identifier: GPL-3.0-or-later
// The macros without parameters of a file, and what they stand for.
import { tokenize, withoutComments } from '../tokens/lexer.ts'

/** @param text a C file as it is written; of several definitions of a name all count */
export function macroValues(text: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const [, name, value] of withoutComments(text).matchAll(
    /^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)(?!\()(.*)$/gm,
  )) {
    const plain = tokenize(value!)
      .map((token) => token.text)
      .join(' ')
    const known = found.get(name!)
    found.set(name!, known === undefined ? plain : `${known}\n${plain}`)
  }
  return found
}
