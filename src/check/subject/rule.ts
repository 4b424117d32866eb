// SPDX-License-Identifier: GPL-3.0-or-later
// A Rule looks for one thing that makes a live patch dangerous. Each rule is a file of `rules/`; what it says
// about itself is what `inarch check --rules` prints and what docs/rules.md shows.
import type { Finding } from '../../ground/finding.ts'
import type { Job } from '../../ground/job.ts'
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
  /** Where this case is graver or more harmless than the rule's cases are in general. */
  readonly severity?: Finding['severity']
}

/** A place in the kernel's source that a rule rests on. */
export interface Citation {
  /** In the source tree: `kernel/livepatch/transition.c`. */
  readonly file: string
  /** What stands there: a function's name, or words of a document. */
  readonly says: string
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
  readonly restsOn: readonly Citation[]
  find(job: Job, subject: Subject): Promise<readonly Found[]> | readonly Found[]
}
