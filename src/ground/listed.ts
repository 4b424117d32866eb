// SPDX-License-Identifier: GPL-3.0-or-later
// Names in a sentence.

/** `a`, `a and b`, `a, b and c`; each once. */
export function listed(names: readonly string[]): string {
  const unique = [...new Set(names)]
  return unique.length < 2 ? (unique[0] ?? '') : `${unique.slice(0, -1).join(', ')} and ${unique.at(-1)}`
}

/** The first `most` names, and how many more there are. */
export function shortened(names: readonly string[], most: number): readonly string[] {
  return names.length > most ? [...names.slice(0, most), `${names.length - most} more`] : names
}

const mostTold = 3

/** `a, b, c and 4 more`; with `; ` between clauses, and `a or b or c or 4 more` of a choice. */
export function toldFirst(all: readonly string[], separator: ', ' | '; ' | ' or ' = ', '): string {
  const told = all.slice(0, mostTold).join(separator)
  const last = { ', ': ' and ', '; ': ', and ', ' or ': ' or ' }[separator]
  return all.length > mostTold ? `${told}${last}${all.length - mostTold} more` : told
}
