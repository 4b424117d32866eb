// SPDX-License-Identifier: GPL-3.0-or-later
// Which of the replaced functions ran while the live patch was at work, how often, and which never did: what a proof
// shows of a function that never ran is that it can be loaded and taken back, and no more.
import type { Check } from '../plan/check.ts'
import type { Replacement } from '../plan/replacement.ts'
import type { Order } from '../plan/scenario.ts'
import type { Failure } from './judge.ts'
import type { RanRecord } from './record.ts'

export interface CoveredFunction {
  readonly object: string
  readonly name: string
  readonly sympos: number
  /** How often its new code ran, in all orders of things; absent when it could not be counted. */
  readonly ran?: number
  /** Why it could not. */
  readonly uncounted?: string
}

export interface Coverage {
  readonly functions: readonly CoveredFunction[]
  /** True when the author says what the live patch must do: a script, or a check with an expectation of it. */
  readonly checked: boolean
  /** The exercises that were begun, in their order. */
  readonly exercises: readonly string[]
}

/** Whether the author says what is to be seen of the live patch while it is at work. */
export function isChecked(checks: readonly Check[], script: string | undefined): boolean {
  return script !== undefined || checks.some(({ after }) => after !== undefined)
}

/** The functions with what the guest counted, over all orders. */
export function coveredFunctions(functions: readonly Replacement[], told: readonly RanRecord[]): CoveredFunction[] {
  return functions.map(({ object, name, sympos, code }, number): CoveredFunction => {
    const own = told.filter(({ index }) => index === number)
    const counted = own.flatMap(({ times }) => times ?? [])
    if (counted.length > 0) return { object, name, sympos, ran: counted.reduce((sum, times) => sum + times, 0) }
    const why =
      code === undefined
        ? "the module's tables don't tell where its new code is"
        : own.find(({ reason }) => reason !== '')?.reason
    return { object, name, sympos, uncounted: why ?? 'the proof ended before it was counted' }
  })
}

/** Functions that ran, at least once. */
export function ranAtAll({ functions }: Pick<Coverage, 'functions'>): readonly CoveredFunction[] {
  return functions.filter(({ ran }) => ran !== undefined && ran > 0)
}

/** Functions that never ran. */
export function neverRan({ functions }: Pick<Coverage, 'functions'>): readonly CoveredFunction[] {
  return functions.filter(({ ran }) => ran === 0)
}

/** Functions of which nobody knows. */
export function uncounted({ functions }: Pick<Coverage, 'functions'>): readonly CoveredFunction[] {
  return functions.filter(({ ran }) => ran === undefined)
}

/** True when what was seen shows more than that the live patch can be loaded and reverted. */
export function covers(coverage: Coverage): boolean {
  const { functions, checked } = coverage
  return checked || (functions.length > 0 && ranAtAll(coverage).length === functions.length)
}

/** The functions of which an order told nothing. */
export function untold(functions: readonly Replacement[], told: readonly RanRecord[], order: Order): Failure[] {
  return functions.flatMap(({ name }, number): Failure[] =>
    told.some((one) => one.order === order && one.index === number)
      ? []
      : [{ code: 'unseen', message: `Nobody knows whether ${name} ran (${order}): its count did not come` }],
  )
}

const namesOf = (functions: readonly CoveredFunction[]) => functions.map(({ name }) => name).join(', ')

/** What is not covered, in words without a full stop; undefined when each function ran. */
export function uncoveredWords(coverage: Coverage): string | undefined {
  const [never, unknown] = [neverRan(coverage), uncounted(coverage)]
  if (coverage.functions.length === 0) return 'no function is replaced'
  const words = [
    ...(never.length > 0 ? [`never ran: ${namesOf(never)}`] : []),
    ...(unknown.length > 0 ? [`not known to have run: ${namesOf(unknown)}`] : []),
  ]
  return words.length === 0 ? undefined : words.join('; ')
}

/** For who asks for it: a function that did not run is a failure. */
export function coverageFailures(coverage: Coverage): Failure[] {
  return coverage.functions.flatMap(({ object, name, ran, uncounted: why }): Failure[] => {
    if (ran !== undefined && ran > 0) return []
    const what = ran === 0 ? 'never ran while the live patch was at work' : `could not be counted: ${why}`
    return [{ code: 'coverage', message: `${name} of ${object} ${what}` }]
  })
}
