// SPDX-License-Identifier: GPL-3.0-or-later
// What the trials came to, in numbers.
import type { Outcome, Trial, UnitTrial } from './trial.ts'

export interface Summary {
  readonly units: number
  readonly functions: number
  /** Extracts that the compiler takes; of these, without a new warning. */
  readonly compiled: number
  readonly withoutWarning: number
  readonly identical: number
  /** Of the others, those that are the same when each function is compiled by itself. */
  readonly sameBySource: number
  /** Data that were copied although they can be written. */
  readonly copies: number
  /** How often each other outcome occurs, the most frequent first. */
  readonly others: readonly (readonly [outcome: string, count: number])[]
  /**
   * The extraction's time divided by the compiler's for the unit: of each function, without and with the preprocessor.
   */
  readonly ratio: Spread
  readonly ratioWithPreprocessor: Spread
  /** Bytes. */
  readonly memory: number
}

export interface Spread {
  readonly median: number
  /** Nine of ten are not above it. */
  readonly ninth: number
  readonly most: number
}

const uncompiled: ReadonlySet<Outcome> = new Set<Outcome>(['not-extracted', 'refused', 'does-not-compile'])

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
  return { median: at(0.5), ninth: at(0.9), most: at(1) }
}

export function summarize(units: readonly UnitTrial[]): Summary {
  const trials = units.flatMap(({ functions, compiler }) => functions.map((trial) => ({ trial, compiler })))
  const counts = new Map<string, number>()
  for (const { trial } of trials) counts.set(trial.outcome, (counts.get(trial.outcome) ?? 0) + 1)
  const compiled = trials.filter(({ trial }) => !uncompiled.has(trial.outcome))
  const ratios = (cost: (ms: Trial['ms']) => number) =>
    spread(trials.filter(({ compiler }) => compiler > 0).map(({ trial, compiler }) => cost(trial.ms) / compiler))
  return {
    units: units.length,
    functions: trials.length,
    compiled: compiled.length,
    withoutWarning: compiled.filter(({ trial }) => trial.warning === undefined).length,
    identical: counts.get('identical') ?? 0,
    sameBySource: compiled.filter(({ trial }) => trial.isSameBySource === true).length,
    copies: trials.reduce((sum, { trial }) => sum + trial.copies.length, 0),
    others: [...counts].filter(([outcome]) => outcome !== 'identical').sort((a, b) => b[1] - a[1]),
    ratio: ratios(({ extraction }) => extraction),
    ratioWithPreprocessor: ratios(({ extraction, preprocessor }) => extraction + preprocessor),
    memory: Math.max(0, ...units.map(({ memory }) => memory)),
  }
}
