// SPDX-License-Identifier: GPL-3.0-or-later
// The macros that a patch changes, so that a function which uses one can be told why it differs.
import { macrosIn } from '../../c/tokens/directives.ts'
import { wordsOf } from '../../c/tokens/lexer.ts'
import type { FileChange } from '../../patch/patch.ts'

export interface ChangedMacro {
  readonly name: string
  /** The file that defines it. */
  readonly file: string
}

export interface ChangedMacros {
  readonly all: readonly ChangedMacro[]
  /** One that a text, as it is written, uses: by its name, or through macros of the changed files. */
  usedBy(text: string): ChangedMacro | undefined
}

/** Every definition of each macro in a file, joined. */
function macrosOf(text: string | undefined): Map<string, string> {
  const found = new Map<string, string>()
  for (const { name, parameters, body } of macrosIn(text ?? '')) {
    const list = parameters === undefined ? '' : `(${parameters.join(', ')}) `
    const meaning = list + body.map((token) => token.text).join(' ')
    const known = found.get(name)
    found.set(name, known === undefined ? meaning : `${known}\n${meaning}`)
  }
  return found
}

/** @param changes from `applyPatches` */
export function changedMacros(changes: readonly FileChange[]): ChangedMacros {
  const changed = new Map<string, ChangedMacro>()
  const bodies = new Map<string, string>()
  for (const { path: file, before, after } of changes) {
    const [old, young] = [macrosOf(before), macrosOf(after)]
    for (const [name, body] of young) bodies.set(name, body)
    for (const name of new Set([...old.keys(), ...young.keys()]))
      if (old.get(name) !== young.get(name)) changed.set(name, { name, file })
  }
  const reached = new Map<string, ChangedMacro | undefined>()
  const through = (name: string): ChangedMacro | undefined => {
    const own = changed.get(name)
    if (own !== undefined || reached.has(name)) return own ?? reached.get(name)
    reached.set(name, undefined)
    const body = bodies.get(name)
    const found = body === undefined ? undefined : usedBy(body)
    reached.set(name, found)
    return found
  }
  const usedBy = (text: string): ChangedMacro | undefined => {
    for (const word of wordsOf(text)) {
      const found = through(word)
      if (found !== undefined) return found
    }
    return undefined
  }
  return { all: [...changed.values()], usedBy }
}
