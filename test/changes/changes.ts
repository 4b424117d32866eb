// SPDX-License-Identifier: GPL-3.0-or-later
// All changes.
import type { Change } from './change.ts'
import { drivers } from './drivers.ts'
import { fileSystems } from './fs.ts'
import { core } from './kernel.ts'
import { network } from './net.ts'

/** Every change, in the order in which they are proven. */
export const changes: readonly Change[] = [...fileSystems, ...core, ...network, ...drivers]

/** True for the changes that kernels of this series can have. */
export function isFor(series: string): (change: Change) => boolean {
  return (change) => change.series === undefined || change.series.includes(series)
}
