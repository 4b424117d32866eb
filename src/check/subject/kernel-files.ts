// SPDX-License-Identifier: GPL-3.0-or-later
// Which of the changed files are C text of which this kernel is made.
import type { FileChange } from '../../patch/patch.ts'

/** The changed C files and headers: not those of the kernel's tools, nor of other architectures. */
export function kernelFiles(changes: readonly FileChange[]): FileChange[] {
  return changes.filter(
    ({ path }) => /\.[ch]$/.test(path) && !/^(?:Documentation|samples|tools|scripts|usr)\/|^arch\/(?!x86\/)/.test(path),
  )
}
