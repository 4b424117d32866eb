// SPDX-License-Identifier: GPL-3.0-or-later
// A change of a file as `applyPatches` gives it, made of the two texts.
import type { FileChange } from '../../src/patch/patch.ts'

export function changeOf(before: string, after: string, path = 'drivers/net/some.c'): FileChange {
  return { path, before, after, origins: new Map(), lineage: [] }
}
