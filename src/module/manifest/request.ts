// SPDX-License-Identifier: GPL-3.0-or-later
// What the user wants to be made.
import type { CompiledPairs } from '../../build/compile.ts'
import type { BuildTrees } from '../../build/compiler/compile-unit.ts'
import type { FixFacts } from '../../check/subject/fix-facts.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Model } from '../../kernel/model.ts'
import type { FileChange, Patch } from '../../patch/patch.ts'
import type { BindMode } from '../bind/distance.ts'

/** `binary` compares objects, `source` writes C, `both` does both and compares what they make. */
export const engines = ['binary', 'source', 'both'] as const
export type Engine = (typeof engines)[number]

export interface MakeRequest {
  /** Applied in this order. */
  readonly patches: readonly Patch[]
  /** `-p`; detected when undefined. */
  readonly strip?: number
  /** What to call the live patch; from the first patch's file name when undefined. */
  readonly name?: string
  /** Replace every earlier live patch atomically. */
  readonly replace: boolean
  /** `binary` when undefined. */
  readonly engine?: Engine
  /** How tasks go over to the new code; `kernel` when undefined. */
  readonly model?: Model
  /** How what vmlinux does not export is reached; `distance` when undefined. */
  readonly bind?: BindMode
  /** The rules to whose warnings the author consents; with `engines-differ`, two engines may differ. */
  readonly allow?: readonly string[]
  /** The directory for the module and the manifest. */
  readonly output: string
}

/** A fix whose units are compiled on both sides: what the engines begin with. */
export interface CompiledFix {
  readonly request: MakeRequest
  readonly kernel: Kernel
  /** The live patch's name. */
  readonly name: string
  readonly changes: readonly FileChange[]
  readonly facts: FixFacts
  /** From `compilePairs`; its files live as long as `dir`. */
  readonly compiled: CompiledPairs & { readonly bench: BuildTrees }
  /** For what is needed meanwhile. */
  readonly dir: string
}
