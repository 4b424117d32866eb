// SPDX-License-Identifier: GPL-3.0-or-later
// The guest's reports, one line each, on a serial port of their own: the kernel's console can neither
// forge nor break them. What the guest sends is checked like any other input; a line that is none of
// these is handed back as noise (QEMU's own messages come the same way).

/** `at` is in ms since the guest's boot. */
export type Event = { readonly at: number } & (
  | { readonly kind: 'hello'; readonly release: string }
  /** What follows is about the proof with this number. */
  | { readonly kind: 'part'; readonly part: number }
  | { readonly kind: 'begin'; readonly step: string }
  /** `reason` is empty unless the step failed. */
  | { readonly kind: 'end'; readonly step: string; readonly ok: boolean; readonly reason: string }
  /** `left` of `total` tasks still run the code of before. */
  | { readonly kind: 'sample'; readonly step: string; readonly left: number; readonly total: number }
  | { readonly kind: 'stuck'; readonly step: string; readonly tasks: string }
  /** Of `tasks` tasks, those with a replaced function on their stack before the live patch comes: their stat lines and stacks. */
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
  | { readonly kind: 'stays'; readonly module: string; readonly reason: string }
  | { readonly kind: 'taint'; readonly bits: number }
  /** The kernel is too broken for the next proof. */
  | { readonly kind: 'unfit' }
  | { readonly kind: 'done' }
  | { readonly kind: 'bye' }
)

const numeral = /^\d{1,15}$/

function number(word: string | undefined): number | undefined {
  return word !== undefined && numeral.test(word) ? Number(word) : undefined
}

/** Free text: base64, of which nothing is left when it was empty. */
function text(word: string | undefined): string {
  return Buffer.from(word ?? '', 'base64').toString('utf8')
}

/** The event that a line of the control channel tells, or undefined when it is not one. */
export function parseEvent(line: string): Event | undefined {
  const match = /^inarch (\d{1,9})\.(\d{1,3}) ([a-z]+)(?: (.*))?$/.exec(line.trimEnd())
  if (match === null) return undefined
  const [, seconds = '', fraction = '', kind, rest = ''] = match
  const at = Number(seconds) * 1000 + Number(fraction.padEnd(3, '0'))
  const words = rest.split(' ')
  const [first = '', second, third] = words
  switch (kind) {
    case 'hello':
      return first === '' ? undefined : { at, kind, release: first }
    case 'part': {
      const part = number(first)
      return part === undefined ? undefined : { at, kind, part }
    }
    case 'begin':
      return first === '' ? undefined : { at, kind, step: first }
    case 'end':
      if (first === '' || (second !== 'ok' && second !== 'failed')) return undefined
      return { at, kind, step: first, ok: second === 'ok', reason: text(third).trim() }
    case 'sample': {
      const left = number(second)
      const total = number(third)
      return left === undefined || total === undefined ? undefined : { at, kind, step: first, left, total }
    }
    case 'stuck':
      return { at, kind, step: first, tasks: text(second).trimEnd() }
    case 'asleep': {
      const tasks = number(second)
      return first === '' || tasks === undefined
        ? undefined
        : { at, kind, order: first, tasks, stacks: text(third) }
    }
    case 'replaces': {
      const [, name, sympos] = /^(.+),(\d{1,9})$/.exec(second ?? '') ?? []
      if (first === '' || name === undefined) return undefined
      const active = third === '1' ? true : third === '0' ? false : undefined
      return { at, kind, object: first, name, sympos: Number(sympos), active }
    }
    case 'output': {
      const exitCode = number(second)
      return exitCode === undefined ? undefined : { at, kind, check: first, exitCode, text: text(third) }
    }
    case 'load': {
      const index = number(first)
      const rounds = number(second)
      return index === undefined || rounds === undefined ? undefined : { at, kind, index, rounds }
    }
    case 'stays':
      return { at, kind, module: first, reason: text(second).trim() }
    case 'taint': {
      const bits = number(first)
      return bits === undefined ? undefined : { at, kind, bits }
    }
    case 'unfit':
    case 'done':
    case 'bye':
      return { at, kind }
    default:
      return undefined
  }
}
