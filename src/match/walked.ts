// SPDX-License-Identifier: GPL-3.0-or-later
// What a walk through a part of an expected function comes to: where everything is in the running code, or the first
// instruction that differs.
import type { ResolvedField } from './destination.ts'
import type { Destination } from './expectation.ts'
import type { Placement } from './placements.ts'

/** Why two pieces of code differ. */
export type Why =
  /** There is no code at the address. */
  | 'nothing-there'
  /** Our bytes or theirs are no instruction. */
  | 'no-instruction'
  | 'instruction'
  /** The same instruction with another number or displacement. */
  | 'operand'
  /** The same instruction leads elsewhere. */
  | 'leads-elsewhere'
  /** It leads to where a private symbol can't be: other code has that elsewhere, or another one there. */
  | 'displaced'
  /** A jump inside of the function goes to another instruction. */
  | 'jump'

/** The first instruction that differs. */
export interface CodeMismatch {
  readonly why: Why
  /** Which part of the expectation, and the offset in it. */
  readonly part: number
  readonly at: number
  /** Address of the instruction in the running kernel. */
  readonly address: bigint
  /** The two instructions, in hexadecimal. */
  readonly ours: string
  readonly theirs: string
  /** Where it should lead, and where it does, for a field. */
  readonly expected?: Destination
  readonly found?: bigint
  /** What is already known of the unit's private symbols, if it leads to where one of them can't be. */
  readonly against?: Placement
}

/** A jump inside of the function. */
export interface Lead {
  readonly to: { readonly part: number; readonly plus?: number }
  /** Where it leads in the running kernel. */
  readonly lands: bigint
  otherwise(): CodeMismatch
}

export interface Walked {
  readonly fixed: readonly ResolvedField[]
  readonly leads: readonly Lead[]
  /** Where each instruction of ours is in theirs; nops in front of it may be jumped to as well. */
  readonly places: ReadonlyMap<number, readonly bigint[]>
  /** Where the unit's private symbols are, by this part and those before it. */
  readonly placements: Iterable<Placement>
  readonly unconfirmed: number
  readonly rewritten: number
}

export function isMismatch(result: Walked | CodeMismatch): result is CodeMismatch {
  return 'why' in result
}

export function leadsTo({ places }: Walked, { to, lands }: Lead): boolean {
  return places.get(to.plus ?? 0)?.includes(lands) === true
}
