// SPDX-License-Identifier: GPL-3.0-or-later
// Messages are written without a full stop, so that they can stand inside others.

/** The text with a full stop, unless it ends a sentence already. */
export function sentence(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text}.`
}
