// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a file is still the one that was read, without reading it again: by its size, its inode and its times to the
// nanosecond. The time of change (ctime) can't be set back by a program that sets the other one. Like git's index, a
// stamp that is hardly older than its file is not believed, for the file may change once more within one tick of the
// clock.
import { type BigIntStats, statSync } from 'node:fs'

/** Ticks of file systems and differences between their clocks and ours, ms. */
const tick = 2000

function textOf({ size, mtimeNs, ctimeNs, ino }: BigIntStats): string {
  return `${size} ${mtimeNs} ${ctimeNs} ${ino}`
}

/** The stamp of a file or directory; undefined when there is none. */
export function stampOf(file: string): string | undefined {
  const status = statSync(file, { bigint: true, throwIfNoEntry: false })
  return status === undefined ? undefined : textOf(status)
}

/** The stamps of several files in one text. */
export function stampOfAll(...files: readonly string[]): string {
  return files.map((file) => stampOf(file) ?? '-').join(', ')
}

/**
 * True when a file of this stamp has not changed since `time`, nor within the tick before it.
 * @param time ms, as `Date.now()` tells it
 */
export function isOlderThan(stamp: string, time: number): boolean {
  return Number(BigInt(stamp.split(' ')[2] ?? '0') / 1_000_000n) < time - tick
}
