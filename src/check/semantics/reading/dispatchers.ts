// SPDX-License-Identifier: GPL-3.0-or-later
// A function that calls one of several others at a time, such as an ioctl: what one call stores, another call finds.
import type { Definition } from '../../../c/written/functions.ts'

/** True when the names stand in different cases of a switch, or are returned by calls of their own. */
export function isDispatcher({ body }: Definition, names: readonly string[]): boolean {
  const found: number[] = []
  let part = 0
  for (const [at, { text, kind }] of body.entries()) {
    if (kind !== 'name') continue
    if (text === 'case' || text === 'default') part++
    if (!names.includes(text) || body[at + 1]?.text !== '(') continue
    if (body[at - 1]?.text === 'return') part++
    found.push(part)
  }
  return new Set(found).size > 1
}
