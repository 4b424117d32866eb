// SPDX-License-Identifier: GPL-3.0-or-later
// Prose on a terminal: broken between words where the terminal is narrow, and not at all where a program reads.

/** Columns of a line that is still easy to read. */
const widest = 100
const narrowest = 40

/** Columns to fill; infinite when standard output is no terminal. */
export function terminalWidth(): number {
  if (process.stdout.isTTY !== true) return Number.POSITIVE_INFINITY
  return Math.min(widest, Math.max(narrowest, process.stdout.columns || 80))
}

/**
 * The text in lines of at most `width` columns, each behind `indent`; a word that is longer stays whole.
 * @param style is given each line without its indent, so that colours do not count
 */
export function wrapped(
  text: string,
  width: number,
  indent = '',
  style: (line: string) => string = (line) => line,
): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  lines.push(line)
  return lines.map((one) => `${indent}${style(one)}`)
}
