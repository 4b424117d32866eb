// SPDX-License-Identifier: GPL-3.0-or-later
// What a terminal may be sent. Names and messages come from files that anybody may have made; a terminal obeys control
// characters, and a reader believes what he sees: they are shown instead. Only our own colours get through.
import { revealed } from '../../ground/invisible-characters.ts'
import { marks } from './colour.ts'

/**
 * @returns a line in which every character that is not seen, but tabs, is written as its number, and colours are
 * colours
 */
export function printable(line: string): string {
  // Every other part is the group that the marks have.
  return line
    .split(marks)
    .map((part, index) => (index % 2 === 0 ? revealed(part, '\t') : `\x1b${part}`))
    .join('')
}
