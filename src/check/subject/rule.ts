// SPDX-License-Identifier: GPL-3.0-or-later
// A Rule looks for one thing that makes a live patch dangerous. Each rule is a file of `rules/`; what it says
// about itself is what `inarch check --rules` prints and what docs/rules.md shows.
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
import { listed } from '../../ground/listed.ts'
import { grouped } from '../../ground/values/grouped.ts'
import type { FileChange } from '../../patch/patch.ts'
import { type ChangedFunction, type ChangedFunctions, changedFunctionsOf } from './changed-functions.ts'
import type { Subject } from './subject.ts'

/** What a rule found; the rule's name and severity are added to it. */
export interface Found {
  /** One sentence without a full stop: what differs, where, and what could happen. */
  readonly message: string
  /** What the author can do here; the rule's own remedy when absent. */
  readonly hint?: string
  /** The function, datum or type it is about. */
  readonly symbol?: string
  /** The functions it is about, where the symbol is not the only one. */
  readonly functions?: readonly string[]
  /** The translation unit or file it is about. */
  readonly unit?: string
  /** It is about calls that follow one another, so that it matters also where all tasks switch at one instant. */
  readonly outlives?: true
  /** Where this case is graver or more harmless than the rule's cases are in general. */
  readonly severity?: Finding['severity']
}

export interface Rule {
  /** Stable, such as `type-layout`; what `--allow` takes. */
  readonly name: string
  /** `error` refuses; `warning` refuses unless `--allow` names the rule; `note` only tells. */
  readonly severity: Finding['severity']
  /** One sentence each, without a full stop. */
  readonly looksFor: string
  readonly why: string
  readonly remedy: string
  /** Places in the kernel's source, with words that stand there: `kernel/livepatch/patch.c: klp_ftrace_handler`. */
  readonly restsOn: readonly string[]
  /** It warns of old and new code that run at the same time. */
  readonly ofMixture?: true
  find(subject: Subject, job: Job): Promise<readonly Found[]> | readonly Found[]
}

const ruleOf =
  (severity: Rule['severity']) =>
  (
    name: string,
    looksFor: string,
    why: string,
    remedy: string,
    restsOn: Rule['restsOn'],
    find: Rule['find'],
  ): Rule => ({ name, severity, looksFor, why, remedy, restsOn, find })

/** Rules, by how grave their findings are in general. */
export const [error, warning, note] = [ruleOf('error'), ruleOf('warning'), ruleOf('note')]

/** What is found in one function of the changed files. */
export function foundIn(
  { name, file }: Pick<ChangedFunction, 'name' | 'file'>,
  message: string,
  more?: Omit<Found, 'message'>,
): Found {
  return { symbol: name, unit: file, message, ...more }
}

/** What one function does, as the rest of a sentence that begins with its name. */
export interface Doing {
  readonly of: Pick<ChangedFunction, 'name' | 'file'>
  readonly does: string
  /** Other functions that it is about. */
  readonly functions?: readonly string[]
}

/** What functions do; the same of several functions once: `Each of f and g now waits …`. */
export function foundInEach(all: readonly Doing[]): Found[] {
  return [...grouped(all, ({ does }) => does)].map(([does, some]) => {
    const names = [...new Set(some.map(({ of }) => of.name))]
    const functions = [...new Set([...names, ...some.flatMap((one) => one.functions ?? [])])]
    const who = names.length === 1 ? names[0]! : `Each of ${listed(names)}`
    return foundIn(some[0]!.of, `${who} ${does}`, functions.length > 1 ? { functions } : {})
  })
}

/** For a rule that needs nothing but the texts on both sides. */
export function ofTexts(
  find: (functions: ChangedFunctions, changes: readonly FileChange[]) => readonly Found[],
): Rule['find'] {
  return (subject) => find(changedFunctionsOf(subject), subject.changes)
}
