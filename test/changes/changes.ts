// SPDX-License-Identifier: GPL-3.0-or-later
// All changes.
import { compareVersions } from '../../src/kernel/version.ts'
import type { Change } from './change.ts'
import { drivers } from './drivers.ts'
import { fileSystems } from './fs.ts'
import { core } from './kernel.ts'
import { network } from './net.ts'

/** Every change, in the order in which they are proven. */
export const changes: readonly Change[] = [...fileSystems, ...core, ...network, ...drivers]

const everyday = [
  'filesystems-notes',
  'readdir-hides',
  'comm-renamed',
  'hostname-warns',
  'schedstats-off',
  'semaphore-limit',
  'gs-base',
  'percpu-lock-told',
  'qdisc-handles',
  'driver-and-kernel',
  'full-device',
  'crypto-reads',
]

/** Those that `npm test` proves: between them they have every kind of table and reference. */
export const sample: readonly Change[] = changes.filter(({ name }) => everyday.includes(name))

/** True for the changes that kernels of this series can have. */
export function isFor(series: string): (change: Change) => boolean {
  return (change) =>
    (change.series === undefined || change.series.includes(series)) &&
    (change.since === undefined || compareVersions(change.since, series) <= 0)
}
