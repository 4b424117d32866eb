// SPDX-License-Identifier: GPL-3.0-or-later
// A fault of the emulation, not of the guest. Before version 8.1 QEMU may keep a translation of code that
// another CPU patched meanwhile, so that the breakpoint with which the kernel begins each change of its code
// is met after the change is over, when nobody expects it: the guest dies of an `int3` in a function that
// may have to do with nothing. Where one thread imitates all CPUs this can't be; what was tried when the
// guest died so is tried again that way, and the second answer counts, whatever it is.
import { consoleOf, readLog } from '../guest/log.ts'
import type { BootRecord } from './record.ts'

export interface StaleTranslation {
  /** Undefined when the guest came to none. */
  readonly part: number | undefined
  /** One sentence without a full stop. */
  readonly reason: string
}

/** The first version of QEMU that locks a page before it translates from it. */
const mended = [8, 1] as const

/** The words with which the kernel dies of a breakpoint that nobody expects: `Oops: ` stands before them since 6.9. */
const breakpoint = /(?:^|\] )(?:Oops: )?int3: [0-9a-f]{4} \[#1\]/
const place = /\bRIP: [0-9a-f]{4}:(\S+)/

/** True when QEMU of this version (undefined: unknown) is known to do so. */
export function keepsStaleTranslations(version: readonly [number, number] | undefined): boolean {
  if (version === undefined) return true
  const [major, minor] = version
  return major < mended[0] || (major === mended[0] && minor < mended[1])
}

/** The part in which the guest met such a breakpoint, and where. */
export function staleTranslation(record: BootRecord, console: readonly string[]): StaleTranslation | undefined {
  const parts = record.parts.length > 0 ? record.parts.map(({ part }) => part) : [undefined]
  for (const part of parts) {
    const found = readLog(consoleOf(console, part)).find(
      ({ rule, lines }) => rule === 'oops' && breakpoint.test(lines[0] ?? ''),
    )
    if (found === undefined) continue
    const where = found.lines.map((line) => place.exec(line)?.[1]).find((name) => name !== undefined)
    return {
      part,
      reason: `QEMU lost a change of the kernel's code (int3 in ${where ?? 'an unknown place'})`,
    }
  }
  return undefined
}
