// SPDX-License-Identifier: GPL-3.0-or-later
// A Job is what a use case is handed besides its input: the signal that stops it, and the journal in
// which it says what it is doing. cli makes one and renders the journal; the rooms only write.

/** One visible step of a longer work. */
export interface Step {
  /** Replaces the step's running text, such as `34 of 139 MB`. Cheap: it may be called often. */
  progress(text: string): void
  /** What the step came to, such as `1 unit`; shown behind its title when it is done. */
  result(text: string): void
}

/** How long a finished step took. */
export interface Timing {
  readonly step: string
  readonly ms: number
}

export interface Journal {
  /** Runs `work` as one step; its time is kept in `timings`. Steps may nest or run side by side. */
  step<T>(title: string, work: (step: Step) => Promise<T>): Promise<T>
  /** A line that a person should see, once. */
  note(message: string): void
  /** The finished steps, in the order they ended. */
  readonly timings: readonly Timing[]
}

export interface Job {
  /** Aborted when the user stops the work. Every process and wait must obey it. */
  readonly signal: AbortSignal
  readonly journal: Journal
}

/** A journal that shows nothing and keeps the timings: for tests, and for `--quiet`. */
export function silentJournal(): Journal {
  const timings: Timing[] = []
  return {
    timings,
    note() {},
    async step(title, work) {
      const start = performance.now()
      try {
        return await work({ progress() {}, result() {} })
      } finally {
        timings.push({ step: title, ms: performance.now() - start })
      }
    },
  }
}
