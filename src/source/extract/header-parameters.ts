// SPDX-License-Identifier: GPL-3.0-or-later
// Macros of a unit that its headers ask for: DEBUG, a template's parameters. They stay although no extracted text uses
// them.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { HeaderPart } from '../../c/expanded/expanded-text.ts'
import type { MacroUses } from '../../c/expanded/macro-uses.ts'
import { wordsOf } from '../../c/tokens/lexer.ts'
import type { SourceUnit } from '../view/request.ts'

/**
 * What a header asks for: the words of its code and of its conditions, without those that only get a value where they
 * have none.
 */
function questionsOf(text: string): ReadonlySet<string> {
  const plain = text
    .replace(/\\\r?\n/g, ' ')
    .replace(/"(?:[^"\\\n]|\\.)*"|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (part) => (part.startsWith('"') ? '""' : ' '))
  const found = new Set<string>()
  const lines = plain.split('\n')
  for (const [at, line] of lines.entries()) {
    const directive = /^\s*#\s*(\w*)/.exec(line)?.[1]
    if (directive !== undefined && !/^(?:if|elif|include)/.test(directive)) continue
    const preset = /^\s*#\s*(?:ifndef|if\s+!\s*defined)\s*\(?\s*(\w+)\s*\)?\s*$/.exec(line)?.[1]
    if (preset !== undefined && new RegExp(`^\\s*#\\s*define\\s+${preset}\\b`).test(lines[at + 1] ?? '')) continue
    for (const word of wordsOf(line)) found.add(word)
  }
  return found
}

/** Counts the macros of the main file for which a header that is included behind them asks. */
export function collectHeaderParameters(unit: SourceUnit, parts: readonly HeaderPart[], definitions: MacroUses): void {
  if (definitions.names.size === 0) return
  const questions = new Map<string, ReadonlySet<string>>()
  const seen = new Set<string>()
  for (const { files, line } of parts) {
    const file = files.at(-1)!
    const key = `${line} ${file}`
    if (seen.has(key) || file.startsWith('<')) continue
    seen.add(key)
    let asked = questions.get(file)
    if (asked === undefined) {
      try {
        asked = questionsOf(readFileSync(path.resolve(unit.cwd, file), 'latin1'))
      } catch {
        // A directory, or the name of something that is no file.
        asked = new Set()
      }
      questions.set(file, asked)
    }
    for (const macro of definitions.names)
      if (asked.has(macro) && definitions.isKnownAt(macro, line)) definitions.collectState(macro, line)
  }
}
