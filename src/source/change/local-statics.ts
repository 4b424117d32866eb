// SPDX-License-Identifier: GPL-3.0-or-later
// The static variables inside a function. They outlive its calls, so a replaced function must go on with the
// running kernel's; what it declares anew, or with another first value, is worth knowing.
import { staticLocalsIn } from '../../c/expanded/local-statics.ts'
import { isDeclaredByMacro } from '../../c/expanded/macro-statics.ts'
import { withoutMarkers } from '../../c/expanded/outline.ts'
import { tokenText } from '../../c/expanded/same-tokens.ts'
import { tokenize } from '../../c/tokens/lexer.ts'

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
  const plain = withoutMarkers(body)
  const code = tokenize(plain)
  for (const { name, from, to } of staticLocalsIn(code, 0, code.length)) {
    const own = code.slice(from, to)
    const tokens = tokenText(plain.slice(own[0]!.start, own.at(-1)!.end))
    if (isDeclaredByMacro(name, tokens.replaceAll('\n', ' '))) continue
    const known = found.get(name)
    const value = own.findIndex(({ text }) => text === '=')
    found.set(name, {
      name,
      tokens: known === undefined ? tokens : `${known.tokens}\n\n${tokens}`,
      isConst: own.some(({ text }, at) => text === 'const' && (value < 0 || at < value)),
    })
  }
  return found
}
