// SPDX-License-Identifier: GPL-3.0-or-later
// What the build room hands on: each changed unit compiled before and after the patch.

/** A translation unit compiled twice, with one section for each function and datum, before objtool. */
export interface UnitPair {
  /** Path of the unit's source, such as `fs/proc/meminfo.c`. */
  readonly unit: string
  /** The kernel module that holds it (`ext4`, as in KBUILD_MODNAME), undefined for vmlinux. */
  readonly module?: string
  /** Paths of the two object files. `before` is absent when the patch adds the unit. */
  readonly before?: string
  readonly after: string
  /** The arguments, without the file, with which kbuild runs objtool on such an object in a module. */
  readonly objtool: readonly string[]
}
