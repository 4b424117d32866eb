// SPDX-License-Identifier: GPL-3.0-or-later
// Members that may be left out: what is not known is not there, rather than there and undefined.

/** The members that have a value. */
export function defined<T extends object>(members: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const known = Object.entries(members).filter(([, value]) => value !== undefined)
  return Object.fromEntries(known) as { [Key in keyof T]?: Exclude<T[Key], undefined> }
}
