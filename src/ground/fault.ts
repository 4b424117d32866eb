// SPDX-License-Identifier: GPL-3.0-or-later
// A Fault is how a room says that it can't go on: what happened, where, and what the user can do.
// It is thrown at the edge of the room that found it and rendered once, in cli.
import type { Finding } from './finding.ts'

/** Why Inarch stopped; each kind has its own exit code. */
export type FaultKind =
  /** Something Inarch did not expect: exit 1. */
  | 'unexpected'
  /** The command line is wrong: exit 2. */
  | 'usage'
  /** The patch does not parse, apply or compile: exit 3. */
  | 'patch'
  /** The change can't be live patched: exit 4. */
  | 'refused'
  /** The machine lacks something: exit 5. */
  | 'environment'
  /** The proof or the transition failed: exit 6. */
  | 'proof'

const exitCodes: Readonly<Record<FaultKind, number>> = {
  unexpected: 1,
  usage: 2,
  patch: 3,
  refused: 4,
  environment: 5,
  proof: 6,
}

export interface FaultOptions {
  /** What the user can do next: a sentence or a command. */
  readonly remedy?: string | undefined
  /** Lines that show the place: a hunk, a compiler's message, the end of a console. */
  readonly detail?: string | undefined
  /** The findings that made Inarch refuse. */
  readonly findings?: readonly Finding[] | undefined
  readonly cause?: unknown
}

export class Fault extends Error {
  override readonly name = 'Fault'
  readonly remedy: string | undefined
  readonly detail: string | undefined
  readonly findings: readonly Finding[]

  /**
   * @param kind decides the exit code
   * @param code a stable name for programs, such as `hunk-does-not-apply`
   * @param message one sentence, without a full stop at its end
   */
  constructor(
    readonly kind: FaultKind,
    readonly code: string,
    message: string,
    options: FaultOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.remedy = options.remedy
    this.detail = options.detail
    this.findings = options.findings ?? []
  }

  get exitCode(): number {
    return exitCodes[this.kind]
  }
}
