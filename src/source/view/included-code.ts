// SPDX-License-Identifier: GPL-3.0-or-later
// Files that a unit includes for the code in them: other C files, templates, tables. They are read as if they stood in
// the unit itself, since an extract that includes them would define all of it again.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Expanded } from '../../c/expanded/expanded-text.ts'
import { parseDeclaration } from '../../c/tokens/declarators.ts'
import { type Token, tokenize, withoutComments } from '../../c/tokens/lexer.ts'
import { declarationsIn } from '../../c/tokens/top-level.ts'
import type { Splices } from '../../c/written/written-lines.ts'
import { remembered } from '../../ground/values/remembered.ts'
import type { SourceUnit } from './request.ts'

/** Finds the files to read in the place of `#include` lines: C files, and those in `wanted`, by their paths. */
export function includedText(unit: SourceUnit, wanted: ReadonlySet<string>): Splices {
  const dir = path.dirname(unit.file)
  const dirs = unit.flags.flatMap((flag, at) =>
    flag === '-I' ? (unit.flags[at + 1] ?? []) : (/^-I(.+)/.exec(flag)?.[1] ?? []),
  )
  return (argument) => {
    const [, quoted, name = quoted] = /^(?:"([^"]+)"|<([^>]+)>)/.exec(argument) ?? []
    if (name === undefined) return undefined
    for (const base of [...(quoted === undefined ? [] : [dir]), ...dirs]) {
      const file = path.join(base, name)
      const absolute = path.resolve(unit.cwd, file)
      if (!existsSync(absolute)) continue
      return file.endsWith('.c') || wanted.has(file) ? { text: readFileSync(absolute, 'latin1'), file } : undefined
    }
    return undefined
  }
}

/**
 * Whether a declaration makes code or data that an extract would have twice, or would have for nothing.
 * @param isDirect the unit itself includes it; functions in a header of a header serve that one's inline functions
 */
function makesCode(tokens: readonly Token[], isDirect: boolean): boolean {
  const { declarators, storage, body } = parseDeclaration(tokens, 0, tokens.length)
  const isMarked = tokens.some(({ text }) => /^(?:__)?(?:unused|always_inline|gnu_inline)(?:__)?$/.test(text))
  if (body !== undefined) return isDirect && !isMarked && ![...storage].some((word) => /inline/.test(word))
  if (storage.has('typedef') || storage.has('extern') || isMarked) return false
  return declarators.some((one) => !one.isFunction && !one.isConst)
}

/** Whether a header is read once only. */
function isGuarded(file: string): boolean {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch {
    return true
  }
  const plain = withoutComments(text)
  return /^\s*#\s*(?:pragma\s+once\b|(?:ifndef|if\s+!\s*defined)\s*\(?\s*(\w+)\s*\)?\s*#\s*define\s+\1\b)/.test(plain)
}

/** The files beside the unit's own that define code or data, with those through which they are included. */
export function filesWithCode(unit: SourceUnit, expanded: Expanded): ReadonlySet<string> {
  const found = new Set<string>()
  const dir = path.dirname(path.normalize(unit.file))
  const isNear = (file: string) => path.dirname(path.normalize(file)) === dir
  // Of what is elsewhere, only lists of macros that the unit itself includes. A header that guards itself against being
  // read twice is none, and others may include it, too.
  const isList = remembered((file: string) => !isGuarded(path.resolve(unit.cwd, file)))
  const near = expanded.parts.filter(({ files }) => files.every(isNear) || (files.length === 1 && isList(files[0]!)))
  // One after the other: what a file includes amid a declaration belongs to that declaration.
  const items = declarationsIn(near.map(({ start, end }) => tokenize(expanded.text, start, end)))
  let at = 0
  for (const item of items) {
    const [first] = item
    while (at + 1 < near.length && near[at]!.end <= first!.start) at++
    // What begins with no name was cut out of a declaration of the unit's own.
    const { files } = near[at]!
    if (first!.kind === 'name' && makesCode(item, files.length === 1))
      for (const file of files) found.add(path.normalize(file))
  }
  // What is included later may need what stands in these files, of which not all reaches the extract: it is read as
  // well.
  const first = near.findIndex(({ files }) => found.has(path.normalize(files.at(-1)!)))
  if (first !== -1)
    for (const { files } of near.slice(first)) if (files.every(isNear)) found.add(path.normalize(files.at(-1)!))
  return found
}
