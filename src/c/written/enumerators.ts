// SPDX-License-Identifier: GPL-3.0-or-later
// The names of enums, and what each stands for. A name that is put in between moves all that follow, although their own
// text is as it was.

import { constantValue } from '../tokens/constant-value.ts'
import { closing, partsOf, type Token } from '../tokens/lexer.ts'

/** @returns by name, its number, or the expression that it stands for */
export function enumeratorsIn(tokens: readonly Token[]): Map<string, string> {
  const found = new Map<string, string>()
  const numbers = new Map<string, bigint>()
  for (let at = 0; at < tokens.length; at++) {
    if (tokens[at]!.text !== 'enum') continue
    const open = tokens[at + 1]?.kind === 'name' ? at + 2 : at + 1
    if (tokens[open]?.text !== '{') continue
    const end = closing(tokens, open)
    noteEnum(tokens.slice(open + 1, end - 1), found, numbers)
    at = end - 1
  }
  return found
}

function noteEnum(inner: readonly Token[], found: Map<string, string>, numbers: Map<string, bigint>): void {
  let base: bigint | string = 0n
  let offset = 0n
  for (const { from, to } of partsOf(inner)) {
    const name = inner[from]!
    if (inner[from + 1]?.text === '=') {
      const value = inner.slice(from + 2, to)
      base = constantValue(value, numbers) ?? value.map(({ text }) => text).join(' ')
      offset = 0n
    }
    if (typeof base === 'bigint') numbers.set(name.text, base + offset)
    found.set(name.text, typeof base === 'bigint' ? `${base + offset}` : offset === 0n ? base : `${base} + ${offset}`)
    offset++
  }
}
