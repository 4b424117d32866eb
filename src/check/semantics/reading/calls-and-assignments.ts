// SPDX-License-Identifier: GPL-3.0-or-later
// The call or the assignment by which something happens. Two are one act only when function, arguments, place and value
// are the same, whatever the parameters and the local variables with one value are called.
import { withoutParentheses } from '../../../c/tokens/brackets.ts'
import { closing, type Token } from '../../../c/tokens/lexer.ts'
import { isArrow, isMember } from '../../../c/tokens/names.ts'
import type { Variable } from '../../../c/written/local-variables.ts'

export interface CallOrAssignment {
  /** The function that is called; absent for an assignment. */
  readonly name?: string
  /** As it is written. */
  readonly text: string
  readonly parts: readonly Part[]
}

/** An argument, or the place and the value of an assignment. */
interface Part {
  readonly text: string
  /** With the values of local variables in their place. */
  readonly exact: string
}

type Variables = ReadonlyMap<string, Variable>

export function spelled(tokens: readonly Token[]): string {
  return tokens
    .map(({ text }) => text)
    .join(' ')
    .replace(/\b(?:READ_ONCE|unlikely|likely) \( ([^()]*) \)/g, '$1')
    .replace(/ ?(->|\.) ?/g, '$1')
    .replace(/([([!~]) /g, '$1')
    .replace(/ ([)\],;([])/g, '$1')
}

/** How many local variables are put in for each other. */
const deepest = 3

/** Tokens as text, with parameters by number and local variables that are given one value as that value. */
export function exactly(written: readonly Token[], variables: Variables, depth = 0): string {
  const tokens = withoutParentheses(written)
  const words: string[] = []
  const put = (inner: readonly Token[], level: number) => {
    const text = exactly(inner, variables, level)
    words.push(isPath(withoutParentheses(inner)) ? text : `( ${text} )`)
  }
  for (let at = 0; at < tokens.length; at++) {
    const { kind, text } = tokens[at]!
    const variable = kind === 'name' && !isMember(tokens, at) ? variables.get(text) : undefined
    if (text === 'READ_ONCE' && tokens[at + 1]?.text === '(') {
      const end = closing(tokens, at + 1)
      put(tokens.slice(at + 2, end - 1), depth)
      at = end - 1
    } else if (variable?.isParameter === true) words.push(`%${[...variables.keys()].indexOf(text)}`)
    else if (variable?.value !== undefined && depth < deepest) put(variable.value, depth + 1)
    else words.push(text)
  }
  return words.join(' ')
}

/** `a->b[i].c(d)`: nothing that binds less than what may stand around it. */
function isPath(tokens: readonly Token[]): boolean {
  for (let at = 0; at < tokens.length; at++) {
    const { kind, text } = tokens[at]!
    if (at > 0 && (text === '(' || text === '[')) at = closing(tokens, at) - 1
    else if (kind === 'punctuator' ? !isArrow(tokens[at]) : at > 0 && tokens[at - 1]!.kind !== 'punctuator')
      return false
  }
  return true
}

export function callOf(name: string, values: readonly (readonly Token[])[], variables: Variables): CallOrAssignment {
  const parts = values.map((value) => ({ text: spelled(value), exact: exactly(value, variables) }))
  return { name, text: `${name}(${parts.map(({ text }) => text).join(', ')})`, parts }
}

/** @param operator `=`, `+=`, `++` */
export function assignmentOf(
  place: readonly Token[],
  operator: string,
  value: readonly Token[],
  variables: Variables,
): CallOrAssignment {
  const bare = place[0]?.text === '&' ? place.slice(1) : place
  const parts = [bare, value].map((one) => ({
    text: spelled(one),
    exact: `${operator} ${exactly(one, variables)}`,
  }))
  return { text: `${spelled(bare)} ${operator} ${spelled(value)}`.trim(), parts }
}

/** An act of a function that is called, with the arguments of the call in place of the parameters. */
export function givenArguments(act: CallOrAssignment, { parts: given }: CallOrAssignment): CallOrAssignment {
  const put = (text: string) =>
    text.replace(/%(\d+)/g, (parameter, number: string) => {
      const value = given[Number(number)]?.exact
      if (value === undefined) return parameter
      return /^[\w%]+(?: (?:->|\.) \w+)*$/.test(value) ? value : `( ${value} )`
    })
  return { ...act, parts: act.parts.map(({ text, exact }) => ({ text, exact: put(exact) })) }
}

/** What two acts have in common when they are one. */
export function actKey({ name, parts }: CallOrAssignment): string {
  return [name ?? '', ...parts.map(({ exact }) => exact)].join('\n')
}

/** An act without the words that only order how it reads. */
export function unordered(act: CallOrAssignment): string {
  return actKey(act)
    .replace(/\b(?:READ_ONCE|smp_load_acquire) \( ([^()]*) \)/g, '$1')
    .replace(/_(?:acquire|relaxed)\b/g, '')
}

/** True when an answer goes to the same place of user space; at another place, somebody else may look for it. */
export function goesToOnePlace(
  { name = '', parts: before }: CallOrAssignment,
  { parts: after }: CallOrAssignment,
): boolean {
  const at = name === 'put_user' ? 1 : 0
  return before[at]?.exact === after[at]?.exact
}

/** What of two acts differs, as text of each: only the arguments, where the function is the same. */
export function wordsThatDiffer(
  before: CallOrAssignment,
  after: CallOrAssignment,
): { readonly before: string; readonly after: string } {
  const isOneCall =
    before.name !== undefined && before.name === after.name && before.parts.length === after.parts.length
  const differ = before.parts.flatMap((part, at) => (part.exact === after.parts[at]?.exact ? [] : [at]))
  const told = ({ parts, text }: CallOrAssignment, by: keyof Part) => {
    if (isOneCall) return `with ${differ.map((at) => parts[at]![by]).join(', ')}`
    return by === 'text' ? text : parts.map(({ exact }) => exact).join(' ')
  }
  const by = told(before, 'text') === told(after, 'text') ? 'exact' : 'text'
  return { before: told(before, by), after: told(after, by) }
}

/** More letters of one text are not shown. */
const longest = 60

/** Two texts short enough to be read, around the place where they differ. */
export function shortened(before: string, after: string): { before: string; after: string } {
  let same = 0
  while (same < before.length && before[same] === after[same]) same++
  const from = Math.max(before.length, after.length) > longest && same > longest / 2 ? same - longest / 3 : 0
  const cut = (text: string) => {
    const part = text.slice(from, from + longest)
    return `${from > 0 ? '…' : ''}${part}${from + longest < text.length ? '…' : ''}`
  }
  return { before: cut(before), after: cut(after) }
}
