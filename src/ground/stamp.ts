// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a file is still the one that was read, without reading it again: by its size, its inode and its times to the
// nanosecond. The time of change (ctime) can't be set back by a program that sets the other one. Like git's index, a
// stamp that is hardly older than its file is not believed, for the file may change once more within one tick of the
// clock. Nor is a time that lies ahead: the clock was set back since, and nobody knows how long ago that was.
import { createHash } from 'node:crypto'
import { type BigIntStats, statSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

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

/** By how many ms the clock was set back since this process began; what changes now looks older by as much. */
function setBack(): number {
  return Math.max(0, performance.timeOrigin + performance.now() - Date.now())
}

/**
 * True when a file of this stamp has not changed since `time`, nor within the tick before it.
 * @param time ms, as `Date.now()` told it in this process
 * @param back by how many ms the clock was set back meanwhile
 */
export function isOlderThan(stamp: string, time: number, back = setBack()): boolean {
  return Number(BigInt(stamp.split(' ')[2] ?? '0') / 1_000_000n) < time - back - tick
}

/** ms since the file was last written; Infinity when there is none, or its time lies ahead. */
export function ageOf(file: string): number {
  const written = statSync(file, { throwIfNoEntry: false })?.mtimeMs
  if (written === undefined) return Number.POSITIVE_INFINITY
  const age = Date.now() - written
  return age < -tick ? Number.POSITIVE_INFINITY : Math.max(0, age)
}

/**
 * One text for many files and directories below `root`, which changes when one of them does, appears or goes.
 * @param since when they began to be read, ms: then undefined when one is younger, so that nobody knows what was read
 */
export function digestOfStamps(root: string, names: readonly string[], since?: number): string | undefined {
  // Thousands are asked for in each build, so nothing is written out: times are good to a microsecond this way.
  const stamps = new Float64Array(4 * names.length)
  const youngest = (since ?? 0) - tick - setBack()
  let at = 0
  for (const name of names) {
    const status = statSync(`${root}/${name}`, { throwIfNoEntry: false })
    if (status !== undefined) {
      if (since !== undefined && status.ctimeMs >= youngest) return undefined
      stamps[at] = status.size
      stamps[at + 1] = status.mtimeMs
      stamps[at + 2] = status.ctimeMs
      stamps[at + 3] = status.ino
    }
    at += 4
  }
  return createHash('sha256').update(names.join('\0')).update(stamps).digest('hex')
}

/** Waits until a file's stamp may be believed, where it is a new one; at most a tick. */
export async function untilBelievable(file: string): Promise<void> {
  const stamp = stampOf(file)
  if (stamp !== undefined && !isOlderThan(stamp, Date.now())) await setTimeout(tick + 100)
}
