// SPDX-License-Identifier: GPL-3.0-or-later
// An entry of a table whose address the code takes: since 7.2 `WARN()` with a text hands over its own of `__bug_table`.
// Wherever the linker has put it, it must say what the object's entry says.
// Format: struct bug_entry of include/asm-generic/bug.h; its distances count from their own fields.
import { fieldSize, readField } from './destination.ts'
import type { PlainDestination, ToldEntry } from './expectation.ts'
import type { Running } from './running.ts'

/** BUGFLAG_DONE, in the flags at the end: the warning was given, and is given once. */
const done = { fromEnd: 2, bit: 1 << 2 }

/**
 * @param address where the entry may be
 * @returns where its fields must lead, and where they do; undefined when it says something else
 */
export function readEntry(
  running: Running,
  { code, fields }: ToldEntry,
  address: bigint,
): { readonly to: PlainDestination; readonly lands: bigint }[] | undefined {
  const ours = Buffer.from(code, 'base64')
  const read = running.read(address, ours.length)
  if (read === undefined) return undefined
  const theirs = Buffer.from(read)
  const flags = theirs.length - done.fromEnd
  if (running.live === true && flags >= 0) theirs[flags] = (theirs[flags] ?? 0) & ~(done.bit & ~(ours[flags] ?? 0))
  const led: { to: PlainDestination; lands: bigint }[] = []
  for (const { at, form, to } of fields) {
    const end = at + fieldSize(form)
    if (end > theirs.length) return undefined
    led.push({ to, lands: readField(theirs, at, form, { end: at }, address) })
    theirs.fill(0, at, end)
    ours.fill(0, at, end)
  }
  return theirs.equals(ours) ? led : undefined
}
