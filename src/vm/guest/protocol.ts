// SPDX-License-Identifier: GPL-3.0-or-later
// The guest's reports, one line each, on a serial port of their own: the kernel's console can neither
// forge nor break them. What the guest sends is checked like any other input; a line that is none of
// these is handed back as noise (QEMU's own messages come the same way). The events are numbered, so that one that
// was lost is missed, and each says how long it is, so that a part of it is none. They carry no time: every clock of
// the guest's kernel may be what a live patch changes.

/**
 * How a step can end: `kept` when a module could not be unloaded, `refused` when the kernel refused a module that was
 * there before.
 */
export type EndOutcome = 'done' | 'failed' | 'kept' | 'refused'
const outcomes: readonly string[] = ['done', 'failed', 'kept', 'refused'] satisfies EndOutcome[]
const isOutcome = (word: string | undefined): word is EndOutcome => word !== undefined && outcomes.includes(word)

/** `number` counts the events of a boot from 1. */
export type Event = { readonly number: number } & (
  | { readonly kind: 'hello'; readonly release: string }
  /** What follows is about the proof with this number. */
  | { readonly kind: 'part'; readonly part: number }
  | { readonly kind: 'begin'; readonly step: string }
  /** `reason` is empty where the step was done. */
  | { readonly kind: 'end'; readonly step: string; readonly outcome: EndOutcome; readonly reason: string }
  /** `left` of `total` tasks still run the code of before. */
  | { readonly kind: 'sample'; readonly step: string; readonly left: number; readonly total: number }
  | { readonly kind: 'stuck'; readonly step: string; readonly tasks: string }
  /**
   * Of `tasks` tasks, those with a replaced function on their stack before the live patch comes: their stat lines and
   * stacks.
   */
  | { readonly kind: 'asleep'; readonly order: string; readonly tasks: number; readonly stacks: string }
  /** `active` is undefined where the kernel does not say. */
  | {
      readonly kind: 'replaces'
      readonly object: string
      readonly name: string
      readonly sympos: number
      readonly active: boolean | undefined
    }
  | { readonly kind: 'output'; readonly check: string; readonly exitCode: number; readonly text: string }
  | { readonly kind: 'load'; readonly index: number; readonly rounds: number }
  /**
   * How often the new code of a function ran, by its number in the plan; undefined when it was not counted, for this
   * reason.
   */
  | {
      readonly kind: 'ran'
      readonly order: string
      readonly index: number
      readonly times: number | undefined
      readonly reason: string
    }
  /** The exercise with this number begins. */
  | { readonly kind: 'exercise'; readonly index: number }
  | { readonly kind: 'exercised'; readonly index: number; readonly exitCode: number }
  | { readonly kind: 'stays'; readonly module: string; readonly reason: string }
  | { readonly kind: 'taint'; readonly bits: number }
  /** The kernel is too broken for the next proof. */
  | { readonly kind: 'unfit' }
  | { readonly kind: 'done' }
  | { readonly kind: 'bye' }
)

const numeral = /^\d{1,15}$/
/** Background loads; a list of them is made. */
const mostLoads = 10_000

function wholeNumber(word: string | undefined): number | undefined {
  return word !== undefined && numeral.test(word) ? Number(word) : undefined
}

/** Free text: base64, of which nothing is left when it was empty. */
function text(word: string | undefined): string {
  return Buffer.from(word ?? '', 'base64').toString('utf8')
}

/** The event that a line of the control channel tells, or undefined when it is not one. */
export function parseEvent(line: string): Event | undefined {
  const match = /^inarch (\d{1,9}) (\d{1,9}) (([a-z]+)(?: (.*))?)$/.exec(line.replace(/\r?$/, ''))
  if (match === null) return undefined
  const [, count = '', length, told = '', kind, rest = ''] = match
  if (told.length !== Number(length)) return undefined
  const head = { number: Number(count) }
  const words = rest.split(' ')
  const [first = '', second, third] = words
  switch (kind) {
    case 'hello':
      return first === '' ? undefined : { ...head, kind, release: first }
    case 'part': {
      const part = wholeNumber(first)
      return part === undefined ? undefined : { ...head, kind, part }
    }
    case 'begin':
      return first === '' ? undefined : { ...head, kind, step: first }
    case 'end':
      return first === '' || !isOutcome(second)
        ? undefined
        : { ...head, kind, step: first, outcome: second, reason: text(third).trim() }
    case 'sample': {
      const left = wholeNumber(second)
      const total = wholeNumber(third)
      return left === undefined || total === undefined ? undefined : { ...head, kind, step: first, left, total }
    }
    case 'stuck':
      return { ...head, kind, step: first, tasks: text(second).trimEnd() }
    case 'asleep': {
      const tasks = wholeNumber(second)
      return first === '' || tasks === undefined
        ? undefined
        : { ...head, kind, order: first, tasks, stacks: text(third) }
    }
    case 'replaces': {
      const [, name, sympos] = /^(.+),(\d{1,9})$/.exec(second ?? '') ?? []
      if (first === '' || name === undefined) return undefined
      const active = third === '1' ? true : third === '0' ? false : undefined
      return { ...head, kind, object: first, name, sympos: Number(sympos), active }
    }
    case 'output': {
      const exitCode = wholeNumber(second)
      return exitCode === undefined ? undefined : { ...head, kind, check: first, exitCode, text: text(third) }
    }
    case 'load': {
      const index = wholeNumber(first)
      const rounds = wholeNumber(second)
      return index === undefined || index >= mostLoads || rounds === undefined
        ? undefined
        : { ...head, kind, index, rounds }
    }
    case 'ran': {
      const index = wholeNumber(second)
      const times = wholeNumber(third)
      if (first === '' || index === undefined || (times === undefined && third !== '-')) return undefined
      return { ...head, kind, order: first, index, times, reason: text(words[3]).trim() }
    }
    case 'exercise': {
      const index = wholeNumber(first)
      return index === undefined ? undefined : { ...head, kind, index }
    }
    case 'exercised': {
      const index = wholeNumber(first)
      const exitCode = wholeNumber(second)
      return index === undefined || exitCode === undefined ? undefined : { ...head, kind, index, exitCode }
    }
    case 'stays':
      return { ...head, kind, module: first, reason: text(second).trim() }
    case 'taint': {
      const bits = wholeNumber(first)
      return bits === undefined ? undefined : { ...head, kind, bits }
    }
    case 'unfit':
    case 'done':
    case 'bye':
      return { ...head, kind }
    default:
      return undefined
  }
}
