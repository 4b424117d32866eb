// SPDX-License-Identifier: GPL-3.0-or-later
// How much memory an expression asks for, as a sum of products: `struct_size(x, data, n)` and `sizeof(*x) + n *
// sizeof(x->data[0])` are the same, and of two sizes it can be told which one may be larger. What is no sum or product
// is one unknown number.

import { topOf, valueFrom, withoutParentheses } from '../../../c/tokens/brackets.ts'
import { argumentsAt } from '../../../c/tokens/calls.ts'
import { constantValue } from '../../../c/tokens/constant-value.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { isMember, wordsAt } from '../../../c/tokens/names.ts'
import { assignment, isTagWord } from '../../../c/tokens/words.ts'
import type { Variable } from '../../../c/written/local-variables.ts'
import { flexibleMember, membersOf } from '../../../c/written/struct-members.ts'
import { textOf } from '../../subject/changed-functions.ts'

/** By its factors, how often a product counts; a plain number has no factors. */
export type Size = ReadonlyMap<string, bigint>

/** What the names of an expression mean. */
export interface Names {
  readonly variables: ReadonlyMap<string, Variable>
  readonly body: readonly Token[]
  /** The text of constants that the patch changes. */
  readonly constants: ReadonlyMap<string, readonly Token[]>
  /** What a call gave the parameters. */
  readonly given?: ReadonlyMap<string, Size>
  /** What stands in a struct, by `struct name`. */
  type(name: string): readonly Token[] | undefined
}

/** Names are followed so far through variables and constants. */
const deepest = 6

export function sum(one: Size, other: Size, sign = 1n): Size {
  const found = new Map(one)
  for (const [factors, count] of other) {
    const total = (found.get(factors) ?? 0n) + sign * count
    if (total === 0n) found.delete(factors)
    else found.set(factors, total)
  }
  return found
}

function product(one: Size, other: Size): Size {
  let found: Size = new Map()
  for (const [left, count] of one)
    for (const [right, times] of other) {
      const factors = [left, right].filter((text) => text !== '').join(' * ')
      found = sum(found, new Map([[factors.split(' * ').sort().join(' * '), count * times]]))
    }
  return found
}

function plain(number: bigint): Size {
  return new Map(number === 0n ? [] : [['', number]])
}

/** True when nothing says that `one` is at most `other`: all that is counted is positive. */
export function mayExceed(one: Size, other: Size): boolean {
  return [...sum(one, other, -1n).values()].some((count) => count > 0n)
}

/** A name of one call has no meaning in other functions. */
const ofOneCall = '~'

/** True when each part means the same in all functions. */
export function isOfAll(size: Size): boolean {
  return [...size.keys()].every((factors) => !factors.includes(ofOneCall))
}

const widths: readonly (readonly [RegExp, bigint])[] = [
  [/^(?:__)?[us]8$|^(?:unsigned |signed )?char$|^u?int8_t$|^bool$|^uchar$/, 1n],
  [/^(?:__)?[us]16$|^__[lb]e16$|^(?:unsigned )?short$|^u?int16_t$/, 2n],
  [/^(?:__)?[us]32$|^__[lb]e32$|^(?:unsigned )?int$|^u?int32_t$/, 4n],
  [/^(?:__)?[us]64$|^__[lb]e64$|^(?:unsigned )?long(?: long)?$|^u?int64_t$|^s?size_t$|^loff_t$|^void \*$/, 8n],
]

/** @param type such as `struct x`, `u8`, `void *` */
export function sizeOfType(type: string): Size {
  const width = /\*$/.test(type) ? 8n : widths.find(([words]) => words.test(type))?.[1]
  return width === undefined ? new Map([[`sizeof(${type})`, 1n]]) : plain(width)
}

/** Where an operator stands outside of brackets, the last one; -1 for none. */
function operatorAt(tokens: readonly Token[], operators: RegExp): number {
  return topOf(tokens).findLast((at) => operators.test(tokens[at]!.text) && isBinary(tokens, at)) ?? -1
}

function isBinary(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1]
  if (before === undefined) return false
  // `(size_t)*p` has no factor.
  return before.kind === 'name' ? before.text !== 'sizeof' : before.kind === 'number' || /^[)\]]$/.test(before.text)
}

/** The size that an expression comes to. */
export function sizeOf(written: readonly Token[], names: Names, depth = 0): Size {
  const tokens = withoutParentheses(written)
  const known = constantValue(tokens, new Map())
  if (known !== undefined) return plain(known)
  const inner = (part: readonly Token[]) => sizeOf(part, names, depth)
  if (operatorAt(tokens, /^(?:\?|:|\|\||&&|[|^&]|[=!]=|[<>]=?)$/) >= 0) return unknown(tokens, names)
  const shift = operatorAt(tokens, /^(?:<<|>>)$/)
  if (shift >= 0) {
    const by = inner(tokens.slice(shift + 1))
    const bits = by.size === 0 ? 0n : by.size === 1 ? by.get('') : undefined
    return tokens[shift]!.text === '>>' || bits === undefined || bits < 0n || bits > 40n
      ? unknown(tokens, names)
      : product(inner(tokens.slice(0, shift)), plain(1n << bits))
  }
  const plus = operatorAt(tokens, /^[-+]$/)
  if (plus >= 0)
    return sum(inner(tokens.slice(0, plus)), inner(tokens.slice(plus + 1)), tokens[plus]!.text === '-' ? -1n : 1n)
  const times = operatorAt(tokens, /^[*/%]$/)
  if (times >= 0)
    return tokens[times]!.text === '*'
      ? product(inner(tokens.slice(0, times)), inner(tokens.slice(times + 1)))
      : unknown(tokens, names)
  return depth > deepest ? unknown(tokens, names) : sizeOfOperand(tokens, names, depth)
}

function sizeOfOperand(tokens: readonly Token[], names: Names, depth: number): Size {
  const [first, next] = tokens
  const inner = (part: readonly Token[]) => sizeOf(part, names, depth + 1)
  if (first?.text === 'sizeof') return sizeOfWhat(withoutParentheses(tokens.slice(1)), names)
  // A cast to a number says nothing.
  if (first?.text === '(' && /^(?:unsigned|signed|long|int|size_t|u\d+|__u\d+)$/.test(next?.text ?? ''))
    return inner(tokens.slice(closing(tokens, 0)))
  if (first?.kind === 'name' && next?.text === '(' && closing(tokens, 1) === tokens.length) {
    const values = argumentsAt(tokens, 1)
    const of = (at: number) => inner(values[at] ?? [])
    if (/^(?:struct_size|struct_size_t)$/.test(first.text) && values.length === 3) {
      const type = first.text === 'struct_size' ? typeOf(values[0]!, names) : textOf(values[0]!)
      return sum(sizeOfType(type), product(elementIn(type, textOf(values[1]!), names), of(2)))
    }
    if (first.text === 'flex_array_size' && values.length === 3)
      return product(elementIn(typeOf(values[0]!, names), textOf(values[1]!), names), of(2))
    if (/^(?:size_mul|array_size|array3_size)$/.test(first.text)) return values.map(inner).reduce(product)
    if (/^(?:size_add)$/.test(first.text)) return sum(of(0), of(1))
    if (first.text === 'size_sub') return sum(of(0), of(1), -1n)
    return unknown(tokens, names)
  }
  if (tokens.length !== 1 || first?.kind !== 'name') return unknown(tokens, names)
  const given = names.given?.get(first.text)
  if (given !== undefined) return given
  const variable = names.variables.get(first.text)
  if (variable === undefined) {
    const constant = names.constants.get(first.text)
    return constant === undefined ? new Map([[first.text, 1n]]) : inner(constant)
  }
  return (variable.isParameter ? undefined : valueIn(first.text, names, depth)) ?? unknown(tokens, names)
}

/** `size = a; … size += b;` is a + b. */
function valueIn(name: string, names: Names, depth: number): Size | undefined {
  const { body } = names
  let found: Size | undefined
  const more: Size[] = []
  for (const at of wordsAt(body, name)) {
    const operator = body[at + 1]?.text ?? ''
    if (/^(?:&|\+\+|--)$/.test(body[at - 1]?.text ?? '') && !isBinary(body, at - 1)) return undefined
    if (!assignment.test(operator)) continue
    if (operator !== '+=' && (operator !== '=' || found !== undefined)) return undefined
    const value = sizeOf(valueFrom(body, at + 2), names, depth + 1)
    if (operator === '+=') more.push(value)
    else found = value
  }
  return found && more.reduce((one, other) => sum(one, other), found)
}

/** The struct that an expression of one name leads to; the text for others. */
function typeOf(tokens: readonly Token[], { variables }: Names): string {
  const [only, ...more] = withoutParentheses(tokens)
  const variable = more.length === 0 ? variables.get(only?.text ?? '') : undefined
  return variable?.pointers === 1 ? variable.type : textOf(tokens)
}

/** @param tokens behind the word, without parentheses */
function sizeOfWhat(tokens: readonly Token[], names: Names): Size {
  const [first, second, third] = tokens
  if (isTagWord(first?.text)) return sizeOfType(textOf(tokens))
  const variable = names.variables.get((first?.text === '*' ? second : first)?.text ?? '')
  if (variable !== undefined && !variable.isArray) {
    if (first!.text === '*' && tokens.length === 2)
      return sizeOfType(`${variable.type}${variable.pointers > 1 ? ' *' : ''}`)
    if (tokens.length === 1) return sizeOfType(`${variable.type}${variable.pointers > 0 ? ' *' : ''}`)
  }
  // `sizeof(x->data[0])` and `sizeof(*x->data)`.
  const path = first?.text === '*' ? tokens.slice(1) : second?.text === '->' ? tokens : []
  const isElement = path.length === 3 ? first?.text === '*' : third !== undefined && path[3]?.text === '['
  const owner = names.variables.get(path[0]?.text ?? '')
  if (isElement && owner?.pointers === 1 && path[1]?.text === '->') return elementIn(owner.type, path[2]!.text, names)
  const text = tokens.map(({ text: word }) => names.variables.get(word)?.type ?? word).join(' ')
  return sizeOfType(variable === undefined ? textOf(tokens) : text)
}

/** The size of one element of a member that is an array, or of what a member that is a pointer leads to. */
export function elementIn(type: string, name: string, names: Names): Size {
  const member = membersOf(names.type(type) ?? []).find((one) => one.name === name)
  // Of two levels, also as an array of pointers, an element is a pointer.
  const levels = member === undefined ? 0 : member.pointers + (member.isArray ? 1 : 0)
  if (member === undefined || member.pointers > 1 || levels === 0) return new Map([[`element of ${type}.${name}`, 1n]])
  return sizeOfType(levels === 2 ? 'void *' : member.type)
}

/** The member of a struct's end that has no length of its own; undefined for none, or when the struct is not found. */
export function flexibleOf(type: string, names: Pick<Names, 'type'>): string | undefined {
  return flexibleMember(names.type(type) ?? [])
}

function unknown(tokens: readonly Token[], { variables, constants, given }: Names): Size {
  const isLocal = tokens.some(({ text }, at) => variables.has(text) && !isMember(tokens, at))
  // A name that a patch gives another value makes another number.
  const text = tokens
    .map(({ text: word }) => {
      const constant = constants.get(word)
      const put = given?.get(word)
      if (put !== undefined) return `(${spelledSize(put)})`
      return constant === undefined ? word : `${constantValue(constant, new Map()) ?? textOf(constant)}`
    })
    .join(' ')
    .replaceAll(' * ', '*')
  return new Map([[`${isLocal ? ofOneCall : ''}${text}`, 1n]])
}

/** For people. */
export function spelledSize(size: Size): string {
  const parts = [...size]
    .sort(([one], [other]) => (one === '' ? 1 : other === '' ? -1 : 0))
    .map(([factors, count]) => {
      const text = factors.replaceAll(ofOneCall, '').replace(/ ?(->|\.|[()[\]]) ?/g, '$1')
      const amount = count < 0n ? -count : count
      const whole = text === '' ? `${amount}` : amount === 1n ? text : `${amount} * ${text}`
      return [count < 0n ? '-' : '+', whole] as const
    })
  if (parts.length === 0) return '0'
  return parts.map(([sign, text], at) => (at === 0 ? (sign === '-' ? `-${text}` : text) : `${sign} ${text}`)).join(' ')
}
