// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a unit can compile to other code, told from its preprocessed text before and after a change to
// a header. Most of that text is inline functions and types that the unit never uses; what differs only
// in those is the same code.

import { wordsOf } from '../../c/tokens/lexer.ts'
import { type Declaration, lacking, splitDeclarations } from '../../c/written/declarations.ts'
import { addTo } from '../../ground/values/grouped.ts'

/** The preprocessor leaves empty lines where others were. */
function withoutLayout(text: string): string {
  return text.replace(/(?<![ \t])[ \t]*\n[ \t\n]*/g, '\n')
}

/** Where two lists begin and end to differ. */
function differingPart(before: readonly Declaration[], after: readonly Declaration[]) {
  let start = 0
  const shorter = Math.min(before.length, after.length)
  while (start < shorter && before[start]!.text === after[start]!.text) start++
  let end = 0
  while (end < shorter - start && before[before.length - 1 - end]!.text === after[after.length - 1 - end]!.text) end++
  return {
    before: before.slice(start, before.length - end),
    after: after.slice(start, after.length - end),
  }
}

function isPassive({ kind }: Declaration): boolean {
  return kind === 'function' || kind === 'type' || kind === 'prototype'
}

/** Which of the names the unit's code comes to, from what makes code by itself. */
function reachedOf(declarations: readonly Declaration[], names: ReadonlySet<string>): Set<string> {
  const byName = new Map<string, Declaration[]>()
  const todo: Declaration[] = []
  for (const one of declarations) {
    if (!isPassive(one)) todo.push(one)
    else for (const name of one.names) addTo(byName, name, one)
  }
  const reached = new Set<string>()
  const seen = new Set<string>()
  for (let one = todo.pop(); one !== undefined; one = todo.pop())
    for (const word of wordsOf(one.text)) {
      if (seen.has(word)) continue
      seen.add(word)
      if (names.has(word)) reached.add(word)
      todo.push(...(byName.get(word) ?? []))
    }
  return reached
}

/** True when two preprocessed texts (without line markers) of one unit may not give the same code. */
export function mayDiffer(textBefore: string, textAfter: string): boolean {
  const [plainBefore, plainAfter] = [withoutLayout(textBefore), withoutLayout(textAfter)]
  if (plainBefore === plainAfter) return false
  const before = splitDeclarations(plainBefore)
  const after = splitDeclarations(plainAfter)
  if (before === undefined || after === undefined) return true
  const part = differingPart(before, after)
  // Pragmas say something about what follows.
  if ([...part.before, ...part.after].some(({ kind }) => kind === 'directive' || kind === 'macro')) return true
  const changed = [...lacking(part.before, part.after), ...lacking(part.after, part.before)]
  const names = new Set(changed.flatMap((one) => one.names))
  const makesCode = (all: readonly Declaration[]) =>
    all
      .filter((one) => !isPassive(one))
      .map(({ text }) => text)
      .join('\n')
  const differs =
    makesCode(part.before) !== makesCode(part.after) ||
    // One that is there twice, or in another place, has the same text.
    changed.length === 0
  return differs || reachedOf(before, names).size > 0 || reachedOf(after, names).size > 0
}
