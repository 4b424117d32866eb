// SPDX-License-Identifier: GPL-3.0-or-later
// What the comparison of two units' types comes to.

export interface Difference {
  /**
   * `broken`: what one side writes, the other reads as something else. `doubtful`: the bytes stay, their meaning may
   * not. `harmless`: no object that is there suffers from it.
   */
  readonly effect: 'broken' | 'doubtful' | 'harmless'
  /** Such as `file moves from byte 8 to byte 16`. */
  readonly text: string
  /** The member or enumerator. */
  readonly member: string
}

export interface TypeChange {
  /** `struct foo`, or the name of a typedef for one without a tag. */
  readonly name: string
  readonly tag: 'struct' | 'union' | 'enum' | 'typedef'
  /** Its number on each side; of enumerators without an enum of a name: those of their enum. */
  readonly before: number
  readonly after: number
  readonly differences: readonly Difference[]
  /** Types with a member of this one, whose layout differs for this reason alone. */
  readonly embedding: readonly string[]
}
