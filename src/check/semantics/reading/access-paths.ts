// SPDX-License-Identifier: GPL-3.0-or-later
// The places that a function's text names (`base->lock`, `*ppos`, `table[i].next`): of which object they are a member,
// and whether that object outlives the call. What lies on the stack is gone when the function returns.
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import type { Variable } from '../../../c/written/local-variables.ts'

export interface AccessPath {
  /** As it is written, without a `&` in front. */
  readonly text: string
  /** The variable or the call that it begins with. */
  readonly base: string
  /** The object as a person names it: `struct timer_base`, or the base where its type is not known. */
  readonly object: string
  /** The last member; empty for the object itself. */
  readonly member: string
  readonly isLive: boolean
}

/** Where the brackets that close at `end` (exclusive) open. */
export function opening(tokens: readonly Token[], end: number): number {
  let depth = 0
  for (let at = end - 1; at >= 0; at--) {
    const { text, kind } = tokens[at]!
    if (kind !== 'punctuator') continue
    if (text === ')' || text === ']' || text === '}') depth++
    else if ((text === '(' || text === '[' || text === '{') && --depth === 0) return at
  }
  return 0
}

/** Where the place begins that ends before `end`; `end` when none does. */
export function accessPathStart(tokens: readonly Token[], end: number): number {
  let at = end
  for (;;) {
    const last = tokens[at - 1]
    if (last === undefined) break
    if (last.text === ')' || last.text === ']') {
      at = opening(tokens, at)
      if (
        last.text === ')' &&
        tokens[at - 1]?.kind === 'name' &&
        !/^(?:if|while|return|sizeof)$/.test(tokens[at - 1]!.text)
      )
        at--
      else if (last.text === ']') continue
    } else if (last.kind === 'name') at--
    else break
    if (tokens[at - 1]?.text === '->' || tokens[at - 1]?.text === '.') at--
    else break
  }
  while (at < end && tokens[at - 1]?.text === '*' && !isOperand(tokens[at - 2])) at--
  return at
}

/** True when a token can end an operand, so that a `*` behind it multiplies. */
function isOperand(token: Token | undefined): boolean {
  return (
    token !== undefined &&
    (token.kind === 'number' ||
      token.text === ')' ||
      token.text === ']' ||
      (token.kind === 'name' && token.text !== 'return'))
  )
}

/** Types whose values a caller gets by way of a pointer. */
const scalar =
  /^(?:unsigned|signed|long|short|int|char|bool|void|s?size_t|loff_t|u?int\d+_t|__?[usbl]e?\d+|[us]\d+|pgoff_t|sector_t|dma_addr_t|gfp_t|umode_t|dev_t|blk_status_t|vm_fault_t)$/

/**
 * The place that tokens name.
 * @param stack types whose objects only lie on the stack of functions
 * @param resultOf the struct to which a function's result leads, where its text is found
 */
export function accessPathOf(
  written: readonly Token[],
  variables: ReadonlyMap<string, Variable>,
  stack: ReadonlySet<string> = new Set(),
  resultOf: (name: string) => string | undefined = () => undefined,
): AccessPath | undefined {
  const tokens = bare(written)
  const first = tokens.find(({ kind }) => kind === 'name')
  if (first === undefined) return undefined
  const text = tokens.map((token) => token.text).join('')
  const at = tokens.indexOf(first)
  const isCall = tokens[at + 1]?.text === '('
  const variable = isCall ? undefined : variables.get(first.text)
  const members: number[] = []
  for (let index = 0; index < tokens.length; index++) {
    if (tokens[index]!.text === '[') index = closing(tokens, index) - 1
    else if (tokens[index]!.kind === 'name' && /^(?:->|\.)$/.test(tokens[index - 1]?.text ?? '')) members.push(index)
  }
  const member = members.length === 0 ? '' : tokens[members.at(-1)!]!.text
  const cast = castIn(tokens.slice(0, at + 1), written)
  const follows = tokens.some(({ text: one }) => one === '->' || one === '[') || tokens[0]?.text === '*'
  const own = members.filter((index) => tokens[index - 1]!.text === '->')
  // The type is known of `p->m` and `v.m`, and not behind a second arrow.
  const isDirect = own.length <= 1 && (own.length === 0 || own[0] === members[0])
  const type = cast ?? (isCall ? resultOf(first.text) : variable?.type)
  const object = !isDirect || type === undefined ? (innerName(tokens, members) ?? first.text) : type
  return { text, base: first.text, object, member, isLive: livesOn() }

  function livesOn(): boolean {
    if (isCall) return true
    if (variable === undefined) return true
    if (variable.isStatic) return true
    if (stack.has(variable.type) && isDirect) return false
    if (variable.pointers === 0) return own.length > 0
    if (!follows) return false
    // `*result = …` for the caller.
    if (variable.isParameter && members.length === 0 && (scalar.test(variable.type) || variable.pointers > 1))
      return false
    return !(variable.isArray && own.length === 0)
  }
}

/** `tty` of `vc->port.tty->count`. */
function innerName(tokens: readonly Token[], members: readonly number[]): string | undefined {
  const before = members.at(-2)
  return before === undefined ? undefined : tokens[before]!.text
}

/** Without casts, `&` and parentheses around the whole. */
function bare(tokens: readonly Token[]): readonly Token[] {
  let list = tokens
  for (;;) {
    if (list[0]?.text === '&') list = list.slice(1)
    else if (list[0]?.text === '(' && closing(list, 0) === list.length) list = list.slice(1, -1)
    else if (list[0]?.text === '(' && isCast(list, 0)) list = list.slice(closing(list, 0))
    else return list
  }
}

/** True when the parentheses at `open` hold a type. */
export function isCast(tokens: readonly Token[], open: number): boolean {
  const end = closing(tokens, open)
  const inner = tokens.slice(open + 1, end - 1)
  const next = tokens[end]
  if (next === undefined || inner.length === 0 || !(next.kind !== 'punctuator' || /^[(&*~]$/.test(next.text)))
    return false
  return (
    inner.every(({ kind, text }) => kind === 'name' || text === '*') &&
    (inner.some(({ text }) => /^(?:struct|union|enum|unsigned|long|void|int|char|const)$/.test(text)) ||
      inner.at(-1)!.text === '*' ||
      (inner.length === 1 && next.kind === 'name'))
  )
}

/** The struct of a cast around the base: `((struct a *)p->private)->b`. */
function castIn(_before: readonly Token[], written: readonly Token[]): string | undefined {
  const at = written.findIndex(({ text }, index) => text === '(' && isCast(written, index))
  if (at < 0 || written.slice(closing(written, at)).every(({ text }) => text !== ')')) return undefined
  const [tag, name] = [written[at + 1], written[at + 2]]
  return tag !== undefined && name !== undefined && /^(?:struct|union)$/.test(tag.text)
    ? `${tag.text} ${name.text}`
    : undefined
}
