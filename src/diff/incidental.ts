// SPDX-License-Identifier: GPL-3.0-or-later
// Static data that only serve diagnostics: a warning's "already said so", a dynamic debug descriptor, a
// rate limit. A function that is replaced gets fresh ones, and they never count as a change. The name
// alone does not tell: a driver may call its own state `descriptor`.
import type { Piece } from './anatomy.ts'
import { isNumbered } from './names.ts'

/** Names of static locals in the kernel's macros, with the sections that the macros put them into. */
const macros: readonly (readonly [name: RegExp, section: RegExp])[] = [
  [/(^|\.)(__already_done|__warned|__print_once)$/, /^\.data(\.once|\.\.?read_mostly)?$|^\.(data|bss)\./],
  [/(^|\.)descriptor$/, /^__dyndbg$/],
  [/(^|\.)(___)?tp_str$/, /^__tracepoint_str$/],
  [/(^|\.)_rs$/, /^\.data/],
  [/(^|\.)__key$/, /^\.bss/],
]

/** True when nobody can tell whether a fresh copy of the datum is used. */
export function isIncidental(piece: Piece): boolean {
  if (piece.kind !== 'data') return false
  const { name, section } = piece
  if (name.startsWith('__UNIQUE_ID_')) return /^(__dyndbg|\.modinfo)$/.test(section.name)
  if (piece.symbol?.binding !== 'local') return false
  // gcc numbers static locals; clang puts the function's name in front.
  if (!isNumbered(name) && !name.includes('.')) return false
  const bare = name.replace(/(\.\d+)+$/, '')
  return macros.some(([pattern, where]) => pattern.test(bare) && where.test(section.name))
}
