// SPDX-License-Identifier: GPL-3.0-or-later
// Macros of a unit that its headers ask for: DEBUG, a template's parameters. They stay although no extracted text uses
// them.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { HeaderPart } from '../../c/expanded/expanded-text.ts'
import type { MacroUses } from '../../c/expanded/macro-uses.ts'
import { directivesIn } from '../../c/tokens/directives.ts'
import { tokenize } from '../../c/tokens/lexer.ts'
import { remembered } from '../../ground/values/remembered.ts'
import type { SourceUnit } from '../view/request.ts'

/**
 * What a header asks for: the words of its code and of its conditions, without those that only get a value where they
 * have none.
 */
function questionsOf(text: string): ReadonlySet<string> {
  const tokens = tokenize(text)
  const found = new Set<string>()
  const note = (from: number, to: number) => {
    for (let at = from; at < to; at++) if (tokens[at]!.kind === 'name') found.add(tokens[at]!.text)
  }
  const directives = directivesIn(text, tokens)
  let done = 0
  for (const [at, one] of directives.entries()) {
    note(done, one.from)
    done = one.to
    const next = directives[at + 1]
    const condition = tokens.slice(one.from + 1, one.to).map((token) => token.text)
    const preset = /^(?:ifndef|if ! defined) (?:\( )?(\w+)(?: \))?$/.exec(condition.join(' '))?.[1]
    const isPreset = preset !== undefined && next?.name === 'define' && tokens[next.from + 2]?.text === preset
    if (/^(?:if|elif|include)/.test(one.name) && !isPreset) note(one.from + 1, one.to)
  }
  note(done, tokens.length)
  return found
}

/** Counts the macros of the main file for which a header that is included behind them asks. */
export function collectHeaderParameters(unit: SourceUnit, parts: readonly HeaderPart[], definitions: MacroUses): void {
  if (definitions.names.size === 0) return
  const askedIn = remembered((file: string): ReadonlySet<string> => {
    try {
      return questionsOf(readFileSync(path.resolve(unit.cwd, file), 'latin1'))
    } catch {
      // A directory, or the name of something that is no file.
      return new Set()
    }
  })
  const seen = new Set<string>()
  for (const { files, line } of parts) {
    const file = files.at(-1)!
    const key = `${line} ${file}`
    if (seen.has(key) || file.startsWith('<')) continue
    seen.add(key)
    const asked = askedIn(file)
    for (const macro of definitions.names)
      if (asked.has(macro) && definitions.isKnownAt(macro, line)) definitions.collectState(macro, line)
  }
}
