// SPDX-License-Identifier: GPL-3.0-or-later
// Counted things, as a person writes them.

/** `1 unit`, `3 units`. */
export function inNumbers(count: number, what: string): string {
  return `${count} ${count === 1 ? what : `${what}s`}`
}
