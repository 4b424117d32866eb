// SPDX-License-Identifier: GPL-3.0-or-later
// A check: a command that runs in the guest without the live patch, with it and without it again, and
// what its output is expected to be.
import { Fault } from '../../ground/fault.ts'
import type { Phase } from './scenario.ts'

/** A text that must be contained, or an expression that must match. */
export interface Expectation {
  readonly text: string
  matches(output: string): boolean
}

export interface Check {
  readonly command: string
  /** What a person calls it; by default the command, shortened. */
  readonly label?: string
  /** Expected without the live patch. */
  readonly before?: Expectation
  /** Expected with it. */
  readonly after?: Expectation
  /** Expected when it was reverted; by default what is expected without it. */
  readonly reverted?: Expectation
}

/** How much of a command stands for it where it has no label: characters. */
const labelLength = 40

/** What a check is called in one line. */
export function labelOf({ command, label }: Check): string {
  const line = (label ?? command).trim().replace(/\s+/g, ' ')
  if (label !== undefined || line.length <= labelLength) return line
  return `${line.slice(0, labelLength - 1).trimEnd()}…`
}

/**
 * Understands `TEXT` or `/EXPRESSION/FLAGS`.
 * @throws Fault `usage/bad-expression`
 */
export function parseExpectation(text: string): Expectation {
  const [, source, flags] = /^\/(.+)\/([a-z]*)$/s.exec(text) ?? []
  if (source === undefined) return { text, matches: (output) => output.includes(text) }
  const pattern = parsePattern(source, flags?.includes('m') ? flags : `${flags ?? ''}m`)
  return { text, matches: (output) => output.search(pattern) >= 0 }
}

/** @throws Fault `usage/bad-expression` */
export function parsePattern(source: string, flags = ''): RegExp {
  try {
    return new RegExp(source, flags.replaceAll('g', ''))
  } catch (error) {
    throw new Fault('usage', 'bad-expression', `/${source}/${flags} is not a regular expression`, {
      detail: (error as Error).message,
    })
  }
}

/**
 * What a check expects in a phase.
 * @param restores whether the revert brings back what was there before; it does not where the live patch
 *   replaced older ones, which are gone then
 */
export function expectedIn(check: Check, phase: Phase, restores: boolean): Expectation | undefined {
  if (phase === 'reverted') return check.reverted ?? (restores ? check.before : undefined)
  return check[phase]
}
