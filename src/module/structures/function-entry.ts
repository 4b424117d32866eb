// SPDX-License-Identifier: GPL-3.0-or-later
// An entry of a live patch's tables: a function of the kernel, and the code of the module that takes its place.
import type { Section } from '../../elf/read.ts'

/** What looks like a `struct klp_func`. */
export interface FunctionEntry {
  readonly name: string
  readonly sympos: number
  /** Of the new code. */
  readonly section: Section
  readonly offset: number
  /** Where the entry itself lies in its table's section. */
  readonly at: number
}

/** A function that the kernel is told to replace, in an object (`vmlinux` or a module's name). */
export interface ListedFunction extends FunctionEntry {
  readonly object: string
}
