// SPDX-License-Identifier: GPL-3.0-or-later
// Characters that a reader does not see, or that make him see something else than is there: control characters, those
// that turn the direction of writing (bidi), those without width, and halves of characters. Unicode Technical Report 36
// has what can be done with them.

/**
 * What a text that came from elsewhere must not show as it is: Unicode's general categories, and what it says to
 * ignore.
 */
const categories = String.raw`\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}`

/** The text with each of these characters, except those of `kept`, as `show` writes it. */
export function revealed(text: string, kept: string, show: (character: string) => string = escaped): string {
  return text.replace(hidden, (character) => (kept.includes(character) ? character : show(character)))
}

const hidden = new RegExp(`[${categories}]`, 'gu')

/** `\x1b`, `\u202e`, `\u{e0041}`. */
export function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16)
  if (code.length <= 2) return `\\x${code.padStart(2, '0')}`
  return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\u{${code}}`
}
