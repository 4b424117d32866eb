// SPDX-License-Identifier: GPL-3.0-or-later
// What a live patch's source says in its tables and comments: which fix it is, for which kernel, what is replaced and
// why.
import type { CallbackKind } from '../../diff/directives.ts'
import type { Model } from '../../kernel/model.ts'

export interface PlannedFunction {
  /** The symbol that is replaced. */
  readonly oldName: string
  /** The C name of what replaces it. */
  readonly replacement: string
  /** `old_sympos`: 0 when the name is unique. */
  readonly position: number
  /** The unit, as a path in the kernel's tree. */
  readonly unit: string
  readonly reasons: readonly string[]
}

export interface PlannedObject {
  /** `vmlinux` or a module's name. */
  readonly name: string
  readonly functions: readonly PlannedFunction[]
  readonly callbacks: readonly { readonly kind: CallbackKind; readonly name: string }[]
}

export interface Plan {
  readonly name: string
  /** One line, for the module. */
  readonly description: string
  /** What the fix is, in a line. */
  readonly title?: string
  readonly kernel: { readonly release: string; readonly version: string }
  readonly patches: readonly { readonly file: string; readonly sha256: string }[]
  readonly objects: readonly PlannedObject[]
  readonly states: readonly { readonly name: string; readonly id: number; readonly version: number }[]
  /** How tasks go over to the new code. */
  readonly model: Model
  /** Replaces every earlier live patch. */
  readonly replace: boolean
  /** The C files and the units that they stand for. */
  readonly units: readonly { readonly file: string; readonly source: string }[]
}
