// SPDX-License-Identifier: GPL-3.0-or-later
// The names of an object. A string table is decoded once, and a name is a part of that text: an object of
// the whole kernel has several hundred thousand of them. Format: System V gABI, chapter 4, String Table.

/** Bytes; the kernel's own names are at most 512 long. Many names may lie on the same bytes. */
const longest = 4096

/**
 * @param table a string table; decoded when the first name is asked for
 * @param bad makes the error of a name that the table does not have
 * @returns the name at an offset
 */
export function namesOf(table: Buffer, bad: (why: string) => Error): (offset: number) => string {
  let text: string | undefined
  return (offset) => {
    if (offset === 0) return ''
    text ??= table.toString('latin1')
    // Looked for in a part, so that a table without terminators is not searched to its end for each name.
    const end = offset < text.length ? text.slice(offset, offset + longest).indexOf('\0') : -1
    if (end < 0) throw bad('a name is very long or lies outside its string table')
    return text.slice(offset, offset + end)
  }
}
