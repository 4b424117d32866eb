// SPDX-License-Identifier: GPL-3.0-or-later
// All changes, and those that a kernel can have.
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { Change } from './change.ts'
import { drivers } from './drivers.ts'
import { fileSystems } from './fs.ts'
import { core } from './kernel.ts'
import { network } from './net.ts'

/** Every change, in the order in which they are proven. */
export const changes: readonly Change[] = [...fileSystems, ...core, ...network, ...drivers]

/** The changes for a kernel's series. */
export function changesFor(kernel: Pick<Kernel, 'series'>): readonly Change[] {
  return changes.filter(({ series }) => series === undefined || series.includes(kernel.series))
}
