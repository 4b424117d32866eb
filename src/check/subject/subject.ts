// SPDX-License-Identifier: GPL-3.0-or-later
// What the safety rules look at: a fix that is compiled and compared, before a module is made of it.

import type { BuildTrees } from '../../build/compiler/compile-unit.ts'
import type { Extraction } from '../../extract/extraction.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Model } from '../../kernel/model.ts'
import type { KernelNames } from '../../match/names.ts'
import type { FileChange } from '../../patch/patch.ts'
import type { ComparedUnit } from '../../source/change/unit-comparison.ts'
import type { FixFacts } from './fix-facts.ts'

export type StudiedUnit = ComparedUnit

/** A fix between its comparison and its module. */
export interface Subject {
  readonly kernel: Kernel
  /** How tasks would go over to the new code. */
  readonly model: Model
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
