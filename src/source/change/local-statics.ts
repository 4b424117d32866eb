// SPDX-License-Identifier: GPL-3.0-or-later
// The static variables inside a function. They outlive its calls, so a replaced function must go on with the
// running kernel's; what it declares anew, or with another first value, is worth knowing.
import { staticLocalsOf } from '../../c/expanded/local-statics.ts'
import { isDeclaredByMacro } from '../../c/expanded/macro-statics.ts'
import { withoutMarkers } from '../../c/expanded/outline.ts'
import { tokenText } from '../../c/expanded/same-tokens.ts'
import { parseDeclaration } from '../../c/tokens/declarators.ts'
import { tokenize } from '../../c/tokens/lexer.ts'

export interface LocalStatic {
  readonly name: string
  /** Its declarations, token by token; a name may stand in several blocks. */
  readonly tokens: string
  readonly isConst: boolean
}

/** @param text a function's definition behind the preprocessor */
export function localStatics(text: string): Map<string, LocalStatic> {
  const found = new Map<string, LocalStatic>()
  if (!text.includes('static')) return found
  const plain = withoutMarkers(text)
  const tokens = tokenize(plain)
  const declaration = parseDeclaration(tokens, 0, tokens.length)
  for (const { name, from, to, isConst } of staticLocalsOf({ tokens, declaration })) {
    const own = tokens.slice(from, to)
    const words = tokenText(plain.slice(own[0]!.start, own.at(-1)!.end))
    if (isDeclaredByMacro(name, words.replaceAll('\n', ' '))) continue
    const known = found.get(name)
    found.set(name, { name, tokens: known === undefined ? words : `${known.tokens}\n\n${words}`, isConst })
  }
  return found
}
