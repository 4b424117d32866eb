// SPDX-License-Identifier: GPL-3.0-or-later
// With what a function returns: how often it took a thing more than it gave it, on each of its ways out. The ways are
// those of its text (c/tokens/control-flow.ts). What decides a way is followed as far as one function tells: a lock
// that may fail to be taken, the variable that says whether it did, and a condition that is asked again.

import { withoutParentheses } from '../../c/tokens/brackets.ts'
import { controlFlowOf, type FlowNode } from '../../c/tokens/control-flow.ts'
import { closing, type Token } from '../../c/tokens/lexer.ts'
import { isMember } from '../../c/tokens/names.ts'
import { squeezed } from '../../c/tokens/text.ts'
import type { Definition } from '../../c/written/functions.ts'
import type { Operation } from './operations.ts'

/** What is known of one thing where a function returns. */
export interface HeldOnExit {
  /** Taken less given, and a line on which a way out of this kind returns. */
  readonly exits: ReadonlyMap<number, number>
  /** The most that is held at once, and the line on which it is taken. */
  readonly most: { readonly count: number; readonly line: number }
  /** The least: below 0 what is given is not the function's own. */
  readonly least: { readonly count: number; readonly line: number }
}

/** More is not told apart. */
const farthest = 4
/** How many places with their states are looked at. */
const mostStates = 40_000
/** How many conditions are remembered at once. */
const mostConditions = 4

/** The answer that says that something is taken; the others always take. */
const truthTakes =
  /try_?(?:lock|get)|^(?:try_|igrab|kref_put_(?:lock|mutex))|_not_zero|_unless_(?:zero|negative)|dec_and_\w*lock|tryget|get_live/
const zeroTakes =
  /^down_(?:interruptible|killable|trylock|timeout)$|_(?:interruptible|killable)(?:_nested)?$|^test_and_set_bit_lock$|^pm_runtime_resume_and_get$/

type Answer = 'always' | 'truth' | 'zero'

function answerOf({ word, kind, role }: Operation, isAssigned: boolean): Answer {
  if (role !== 'take') return 'always'
  if (zeroTakes.test(word)) return 'zero'
  return truthTakes.test(word) || (kind === 'reference' && isAssigned) ? 'truth' : 'always'
}

/** What stands left of `= word(…)`; casts and what only wraps the call are passed over. */
export function assignedTo(body: readonly Token[], at: number, from: number): string | undefined {
  let start = at - 1
  while (start >= from && /^(?:\(|likely|unlikely)$/.test(body[start]!.text)) start--
  if (body[start]?.text !== '=' || start - 1 < from) return undefined
  const name = body[start - 1]!
  return name.kind === 'name' && !isMember(body, start - 1) ? name.text : undefined
}

/** A value of which a condition asks whether it is zero. */
interface Asked {
  readonly text: string
  /** Whether the condition is true when the value is not zero. */
  readonly isTruth: boolean
}

/** `x`, `!x`, `unlikely(x < 0)`, `x != NULL`, `IS_ERR(x)`. */
function askedBy(condition: readonly Token[]): Asked {
  const tokens = withoutParentheses(condition)
  const [first, second] = tokens
  if (first?.text === '!') {
    const inner = askedBy(tokens.slice(1))
    if (isWhole(tokens.slice(1))) return { ...inner, isTruth: !inner.isTruth }
  }
  if (second?.text === '(' && closing(tokens, 1) === tokens.length) {
    if (/^(?:un)?likely$/.test(first!.text)) return askedBy(tokens.slice(2, -1))
    // What is an error pointer was not taken; of a number that is a status this is no question.
    if (/^IS_ERR(?:_OR_NULL)?$/.test(first!.text)) {
      const inner = askedBy(tokens.slice(2, -1))
      return { ...inner, isTruth: !inner.isTruth }
    }
  }
  const last = tokens.at(-1)?.text ?? ''
  const operator = tokens.at(-2)?.text ?? ''
  if (/^(?:0|NULL|false)$/.test(last) && /^(?:==|!=|<)$/.test(operator) && isWhole(tokens.slice(0, -2))) {
    const inner = askedBy(tokens.slice(0, -2))
    return operator === '==' ? { ...inner, isTruth: !inner.isTruth } : inner
  }
  return { text: squeezed(tokens), isTruth: true }
}

/** True of one operand: no `&&`, `||`, comparison or choice outside of brackets. */
function isWhole(tokens: readonly Token[]): boolean {
  for (let at = 0; at < tokens.length; at++) {
    const { text } = tokens[at]!
    if (/^(?:&&|\|\||\?|[<>]=?|[!=]=)$/.test(text)) return false
    if (/^[([]$/.test(text)) at = closing(tokens, at) - 1
  }
  return true
}

/** The value of a condition when what stands at `at` within it is taken. */
function whenTaken(body: readonly Token[], { from, to }: FlowNode, at: number, answer: 'truth' | 'zero'): boolean {
  let isTruth = answer === 'truth'
  for (let index = from; index < at && /^(?:!|\(|likely|unlikely)$/.test(body[index]!.text); index++)
    if (body[index]!.text === '!') isTruth = !isTruth
  const [operator, zero] = body.slice(to - 2, to).map(({ text }) => text)
  return isTruth !== (operator === '==' && /^(?:0|NULL|false)$/.test(zero ?? ''))
}

/** One thing's state: what is held, what waits for an answer, and what conditions are known to be. */
interface State {
  readonly count: number
  /** A take of which a variable says whether it did. */
  readonly open?: { readonly variable: string; readonly answer: 'truth' | 'zero' }
  /** `t`, `f` or `?` for each condition. */
  readonly known: string
}

const assignments = /^(?:=|[-+*/%&|^]=|<<=|>>=|\+\+|--)$/

/** The names that a part of the text writes: `x = …`, `x++`, `&x`; a loop's macro may write what it is given. */
function writtenIn(body: readonly Token[], node: FlowNode): { name: string; value?: string }[] {
  const found: { name: string; value?: string }[] = []
  const isMacro = node.kind === 'choice' && body[node.from + 1]?.text === '('
  for (let at = node.from; at < node.to; at++) {
    const { kind, text } = body[at]!
    if (kind !== 'name' || isMember(body, at)) continue
    const [next, last] = [body[at + 1]?.text ?? '', body[at - 1]?.text ?? '']
    if (assignments.test(next)) {
      const value = body[at + 2]?.text
      const isAlone = next === '=' && /^[;,)]?$/.test(body[at + 3]?.text ?? '')
      found.push(value !== undefined && isAlone ? { name: text, value } : { name: text })
    } else if (/^(?:\+\+|--)$/.test(last) || isMacro) found.push({ name: text })
    else if (last === '&' && /^[(,=]$/.test(body[at - 2]?.text ?? '') && !/^(?:->|\.|\[)$/.test(next))
      found.push({ name: text })
  }
  return found
}

/** What a condition is by a constant that its only name is given. */
function truthOf(value: string | undefined): string {
  if (value !== undefined && /^(?:0|false|NULL)$/.test(value)) return 'f'
  return value !== undefined && /^(?:true|[1-9]\d*)$/.test(value) ? 't' : '?'
}

/** Conditions that are asked more than once, and variables that are asked and are given constants. */
function conditionsThatCount(body: readonly Token[], nodes: readonly FlowNode[]): string[] {
  const counts = new Map<string, number>()
  for (const { kind, from, to } of nodes) {
    const tokens = body.slice(from, to)
    if (kind !== 'condition' || tokens.some(({ text }) => assignments.test(text))) continue
    const { text } = askedBy(tokens)
    // A function may answer otherwise the next time.
    if (text !== '' && !/\w\(/.test(text)) counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  const given = new Set(
    nodes.flatMap((node) => writtenIn(body, node).flatMap(({ name, value }) => (truthOf(value) === '?' ? [] : [name]))),
  )
  // The variables tell most.
  const found = [...counts].filter(([text, count]) => count > 1 || given.has(text)).map(([text]) => text)
  return [...found.filter((text) => given.has(text)), ...found.filter((text) => !given.has(text))]
}

/**
 * @param operations those of one thing, of this function's own text
 * @param isRenewed true of a name that gets another value: what was counted was another object's
 * @returns undefined where the text does not tell
 */
export function heldOnExit(
  definition: Definition,
  operations: readonly Operation[],
  isRenewed: (name: string) => boolean = () => false,
): HeldOnExit | undefined {
  const nodes = controlFlowOf(definition.body)
  if (nodes === undefined) return undefined
  const conditions = conditionsThatCount(definition.body, nodes).slice(0, mostConditions)
  return (
    heldBy(definition, nodes, operations, isRenewed, conditions) ?? heldBy(definition, nodes, operations, isRenewed, [])
  )
}

/** @returns undefined where there are too many ways to go them all */
function heldBy(
  definition: Definition,
  nodes: readonly FlowNode[],
  operations: readonly Operation[],
  isRenewed: (name: string) => boolean,
  conditions: readonly string[],
): HeldOnExit | undefined {
  const { body } = definition
  // The address of a variable (`mm != &init_mm`) stays what it is.
  const namesIn = conditions.map((text) => new Set(text.replace(/(?<![\w)\]])&\w+/g, '').match(/[A-Za-z_]\w*/g) ?? []))
  const exits = new Map<number, number>()
  let most = { count: 0, line: 0 }
  let least = { count: 0, line: 0 }
  const lineOf = (node: FlowNode) => body[Math.min(node.from, body.length - 1)]?.line ?? definition.line

  const settled = (states: readonly State[]): State[] =>
    states.flatMap((state) => {
      const { open, ...rest } = state
      return open === undefined ? [state] : [rest, counted(rest, 1, 0)]
    })
  const counted = (state: State, by: number, line: number): State => {
    const count = Math.max(-farthest, Math.min(farthest, state.count + by))
    if (count > most.count) most = { count, line }
    if (count < least.count) least = { count, line }
    return { ...state, count }
  }
  const own = nodes.map(({ from, to }) => operations.filter(({ at }) => at >= from && at < to))
  const written = nodes.map((node) => writtenIn(body, node))

  /** What a node does to a state; of a condition, what is sure on both of its ways. */
  const step = (index: number, start: State): { states: State[]; inside: Operation[] } => {
    const node = nodes[index]!
    let states: State[] = [start]
    for (const { name, value } of written[index]!) {
      if (isRenewed(name)) states = settled(states).map((state) => ({ ...state, count: 0 }))
      states = states.flatMap((state) => (state.open?.variable === name ? settled([state]) : [state]))
      states = states.map((state) => ({
        ...state,
        known: [...state.known]
          .map((truth, at) => (namesIn[at]!.has(name) ? (conditions[at] === name ? truthOf(value) : '?') : truth))
          .join(''),
      }))
    }
    const inside: Operation[] = []
    for (const one of own[index]!) {
      const line = one.line
      const variable = assignedTo(body, one.at, node.from)
      const answer = answerOf(one, variable !== undefined)
      if (one.role === 'give') states = settled(states).map((state) => counted(state, -1, line))
      else if (answer === 'always') states = settled(states).map((state) => counted(state, 1, line))
      else if (node.kind === 'condition') inside.push(one)
      else if (variable !== undefined)
        states = settled(states).map((state) => ({ ...state, open: { variable, answer } }))
      else states = settled(states).flatMap((state) => [state, counted(state, 1, line)])
    }
    return { states, inside }
  }
  /** The states with which one way of a condition goes on. */
  const onWay = (node: FlowNode, states: readonly State[], inside: readonly Operation[], when: boolean): State[] => {
    const asked = askedBy(body.slice(node.from, node.to))
    const isNotZero = asked.isTruth === when
    const position = conditions.indexOf(asked.text)
    let result = states.flatMap((state): State[] => {
      const { open, ...rest } = state
      if (open === undefined || !new RegExp(`(?<![\\w])${open.variable}(?!\\w)`).test(asked.text)) return [state]
      if (asked.text !== open.variable) return settled([state])
      return [(open.answer === 'truth') === isNotZero ? counted(rest, 1, lineOf(node)) : rest]
    })
    for (const one of inside) {
      const answer = answerOf(one, assignedTo(body, one.at, node.from) !== undefined)
      const taken = whenTaken(body, node, one.at, answer === 'zero' ? 'zero' : 'truth')
      if (when === taken) result = result.map((state) => counted(state, 1, one.line))
    }
    if (position < 0) return result
    const truth = isNotZero ? 't' : 'f'
    return result.flatMap((state): State[] => {
      const known = state.known[position]
      if (known !== '?' && known !== truth) return []
      return [{ ...state, known: state.known.slice(0, position) + truth + state.known.slice(position + 1) }]
    })
  }

  const seen = new Set<string>()
  const waiting: { index: number; state: State }[] = []
  const visit = (index: number, state: State) => {
    const { count, open, known } = state
    const key = `${index} ${count} ${open?.variable} ${open?.answer} ${known}`
    if (seen.has(key)) return
    seen.add(key)
    waiting.push({ index, state })
  }
  visit(0, { count: 0, known: '?'.repeat(conditions.length) })
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if (seen.size > mostStates) return undefined
    const node = nodes[one.index]!
    const { states, inside } = step(one.index, one.state)
    if (node.kind === 'leave')
      for (const { count } of settled(states)) exits.set(count, exits.get(count) ?? lineOf(node))
    for (const { to, when } of node.next)
      for (const state of when === undefined ? states : onWay(node, states, inside, when)) visit(to, state)
  }
  return { exits, most, least }
}
