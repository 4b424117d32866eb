// SPDX-License-Identifier: GPL-3.0-or-later
// What a rule says about itself. Findings of the rooms that compile, compare and bind have names like those of the
// safety rules, and a reader wants both explained in the same words.
import type { Rule } from '../subject/rule.ts'

export type Explanation = Omit<Rule, 'find' | 'restsOn'> & { readonly restsOn?: readonly Citation[] }

/** A place in the kernel's source that a rule rests on. */
export interface Citation {
  /** In the source tree: `kernel/livepatch/transition.c`. */
  readonly file: string
  /** What stands there: a function's name, or words of a document. */
  readonly says: string
}

/** What a safety rule says about itself. */
export function explanationOf({ find: _, restsOn, ...about }: Rule): Explanation {
  return {
    ...about,
    restsOn: restsOn.map((place) => {
      const at = place.indexOf(': ')
      return { file: place.slice(0, at), says: place.slice(at + 2) }
    }),
  }
}

/** `kernel/resource.c: r->name`; none for a rule that rests on what was compiled and compared. */
export function citationsOf({ restsOn = [] }: Explanation): string[] {
  return restsOn.map(({ file, says }) => `${file}: ${says}`)
}

type Explain = (name: string, looksFor: string, why: string, remedy: string) => Explanation

const of =
  (severity: Rule['severity']): Explain =>
  (name, looksFor, why, remedy) => ({ name, severity, looksFor, why, remedy })

/** A short way to write many of them. */
export const [error, warning, note] = [of('error'), of('warning'), of('note')]
