// SPDX-License-Identifier: GPL-3.0-or-later
// Macros of a unit that its headers ask for: DEBUG, a template's parameters. They stay although no extracted text uses them.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Expanded } from './expanded.ts'
import type { SourceUnit } from './request.ts'
import type { Directive, Written } from './written.ts'

/** What a header says about a macro, without what only gives it a value where it has none. */
function asks(text: string, macro: string, isNear: boolean): boolean {
  const word = new RegExp(`\\b${macro}\\b`)
  const lines = text.split('\n')
  for (const [at, line] of lines.entries()) {
    if (!word.test(line)) continue
    const directive = /^\s*#\s*(\w+)/.exec(line)?.[1]
    if (directive === undefined) {
      if (isNear && !/^\s*(?:\*|\/[*/])/.test(line)) return true
    } else if (/^(?:if|elif|include)/.test(directive)) {
      const isDefault =
        /^\s*#\s*(?:ifndef|if\s+!\s*defined)/.test(line) &&
        new RegExp(`^\\s*#\\s*define\\s+${macro}\\b`).test(lines[at + 1] ?? '')
      if (!isDefault) return true
    }
  }
  return false
}

/**
 * The definitions of the main file, besides those in `used`, that a header which is included behind them asks for.
 */
export function influences(
  unit: SourceUnit,
  written: Written,
  expanded: Expanded,
  used: ReadonlySet<Directive>,
): Directive[] {
  const lastInclude = written.directives.findLast(({ name }) => name === 'include')?.from ?? 0
  const candidates = written.directives.filter(
    (one) => one.name === 'define' && !used.has(one) && one.from < lastInclude,
  )
  if (candidates.length === 0) return []
  const found = new Set<Directive>()
  const dir = path.dirname(path.normalize(unit.file))
  const words = new RegExp(`\\b(?:${[...new Set(candidates.map(({ macro }) => macro!))].join('|')})\\b`, 'g')
  for (const file of expanded.files) {
    if (file.startsWith('<')) continue
    let text: string
    try {
      text = readFileSync(path.resolve(unit.cwd, file), 'latin1')
    } catch {
      // A directory, or the name of something that is no file.
      continue
    }
    const isNear = path.dirname(path.normalize(file)) === dir
    for (const macro of new Set(text.match(words) ?? []))
      for (const one of candidates)
        if (one.macro === macro && !found.has(one) && asks(text, macro, isNear)) found.add(one)
  }
  return [...found]
}
