// SPDX-License-Identifier: GPL-3.0-or-later
// A Finding is what Inarch has to say about a change: that it can't be live patched, that it is risky,
// or something worth knowing. Rooms collect findings and go on, so that the author sees all at once.

export interface Finding {
  /** `error` refuses the patch. */
  readonly severity: 'error' | 'warning' | 'note'
  /** Stable name of the rule, such as `data-changed`. */
  readonly rule: string
  /** One sentence: what and why. */
  readonly message: string
  /** What the author can do. */
  readonly hint?: string
  /** The function or datum it is about. */
  readonly symbol?: string
  /** The translation unit or file it is about. */
  readonly unit?: string
  /** Of a warning: the author consents to it (`--allow`). */
  readonly allowed?: boolean
}
