// SPDX-License-Identifier: GPL-3.0-or-later
// A function's body as statements (C11, 6.8), so that two sides of a function are compared by what they do and not by
// their lines. Macros that stand in front of a statement, such as `list_for_each_entry(…)`, are loops.
import { closing, findOutside, type Token } from './lexer.ts'
import { refuseTooDeep } from './nesting.ts'

/** What a statement does to the flow: `exit` leaves a function, a loop or a block. */
export type StatementKind = 'condition' | 'loop' | 'exit' | 'label' | 'expression'

export interface Statement {
  readonly kind: StatementKind
  /** Without the semicolon; of a condition and a loop all up to the body. */
  readonly tokens: readonly Token[]
  readonly text: string
  /** The conditions and loops around it, the outermost first. */
  readonly under: readonly Statement[]
  /** The same with each `else` and `do`, as text: where a statement stands, whatever braces are around it. */
  readonly within: string
  /** True when the statements that go with it end in a `return`, `goto`, `continue` or `break`. */
  readonly leaves: boolean
  readonly line: number
}

interface Draft {
  kind: StatementKind
  tokens: readonly Token[]
  under: readonly Draft[]
  within: string
  leaves: boolean
}

const exits = /^(?:return|goto|break|continue)$/
/** What a macro that begins a loop or a section is not followed by. */
export const notABody = /^(?:[;,)\]=.?:+\-*/%&|^<>!]|->|\+\+|--|&&|\|\||[-+*/%&|^]=|==|!=|<=|>=|<<|>>)$/

/**
 * @param body the tokens between the braces
 * @throws Fault `patch/too-deep`
 */
export function statementsOf(body: readonly Token[]): Statement[] {
  const found: Draft[] = []
  let labelled: Draft | undefined

  const put = (kind: StatementKind, from: number, to: number, under: readonly Draft[], within: string): Draft => {
    const one: Draft = { kind, tokens: body.slice(from, to), under, within, leaves: false }
    if (from < to) found.push(one)
    return one
  }
  let depth = 0
  /** Reads the statement at `at`; gives the index behind it. */
  const read = (at: number, end: number, under: readonly Draft[], within: string): number => {
    refuseTooDeep(++depth, body[at]!)
    const next = readOne(at, end, under, within)
    depth--
    return next
  }
  const readOne = (at: number, end: number, under: readonly Draft[], within: string): number => {
    const word = body[at]!.text
    const next = body[at + 1]?.text
    if (word === ';') return at + 1
    if (word === '{') {
      const close = closing(body, at, end)
      readAll(at + 1, close - 1, under, within)
      return close
    }
    if (word === 'else' || word === 'do') return at + 1 < end ? read(at + 1, end, under, `${within}\n${word}`) : end
    if (exits.test(word)) {
      const to = findOutside(body, at, ';', end)
      put('exit', at, to, under, within)
      return to + 1
    }
    if (word === 'case' || word === 'default') {
      let to = at
      while (to < end && body[to]!.text !== ':') to++
      put('label', at, to, under, within)
      return to + 1
    }
    if (body[at]!.kind === 'name' && next === ':' && body[at + 2]?.text !== ':') {
      labelled = put('label', at, at + 1, under, within)
      return at + 2
    }
    if (next === '(' && body[at]!.kind === 'name') {
      const close = closing(body, at + 1, end)
      const behind = body[close]?.text
      const isCondition = word === 'if' || word === 'switch'
      const isLoop =
        word === 'while' || word === 'for' || (!isCondition && behind !== undefined && !notABody.test(behind))
      if ((isCondition || isLoop) && close < end) {
        // The end of `do … while (…);`.
        const one = put(isCondition ? 'condition' : 'loop', at, close, under, within)
        const start = found.length
        const to = read(close, end, [...under, one], `${within}\n${textOf(one.tokens)}`)
        one.leaves = leavesFrom(start, one)
        return to
      }
    }
    const to = findOutside(body, at, ';', end)
    put('expression', at, to, under, within)
    return to + 1
  }
  const leavesFrom = (start: number, owner: Draft): boolean => {
    const own = found.slice(start).filter(({ under }) => under.at(-1) === owner)
    return own.at(-1)?.kind === 'exit'
  }
  const readAll = (from: number, end: number, under: readonly Draft[], within: string) => {
    for (let at = from; at < end; ) at = read(at, end, under, within)
  }
  readAll(0, body.length, [], '')
  // Behind the first label at the outer level that only a `goto` leads to, a function cleans up and leaves.
  const cleanup =
    labelled === undefined ? found.length : found.findIndex(({ kind, under }) => kind === 'label' && under.length === 0)
  return finished(found, cleanup < 0 ? found.length : cleanup)
}

function finished(found: readonly Draft[], cleanup: number): Statement[] {
  const made = new Map<Draft, Statement>()
  return found.map((one, at) => {
    const under = one.under.flatMap((outer) => made.get(outer) ?? [])
    const text = textOf(one.tokens)
    const statement: Statement = {
      kind: one.kind,
      tokens: one.tokens,
      text,
      under,
      within: one.within,
      leaves: one.kind === 'exit' || one.leaves || one.under.some((outer) => outer.leaves) || at > cleanup,
      line: one.tokens[0]?.line ?? 0,
    }
    made.set(one, statement)
    return statement
  })
}

function textOf(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join(' ')
}

/** The statements that only one side has, in their order, by the longest common part (Myers would be the same). */
export function differenceOf(
  before: readonly Statement[],
  after: readonly Statement[],
): {
  readonly gone: readonly Statement[]
  readonly come: readonly Statement[]
  /** True when a statement of both sides stands below other conditions. */
  readonly isBelowOthers: boolean
} {
  let isBelowOthers = false
  const isSame = (one: Statement, other: Statement): boolean => {
    if (one.text !== other.text) return false
    if (one.within !== other.within) isBelowOthers = true
    return true
  }
  let from = 0
  while (from < before.length && from < after.length && isSame(before[from]!, after[from]!)) from++
  let [left, right] = [before.length, after.length]
  while (left > from && right > from && isSame(before[left - 1]!, after[right - 1]!)) {
    left--
    right--
  }
  const [old, young] = [before.slice(from, left), after.slice(from, right)]
  const width = young.length + 1
  const lengths = new Uint32Array((old.length + 1) * width)
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = young.length - 1; j >= 0; j--)
      lengths[i * width + j] =
        old[i]!.text === young[j]!.text
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!)
  const [gone, come]: [Statement[], Statement[]] = [[], []]
  let [i, j] = [0, 0]
  while (i < old.length || j < young.length) {
    if (i < old.length && j < young.length && isSame(old[i]!, young[j]!)) {
      i++
      j++
    } else if (j >= young.length || (i < old.length && lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!))
      gone.push(old[i++]!)
    else come.push(young[j++]!)
  }
  return { gone, come, isBelowOthers }
}
