// SPDX-License-Identifier: GPL-3.0-or-later
// A unit while it is cut: what its parts share.

import type { Change } from '../diff/change.ts'
import type { Atom } from '../diff/object/split-object.ts'
import type { ObjectBuilder } from './object-builder.ts'

/** A unit that is being cut. */
export interface UnitExtraction {
  readonly workshop: ObjectBuilder
  readonly change: Change
  /** The kernel object that the unit is part of. */
  readonly object: string
  /** True for a constant of which the running kernel's own copy is meant, since it is known which that is. */
  isKept(atom: Atom): boolean
  /** Refuses the patch; says each thing once. */
  error(rule: string, symbol: string, message: string, hint: string): void
}
