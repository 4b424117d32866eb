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
