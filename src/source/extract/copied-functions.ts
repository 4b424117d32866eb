// SPDX-License-Identifier: GPL-3.0-or-later
// What a function's declaration says in the output otherwise than in the unit: a copy is private, and the compiler must
// do with it what it did with the function; a replaced function is called from elsewhere.
import type { MacroUses } from '../../c/expanded/macro-uses.ts'
import { attributeEnd, parseDeclaration } from '../../c/tokens/declarators.ts'
import { closing, isOpening } from '../../c/tokens/lexer.ts'
import { lazy } from '../../ground/values/remembered.ts'
import type { Attribute } from '../view/attributes.ts'
import type { SourceRequest } from '../view/request.ts'
import type { Item } from '../view/unit-view.ts'
import type { Edit } from '../view/written-piece.ts'
import { isDefinitionWord, transparentIn, withoutDefinitionWords } from './bound-declaration.ts'
import type { Closure } from './closure.ts'

export class CopiedFunctions {
  /** How often each function is called in the output. */
  readonly #calls = lazy(() => {
    const calls = new Map<string, number>()
    for (const { tokens, declaration } of this.closure.whole) {
      const { body } = declaration
      for (let at = body?.from ?? tokens.length; at < tokens.length; at++) {
        const { kind, text } = tokens[at]!
        if (kind === 'name' && tokens[at + 1]?.text === '(') calls.set(text, (calls.get(text) ?? 0) + 1)
      }
    }
    return calls
  })

  /** @param inlining of the request */
  constructor(
    private readonly closure: Closure,
    private readonly definitions: MacroUses,
    private readonly inlining: SourceRequest['inlining'],
  ) {}

  /** What of other declarations' attributes the declaration of a function in the output must say. */
  attributesFor(item: Item, name: string): readonly Attribute[] {
    const isPrivate = this.closure.renamed.has(name) && this.closure.targets.get(name) !== item
    // What is said of inline functions means nothing elsewhere, and nothing of its symbol is left in a private copy.
    const left = isPrivate
      ? /^(?:gnu_inline|always_inline|unused|weak|visibility|externally_visible)$/
      : this.closure.renamed.has(name)
        ? /^(?:gnu_inline|always_inline|unused)$/
        : /^gnu_inline$/
    return this.closure.attributesBeside(item, name).filter((one) => !left.test(one.name))
  }

  /** Makes the compiler do with a copied function what it did with the function: `inline `, `noinline ` or nothing. */
  inliningWord(item: Item, name: string): string {
    const says =
      item.chunk.tokens.some(({ text }) => /^(?:__|__always_)?inline|^no_*inline/.test(text)) ||
      this.attributesFor(item, name).some((one) => /inline$/.test(one.name))
    const word = says ? undefined : this.inlining?.(name)
    // What is called in one place goes there anyway.
    return word === undefined || (word === 'inline' && (this.#calls().get(name) ?? 0) < 2) ? '' : `${word} `
  }

  inliningEdits(item: Item, name: string): Edit[] {
    const token = item.chunk.tokens.find(({ text }) => text === 'static')
    const word = token === undefined ? '' : this.inliningWord(item, name)
    return token === undefined || word === ''
      ? []
      : [{ from: token.start, to: token.end, text: `static ${word.trim()}` }]
  }

  /** Takes `static` and the like off a function that gets a name of its own and is called from elsewhere. */
  linkageEdits(item: Item): Edit[] {
    const { tokens } = item.chunk
    const isTransparent = transparentIn(this.definitions)
    const declaration = parseDeclaration(tokens, 0, tokens.length, isTransparent)
    const end = declaration.declarators[0]?.at ?? 0
    const edits: Edit[] = []
    for (let at = 0; at < end; at++) {
      const { text, line, start } = tokens[at]!
      const next = attributeEnd(tokens, at, end, isTransparent)
      const word = next === undefined ? text : (this.definitions.meaning(text, line) ?? '')
      const own = withoutDefinitionWords(isDefinitionWord(text) ? '' : word)
      if (own !== word.trim())
        edits.push({ from: start, to: tokens[next ?? at + 1]!.start, text: own === '' ? '' : `${own} ` })
      if (next !== undefined) at = next - 1
      else if (isOpening(tokens[at]!)) at = closing(tokens, at, end) - 1
    }
    return edits
  }
}
