// SPDX-License-Identifier: GPL-3.0-or-later
// What the safety rules look at: a fix that is compiled and compared, before a module is made of it.

import type { BuildTrees } from '../../build/compiler/compile-unit.ts'
import type { Unit } from '../../build/kbuild/units.ts'
import type { UnitPair } from '../../build/objects.ts'
import type { Extraction, UnitChange } from '../../extract/extraction.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { KernelNames } from '../../match/names.ts'
import type { FileChange } from '../../patch/patch.ts'
import type { FixFacts } from './fix-facts.ts'

/** A unit that the fix changes: how it is compiled, its two objects, and how they differ. */
export interface StudiedUnit extends UnitChange {
  /** How kbuild compiles it. */
  readonly unit: Unit
  readonly pair: UnitPair
}

/** A fix between its comparison and its module. */
export interface Subject {
  readonly kernel: Kernel
  /** The changed files with their whole text on both sides. */
  readonly changes: readonly FileChange[]
  readonly units: readonly StudiedUnit[]
  readonly facts: FixFacts
  /** What the live patch would replace and carry. It may be incomplete when there are errors already. */
  readonly extraction: Extraction
  readonly names: KernelNames
  /** Both source trees, in which units can be preprocessed and compiled once more. */
  readonly bench: BuildTrees
  /** A scratch directory for what a rule needs meanwhile. */
  readonly dir: string
}
