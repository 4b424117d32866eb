// SPDX-License-Identifier: GPL-3.0-or-later
// What a rule says about itself. Findings of the rooms that compile, compare and bind have names like those of the
// safety rules, and a reader wants both explained in the same words.
import type { Rule } from '../subject/rule.ts'

export type Explanation = Omit<Rule, 'find' | 'restsOn'> & Partial<Pick<Rule, 'restsOn'>>

/** A short way to write many of them. */
export function explain(
  severity: Rule['severity'],
  name: string,
  looksFor: string,
  why: string,
  remedy: string,
): Explanation {
  return { name, severity, looksFor, why, remedy }
}

/** `kernel/resource.c: r->name`; none for a rule that rests on what was compiled and compared. */
export function citationsOf({ restsOn = [] }: Explanation): string[] {
  return restsOn.map(({ file, says }) => `${file}: ${says}`)
}
