// SPDX-License-Identifier: GPL-3.0-or-later
// Expanded tokens as readable text, for the few declarations that a macro makes and that can't be kept as written.
import type { Token } from './lexer.ts'
import { typeWords } from './words.ts'

/** Words in front of a parenthesis that call nobody. */
const spacedWords = new Set('if while for switch return do else case goto asm __asm__ const volatile bool'.split(' '))

/** Whether a space stands between two tokens. */
function spaced(tokens: readonly Token[], index: number): boolean {
  const before = tokens[index - 1]!
  const one = tokens[index]!
  if (/^[,;)\]]$/.test(one.text) || /^[([~]$/.test(before.text) || before.text === '!') return false
  if (/^(?:\.|->)$/.test(one.text) || /^(?:\.|->)$/.test(before.text))
    return one.text === '.' && /^[,{]$/.test(before.text)
  if (one.text === '++' || one.text === '--') return /^[=(,;{}]$/.test(before.text)
  if (before.text === '++' || before.text === '--') return !/^[A-Za-z_(*]/.test(one.text)
  if (one.text === '[') return before.kind !== 'name' && !/^[)\]]$/.test(before.text)
  if (one.text === '(')
    return (
      tokens[index + 1]?.text === '*' ||
      typeWords.has(before.text) ||
      spacedWords.has(before.text) ||
      (before.kind === 'punctuator' && !/^[)\]*&]$/.test(before.text))
    )
  // A unary operator or a pointer's star holds on to what it stands before.
  if (/^[-*&+]$/.test(before.text)) {
    const left = tokens[index - 2]
    if (before.text === '*' && one.text === '*') return false
    if (left === undefined || (left.kind === 'punctuator' && !/^[)\]]$/.test(left.text))) return false
    if (before.text === '*' && one.kind === 'name') return false
  }
  return true
}

/** The text of tokens, on one line where no braces or statements ask for more, indented with tabs. */
export function spell(tokens: readonly Token[]): string {
  let text = ''
  let depth = 0
  let parens = 0
  let fresh = true
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index]!
    if (token.text === '}') depth = Math.max(0, depth - 1)
    if (token.text === '(' || token.text === '[') parens++
    else if (token.text === ')' || token.text === ']') parens--
    if (fresh) text += '\t'.repeat(depth)
    else if (index > 0 && spaced(tokens, index)) text += ' '
    text += token.text
    fresh = false
    if (token.text === '{') depth++
    const next = tokens[index + 1]?.text
    const ends =
      token.text === '{' ||
      (token.text === ';' && parens === 0) ||
      (token.text === ',' && parens === 0 && depth > 0) ||
      (token.text === '}' && next !== undefined && !/^[;,)]$/.test(next)) ||
      next === '}'
    if (ends && next !== undefined) {
      text += '\n'
      fresh = true
    } else if (token.text === ')' && next === '{' && depth === 0) {
      text += '\n'
      fresh = true
    }
  }
  return text
}
