// SPDX-License-Identifier: GPL-3.0-or-later
// The ways through a function's body (C11, 6.8): which statement can come after which. Macros that stand in front of a
// statement, such as `list_for_each_entry(…)`, are loops.
import { closing, findOutside, isOpening, type Token } from './lexer.ts'
import { refuseTooDeep } from './nesting.ts'
import { notABody } from './statements.ts'
import { attributeWords, typeofWords } from './words.ts'

/** What is done without a choice in between; `from` to `to` are tokens of the body. */
export interface FlowNode {
  readonly from: number
  readonly to: number
  /**
   * `step` goes on in one way, `condition` by its value, `choice` in any of its ways; `leave` ends the function.
   */
  readonly kind: 'step' | 'condition' | 'leave' | 'choice'
  /** Where it goes on. */
  readonly next: readonly FlowEdge[]
}

export interface FlowEdge {
  /** The number of a node. */
  readonly to: number
  /** Of a condition: which value leads there. */
  readonly when?: boolean
}

interface Draft {
  readonly from: number
  readonly to: number
  readonly kind: FlowNode['kind']
  readonly next: { to: number; when?: boolean }[]
}

/** Where `break`, `continue` and `case` lead. */
interface Around {
  readonly end?: number
  readonly again?: number
  readonly choice?: number
}

/** Behind these nothing comes. */
const ends =
  /^(?:BUG|panic|nmi_panic|do_exit|make_task_dead|kthread_exit|kthread_complete_and_exit|unreachable|__builtin_unreachable)$/

/** What an operator outside of brackets divides; all of it where a weaker one stands beside. */
function operandsOf(body: readonly Token[], from: number, to: number, operator: '||' | '&&') {
  const parts = [{ from, to }]
  for (let at = from; at < to; at++) {
    const { text } = body[at]!
    if (/^(?:\?|,|=|[-+*/%&|^]=|<<=|>>=)$/.test(text)) return [{ from, to }]
    if (isOpening(body[at]!)) at = closing(body, at, to) - 1
    else if (text === operator) {
      parts.at(-1)!.to = at
      parts.push({ from: at + 1, to })
    }
  }
  return parts
}

/**
 * @param body the tokens between the braces
 * @returns the nodes, the first of which is the beginning; undefined where a computed `goto` can lead anywhere
 * @throws Fault `patch/too-deep`
 */
export function controlFlowOf(body: readonly Token[]): readonly FlowNode[] | undefined {
  const nodes: Draft[] = []
  const labels = new Map<string, number>()
  let isComputed = false
  let depth = 0

  const node = (from = 0, to = from, kind: FlowNode['kind'] = 'step'): number =>
    nodes.push({ from, to, kind, next: [] }) - 1
  const lead = (from: number, to: number, when?: boolean) => {
    nodes[from]!.next.push(when === undefined ? { to } : { to, when })
  }
  /** A node behind another one. */
  const behind = (last: number, from = 0, to = from, kind: FlowNode['kind'] = 'step'): number => {
    const one = node(from, to, kind)
    lead(last, one)
    return one
  }
  const labelled = (name: string): number => {
    const known = labels.get(name) ?? node()
    labels.set(name, known)
    return known
  }
  /** Leads to where each value of a condition goes on; each operand of `&&` and `||` is a condition of its own. */
  const decide = (last: number, from: number, to: number, yes: number, no: number): void => {
    const open = /^(?:un)?likely$/.test(body[from]?.text ?? '') ? from + 1 : from
    if (body[open]?.text === '(' && closing(body, open, to) === to) {
      decide(last, open + 1, to - 1, yes, no)
      return
    }
    if (body[from]?.text === '!' && body[from + 1]?.text === '(' && closing(body, from + 1, to) === to) {
      decide(last, from + 2, to - 1, no, yes)
      return
    }
    const either = operandsOf(body, from, to, '||')
    const parts = either.length > 1 ? either : operandsOf(body, from, to, '&&')
    if (parts.length > 1) {
      let now = last
      for (const [index, part] of parts.entries()) {
        const following = index === parts.length - 1 ? undefined : node()
        const [isTrue, isFalse] = either.length > 1 ? [yes, following ?? no] : [following ?? yes, no]
        decide(now, part.from, part.to, isTrue, isFalse)
        now = following ?? now
      }
      return
    }
    const one = behind(last, from, to, 'condition')
    const constant = from === to ? 'true' : from + 1 === to ? body[from]!.text : ''
    if (!/^(?:0|false)$/.test(constant)) lead(one, yes, true)
    if (!/^(?:1|true)$/.test(constant)) lead(one, no, false)
  }
  /** A condition and its two ways; one that is always true or false has one. */
  const choose = (last: number, from: number, to: number) => {
    const [yes, no] = [node(), node()]
    decide(last, from, to, yes, no)
    return { yes, no }
  }
  /** Reads the statement at `at`, which comes after the node `last`; gives where it ends and its last node. */
  const read = (at: number, end: number, last: number, around: Around): [next: number, last: number] => {
    if (at >= end) return [end, last]
    refuseTooDeep(++depth, body[at]!)
    const result = readOne(at, end, last, around)
    depth--
    return result
  }
  const readAll = (from: number, end: number, last: number, around: Around): number => {
    let now = last
    for (let at = from; at < end; ) [at, now] = read(at, end, now, around)
    return now
  }
  const readOne = (at: number, end: number, last: number, around: Around): [number, number] => {
    const { text: word, kind } = body[at]!
    const following = body[at + 1]?.text
    const close = following === '(' ? closing(body, at + 1, end) : at
    if (word === ';') return [at + 1, last]
    if (word === '{') {
      const behindBlock = closing(body, at, end)
      return [behindBlock, readAll(at + 1, behindBlock - 1, last, around)]
    }
    if (word === 'if' && following === '(') {
      const { yes, no } = choose(last, at + 2, close - 1)
      const join = node()
      const [then, thenLast] = read(close, end, yes, around)
      lead(thenLast, join)
      if (body[then]?.text !== 'else' || then >= end) {
        lead(no, join)
        return [then, join]
      }
      const [next, elseLast] = read(then + 1, end, no, around)
      lead(elseLast, join)
      return [next, join]
    }
    if (word === 'while' && following === '(') {
      const one = behind(last)
      const { yes, no } = choose(one, at + 2, close - 1)
      const [next, inner] = read(close, end, yes, { ...around, end: no, again: one })
      lead(inner, one)
      return [next, no]
    }
    if (word === 'for' && following === '(') return readFor(at, close, end, last, around)
    if (word === 'do') {
      const start = behind(last)
      const [again, out] = [node(), node()]
      const [next, inner] = read(at + 1, end, start, { ...around, end: out, again })
      lead(inner, again)
      const to = body[next + 1]?.text === '(' ? closing(body, next + 1, end) : next
      decide(again, next + 2, to - 1, start, out)
      return [Math.max(to, at + 1), out]
    }
    if (word === 'switch' && following === '(') {
      const choice = behind(last, at + 2, close - 1, 'choice')
      const out = node()
      const [next, inner] = read(close, end, node(), { ...around, end: out, choice })
      lead(inner, out)
      const isWhole = body.slice(close, next).some(({ text }) => text === 'default')
      if (!isWhole) lead(choice, out)
      return [next, out]
    }
    if (word === 'case' || word === 'default') {
      let to = at
      while (to < end && body[to]!.text !== ':') to++
      const one = behind(last)
      if (around.choice !== undefined) lead(around.choice, one)
      return [to + 1, one]
    }
    if (kind === 'name' && following === ':' && body[at + 2]?.text !== ':') {
      const one = labelled(word)
      lead(last, one)
      return [at + 2, one]
    }
    const to = findOutside(body, at, ';', end)
    if (word === 'return') {
      behind(last, at, to, 'leave')
      return [to + 1, node()]
    }
    if (word === 'goto') {
      if (following === '*') isComputed = true
      else lead(last, labelled(following ?? ''))
      return [to + 1, node()]
    }
    if (word === 'break' || word === 'continue') {
      const target = word === 'break' ? around.end : around.again
      if (target !== undefined) lead(last, target)
      return [to + 1, node()]
    }
    const isMacro = kind === 'name' && following === '(' && !typeofWords.has(word) && !attributeWords.has(word)
    if (isMacro && close < end && !notABody.test(body[close]!.text)) {
      const head = behind(last, at, close, 'choice')
      const [inside, out] = [node(), node()]
      lead(head, inside)
      lead(head, out)
      const [next, inner] = read(close, end, inside, { ...around, end: out, again: head })
      lead(inner, head)
      return [next, out]
    }
    const one = behind(last, at, to)
    return [to + 1, ends.test(word) && following === '(' ? node() : one]
  }
  const readFor = (at: number, close: number, end: number, last: number, around: Around): [number, number] => {
    const first = findOutside(body, at + 2, ';', close - 1)
    const second = findOutside(body, first + 1, ';', close - 1)
    const begun = behind(last, at + 2, first)
    const one = behind(begun)
    const { yes, no } = choose(one, first + 1, second)
    const step = node(second + 1, close - 1)
    const [next, inner] = read(close, end, yes, { ...around, end: no, again: step })
    lead(inner, step)
    lead(step, one)
    return [next, no]
  }
  const last = readAll(0, body.length, node(), {})
  behind(last, body.length, body.length, 'leave')
  return isComputed ? undefined : nodes
}
