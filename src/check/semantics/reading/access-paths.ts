// SPDX-License-Identifier: GPL-3.0-or-later
// The places that a function's text names (`base->lock`, `*ppos`, `table[i].next`): of which object they are a member,
// and whether that object outlives the call. What lies on the stack is gone when the function returns.
import { withoutParentheses } from '../../../c/tokens/brackets.ts'
import { closing, isClosing, isOpening, openingOf, type Token } from '../../../c/tokens/lexer.ts'
import { isArrow, isMember } from '../../../c/tokens/names.ts'
import { squeezed } from '../../../c/tokens/text.ts'
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

/** Where the place begins that ends before `end`; `end` when none does. */
export function accessPathStart(tokens: readonly Token[], end: number): number {
  let at = end
  for (;;) {
    const last = tokens[at - 1]
    if (last === undefined) break
    if (last.text === ')' || last.text === ']') {
      at = openingOf(tokens, at - 1)
      if (
        last.text === ')' &&
        tokens[at - 1]?.kind === 'name' &&
        !/^(?:if|while|return|sizeof)$/.test(tokens[at - 1]!.text)
      )
        at--
      else if (last.text === ']') continue
    } else if (last.kind === 'name') at--
    else break
    if (isMember(tokens, at)) at--
    else break
  }
  while (at < end && tokens[at - 1]?.text === '*' && !isOperand(tokens[at - 2])) at--
  return at
}

/** The place that ends before `end`: `x->n` in front of `+=`; of `struct s v = { .n = 1 }` it is `v.n`. */
export function pathBefore(tokens: readonly Token[], end: number): readonly Token[] {
  const start = accessPathStart(tokens, end)
  const place = tokens.slice(start, end)
  if (tokens[start]?.text !== '.') return place
  const open = enclosingBrace(tokens, start)
  const isInitializer = tokens[open - 1]?.text === '=' && tokens[open - 2]?.kind === 'name'
  return isInitializer ? [...pathBefore(tokens, open - 1), ...place] : place
}

/** The brace that is open at `at`; -1 when none is, or another bracket. */
function enclosingBrace(tokens: readonly Token[], at: number): number {
  for (let before = at - 1; before >= 0; before--) {
    if (isClosing(tokens[before]!)) before = openingOf(tokens, before)
    else if (isOpening(tokens[before]!)) return tokens[before]!.text === '{' ? before : -1
  }
  return -1
}

/** The place that the `++` or `--` at `at` steps, and where the whole expression begins and ends. */
export function stepAt(tokens: readonly Token[], at: number) {
  const from = accessPathStart(tokens, at)
  if (from < at) return { place: tokens.slice(from, at), from, to: at + 1, isPrefix: false }
  let to = at + 1
  while (tokens[to]?.text === '*') to++
  while (tokens[to]?.kind === 'name' || isArrow(tokens[to])) to++
  return { place: tokens.slice(at + 1, to), from, to, isPrefix: true }
}

/** A member of an object that lives, or a variable of the file; undefined for what is only the function's own. */
export function livePlace(tokens: readonly Token[], variables: ReadonlyMap<string, Variable>): AccessPath | undefined {
  const place = accessPathOf(tokens, variables)
  const isOwn = place?.member === '' && variables.get(place.base)?.isStatic === false
  return place?.isLive === true && !isOwn ? place : undefined
}

/** `struct foo.state` of what is a member of an object that outlives the call; undefined for others. */
export function liveMember(place: AccessPath | undefined): string | undefined {
  return place?.isLive === true && place.member !== '' ? `${place.object}.${place.member}` : undefined
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
  const text = squeezed(tokens)
  const at = tokens.indexOf(first)
  const isCall = tokens[at + 1]?.text === '('
  const variable = isCall ? undefined : variables.get(first.text)
  const members: number[] = []
  for (let index = 0; index < tokens.length; index++) {
    if (tokens[index]!.text === '[') index = closing(tokens, index) - 1
    else if (tokens[index]!.kind === 'name' && isMember(tokens, index)) members.push(index)
  }
  const member = members.length === 0 ? '' : tokens[members.at(-1)!]!.text
  const follows = tokens.some(({ text: one }) => one === '->' || one === '[') || tokens[0]?.text === '*'
  const own = members.filter((index) => tokens[index - 1]!.text === '->')
  // The type is known of `p->m` and `v.m`, and not behind a second arrow.
  const isDirect = own.length <= 1 && (own.length === 0 || own[0] === members[0])
  const type = castIn(written) ?? (isCall ? resultOf(first.text) : variable?.type)
  // Else by the member that leads to it: `tty` of `vc->port.tty->count`.
  const inner = members.at(-2)
  const object = isDirect && type !== undefined ? type : inner === undefined ? first.text : tokens[inner]!.text
  return { text, base: first.text, object, member, isLive: livesOn() }

  function livesOn(): boolean {
    if (variable === undefined || variable.isStatic) return true
    if (stack.has(variable.type) && isDirect) return false
    if (variable.pointers === 0) return own.length > 0
    if (!follows) return false
    // `*result = …` for the caller.
    if (variable.isParameter && members.length === 0 && (scalar.test(variable.type) || variable.pointers > 1))
      return false
    return !(variable.isArray && own.length === 0)
  }
}

/** Without casts, `&` and parentheses around the whole. */
function bare(written: readonly Token[]): readonly Token[] {
  const tokens = withoutParentheses(written)
  if (tokens[0]?.text === '&') return bare(tokens.slice(1))
  return tokens[0]?.text === '(' && isCast(tokens, 0) ? bare(tokens.slice(closing(tokens, 0))) : tokens
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
function castIn(written: readonly Token[]): string | undefined {
  const at = written.findIndex(({ text }, index) => text === '(' && isCast(written, index))
  if (at < 0 || written.slice(closing(written, at)).every(({ text }) => text !== ')')) return undefined
  const [tag, name] = [written[at + 1], written[at + 2]]
  return tag !== undefined && name !== undefined && /^(?:struct|union)$/.test(tag.text)
    ? `${tag.text} ${name.text}`
    : undefined
}
