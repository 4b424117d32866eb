// SPDX-License-Identifier: GPL-3.0-or-later
// The macros without parameters of a file, and what they stand for.
import { macrosIn } from '../tokens/directives.ts'

/** @param text a C file as it is written; of several definitions of a name all count */
export function macroValues(text: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const { name, parameters, body } of macrosIn(text)) {
    if (parameters !== undefined) continue
    const value = body.map((token) => token.text).join(' ')
    const known = found.get(name)
    found.set(name, known === undefined ? value : `${known}\n${value}`)
  }
  return found
}
