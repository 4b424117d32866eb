// SPDX-License-Identifier: GPL-3.0-or-later
// Text without its comments, which begin where no string or character is open (C11, 6.4.9). Linear for hostile text,
// too: what is not closed is not looked for again.

/** A piece of a text that a pattern found. */
interface Mark {
  readonly text: string
  readonly index: number
}

/** Strings and characters; the group is there, and empty, when the second quote is missing on the line. */
const strings = [
  ['"', String.raw`"(?:[^"\\\n]|\\[\s\S])*(?:"|())`],
  ["'", String.raw`'(?:[^'\\\n]|\\[\s\S])*(?:'|())`],
] as const

/**
 * Finds strings, characters and what else `others` says. A quote without its second one on the line is passed over. So
 * are then all like it up to where the second one was looked for: there is none for them either, since each stands
 * behind a backslash, and what follows it was read alike.
 */
export function scanner(others: string): (text: string) => Generator<Mark> {
  const patternFor = (sought: readonly string[]) => new RegExp([...sought, others].join('|'), 'gm')
  const patterns = [0, 1, 2, 3].map((lone) =>
    patternFor(strings.flatMap(([, string], index) => (lone & (1 << index) ? [] : [string]))),
  )
  return function* scan(text) {
    const loneUntil = [0, 0]
    let from = 0
    for (;;) {
      const bounds = loneUntil.filter((bound) => bound > from)
      const pattern = patterns[(loneUntil[0]! > from ? 1 : 0) + (loneUntil[1]! > from ? 2 : 0)]!
      const bound = Math.min(...bounds)
      pattern.lastIndex = from
      const match = pattern.exec(text)
      if (bounds.length > 0 && (match === null || match.index >= bound)) {
        from = bound
        continue
      }
      if (match === null) return
      const { 0: found, index } = match
      from = index + found.length
      if (match.includes('', 1)) {
        loneUntil[found.startsWith('"') ? 0 : 1] = from
        from = index + 1
      } else yield { text: found, index }
    }
  }
}

const scanComments = scanner(String.raw`\/\*[\s\S]*?(?:\*\/|$(?![\s\S]))|\/\/(?:\\\r?\n|[^\n])*`)

/**
 * Comments become spaces; strings are left as they are.
 * @param keepsLines whether there are as many lines afterwards; else those that a backslash continues are joined
 */
export function withoutComments(source: string, keepsLines = false): string {
  const text = keepsLines ? source : source.replace(/\\\r?\n/g, ' ')
  const parts: string[] = []
  let from = 0
  for (const { text: found, index } of text.includes('/') ? scanComments(text) : []) {
    if (!found.startsWith('/')) continue
    parts.push(text.slice(from, index), keepsLines ? found.replace(/[^\n]+/g, ' ') : ' ')
    from = index + found.length
  }
  return parts.join('') + text.slice(from)
}
