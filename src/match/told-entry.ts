// SPDX-License-Identifier: GPL-3.0-or-later
// Nameless data whose address the code takes, and to which the kernel writes that it has told it: since 7.2 `WARN()`
// with a text hands over its own entry of `__bug_table`, and UBSAN gets the place in the source and the types. Wherever
// the linker has put it, it must say what the object's says.
// Formats: struct bug_entry of include/asm-generic/bug.h, whose distances count from their own fields; struct
// source_location of lib/ubsan.h, with which all that UBSAN tells begins.
import { fieldSize, readField } from './destination.ts'
import type { PlainDestination, ToldEntry } from './expectation.ts'
import type { Running } from './running.ts'

/** The bit that the kernel sets when the thing was told, as it is told once; the byte in which it is. */
export interface ToldBit {
  byteOf(length: number): number
  readonly bit: number
}

/** BUGFLAG_DONE, in the flags at the end. */
export const warned: ToldBit = { byteOf: (length) => length - 2, bit: 1 << 2 }
/** REPORTED_BIT of lib/ubsan.c: the highest of the line's four bytes, behind the file's name. */
export const complained: ToldBit = { byteOf: () => 11, bit: 1 << 7 }

/**
 * @param address where the entry may be
 * @returns where its fields must lead, and where they do; undefined when it says something else
 */
export function readEntry(
  running: Running,
  { code, fields }: ToldEntry,
  address: bigint,
  told: ToldBit,
): { readonly to: PlainDestination; readonly lands: bigint }[] | undefined {
  const ours = Buffer.from(code, 'base64')
  const read = running.read(address, ours.length)
  if (read === undefined) return undefined
  const theirs = Buffer.from(read)
  const flags = told.byteOf(theirs.length)
  if (running.live === true && flags >= 0 && flags < theirs.length)
    theirs[flags] = theirs[flags]! & ~(told.bit & ~ours[flags]!)
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
