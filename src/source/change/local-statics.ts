// SPDX-License-Identifier: GPL-3.0-or-later
// The static variables inside a function. They outlive its calls, so a replaced function must go on with the
// running kernel's; what it declares anew, or with another first value, is worth knowing.
import { isDeclaredByMacro } from '../../c/expanded/macro-statics.ts'
import { meaningOfDeclaration } from '../../c/expanded/outline.ts'
import { tokenText } from '../../c/tokens/same-tokens.ts'

export interface LocalStatic {
  readonly name: string
  /** Its declarations, token by token; a name may stand in several blocks. */
  readonly tokens: string
  readonly isConst: boolean
}

/** @param body a function's text behind the preprocessor */
export function localStatics(body: string): Map<string, LocalStatic> {
  const found = new Map<string, LocalStatic>()
  if (!body.includes('static')) return found
  for (const { index } of body.matchAll(/\bstatic\b(?<=[{};:]\s*static)/g)) {
    const end = endOfStatement(body, index)
    const text = body.slice(index, end)
    const { kind, names, head } = meaningOfDeclaration(text)
    if (kind !== 'data') continue
    const tokens = tokenText(text)
    for (const name of names) {
      if (isDeclaredByMacro(name, tokens.replaceAll('\n', ' '))) continue
      const known = found.get(name)
      found.set(name, {
        name,
        tokens: known === undefined ? tokens : `${known.tokens}\n\n${tokens}`,
        isConst: /\bconst\b/.test(head.split('=')[0]!),
      })
    }
  }
  return found
}

function endOfStatement(text: string, from: number): number {
  let depth = 0
  for (let i = from; i < text.length; i++) {
    const c = text[i]
    if (c === '"' || c === "'") {
      for (i++; i < text.length && text[i] !== c; i++) if (text[i] === '\\') i++
    } else if (c === '(' || c === '{' || c === '[') depth++
    else if (c === ')' || c === '}' || c === ']') {
      if (--depth < 0) return i
    } else if (c === ';' && depth === 0) return i + 1
  }
  return text.length
}
