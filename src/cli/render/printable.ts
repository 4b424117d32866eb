// SPDX-License-Identifier: GPL-3.0-or-later
// What a terminal may be sent. Names come from files that anybody may have made, and a terminal obeys
// control characters: they are shown instead. Only our own colours (ECMA-48, SGR) stay what they are.

/** @returns a line in which every control character but tabs and those of colours is written as `\xNN` */
export function printable(line: string): string {
  return line.replace(
    /\x1b(?!\[\d{1,3}m)|[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
