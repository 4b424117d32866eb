// SPDX-License-Identifier: GPL-3.0-or-later
// What a constant expression comes to, so that a constant that is only written otherwise is no change: `1 << 2` is 4
// (C11, 6.6).
import { closing, type Token } from './lexer.ts'

const precedence: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
]

function combined(operator: string, left: bigint, right: bigint): bigint | undefined {
  if ((operator === '/' || operator === '%') && right === 0n) return undefined
  if ((operator === '<<' || operator === '>>') && (right < 0n || right > 63n)) return undefined
  const truth = (value: boolean) => (value ? 1n : 0n)
  const results: Readonly<Record<string, () => bigint>> = {
    '||': () => truth(left !== 0n || right !== 0n),
    '&&': () => truth(left !== 0n && right !== 0n),
    '|': () => left | right,
    '^': () => left ^ right,
    '&': () => left & right,
    '==': () => truth(left === right),
    '!=': () => truth(left !== right),
    '<': () => truth(left < right),
    '>': () => truth(left > right),
    '<=': () => truth(left <= right),
    '>=': () => truth(left >= right),
    '<<': () => left << right,
    '>>': () => left >> right,
    '+': () => left + right,
    '-': () => left - right,
    '*': () => left * right,
    '/': () => left / right,
    '%': () => left % right,
  }
  const result = results[operator]?.()
  return result === undefined ? undefined : BigInt.asIntN(64, result)
}

function numberOf(text: string): bigint | undefined {
  const [, hex, plain] = /^(?:(0[xX][0-9a-fA-F]+)|(\d+))[uUlL]*$/.exec(text) ?? []
  if (hex !== undefined) return BigInt(hex)
  if (plain === undefined) return undefined
  if (!/^0\d/.test(plain)) return BigInt(plain)
  return /^[0-7]+$/.test(plain) ? BigInt(`0o${plain}`) : undefined
}

/**
 * @param known the values of names
 * @returns undefined where it is no number, or more than is understood here
 */
export function constantValue(tokens: readonly Token[], known: ReadonlyMap<string, bigint>): bigint | undefined {
  let at = 0
  const operand = (): bigint | undefined => {
    const token = tokens[at++]
    if (token === undefined) return undefined
    if (token.kind === 'number') return numberOf(token.text)
    if (token.kind === 'name') {
      const next = tokens[at]
      if (next?.text !== '(') return known.get(token.text)
      const inner = constantValue(tokens.slice(at + 1, closing(tokens, at) - 1), known)
      at = closing(tokens, at)
      if (inner === undefined || !/^BIT(?:_ULL)?$/.test(token.text)) return undefined
      return combined('<<', 1n, inner)
    }
    if (token.text === '(') {
      const end = closing(tokens, at - 1)
      const inner = constantValue(tokens.slice(at, end - 1), known)
      at = end
      return inner
    }
    if (!/^[-+~!]$/.test(token.text)) return undefined
    const value = operand()
    if (value === undefined) return undefined
    if (token.text === '!') return value === 0n ? 1n : 0n
    return token.text === '-' ? -value : token.text === '~' ? ~value : value
  }
  const level = (depth: number): bigint | undefined => {
    if (depth === precedence.length) return operand()
    let left = level(depth + 1)
    while (left !== undefined && precedence[depth]!.includes(tokens[at]?.text ?? '')) {
      const operator = tokens[at++]!.text
      const right = level(depth + 1)
      left = right === undefined ? undefined : combined(operator, left, right)
    }
    return left
  }
  const value = level(0)
  return at === tokens.length ? value : undefined
}

/** Behind these an operand begins, in front of those one ends, whatever stands in it; `bit` and `of` are a rule's. */
const opens = /^(?:[-+*/%&|^]?=|<<=|>>=|==|!=|[([{,;?:]|return|&&|\|\||bit|of)$/
const closes = /^(?:[)\]},;?:]|&&|\|\||==|!=)$/

/**
 * An expression with each part of it that is a constant, however it is written, as a number: `_ | ( 1 << 3 )` and
 * `_ | FLAG` are `_ | 8`.
 * @param known the values of names
 * @returns the words
 */
export function withNumbers(tokens: readonly Token[], known: ReadonlyMap<string, bigint>): string[] {
  const words: string[] = []
  let open = true
  for (let at = 0; at < tokens.length; at++) {
    const { text } = tokens[at]!
    const part = constantPart(tokens, at, known, open)
    if (part === undefined) {
      // `(FLAG)` is `FLAG`.
      const isLone = text === '(' && tokens[at + 2]?.text === ')' && !isCalled(tokens[at - 1])
      words.push(isLone ? tokens[at + 1]!.text : text)
      if (isLone) at += 2
      open = opens.test(text)
      continue
    }
    words.push(`${part.value}`)
    at = part.end - 1
    open = false
  }
  return words
}

/** @param isWhole whether an operand begins here, of which all may be one constant */
function constantPart(
  tokens: readonly Token[],
  at: number,
  known: ReadonlyMap<string, bigint>,
  isWhole: boolean,
): { readonly value: bigint; readonly end: number } | undefined {
  const { kind, text } = tokens[at]!
  let end = at
  if (isWhole) while (end < tokens.length && !closes.test(tokens[end]!.text)) end = endOfPart(tokens, end)
  const ends = end > at + 1 ? [end, endOfPart(tokens, at)] : [endOfPart(tokens, at)]
  const before = tokens[at - 1]
  // What is called, or the type in front of a cast's value.
  if (text === '(' && isCalled(before)) return undefined
  if (kind !== 'number' && kind !== 'name' && text !== '(' && !isWhole) return undefined
  for (const last of ends) {
    const value = constantValue(tokens.slice(at, last), known)
    if (value !== undefined) return { value, end: last }
  }
  return undefined
}

function isCalled(before: Token | undefined): boolean {
  return before !== undefined && ((before.kind === 'name' && !opens.test(before.text)) || /^[)\]]$/.test(before.text))
}

/** Behind a name, a number, a call or what is in brackets. */
function endOfPart(tokens: readonly Token[], at: number): number {
  const isCall = tokens[at]!.kind === 'name' && tokens[at + 1]?.text === '('
  return isCall ? closing(tokens, at + 1) : tokens[at]!.text === '(' ? closing(tokens, at) : at + 1
}
