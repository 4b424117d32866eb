// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens as text, for comparing them: what is written with other white space is the same.
import type { Token } from './lexer.ts'

/** With nothing between the tokens: `x->y[i]`. */
export function squeezed(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join('')
}
