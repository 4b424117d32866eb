// SPDX-License-Identifier: GPL-3.0-or-later
// Static data that only serve diagnostics: a warning's "already said so", a dynamic debug descriptor, a
// rate limit. A function that is replaced gets fresh ones, and they never count as a change. The name
// alone does not tell: a driver may call its own state `descriptor`.
import type { Piece } from './anatomy.ts'
import { isNumbered } from './names.ts'

/** Names of static locals in the kernel's macros, with the sections that the macros put them into. */
const macros: readonly (readonly [name: RegExp, section: RegExp])[] = [
  [/(^|\.)(__already_done|__warned|__print_once)$/, /^\.data(\.once|\.\.?read_mostly)?$|^\.(data|bss)\./],
  [/(^|\.)descriptor$/, /^__(dyndbg|verbose)$/],
  [/(^|\.)(___)?tp_str$/, /^__tracepoint_str$/],
  [/(^|\.)_rs$/, /^\.data/],
  [/(^|\.)__key$/, /^\.bss/],
]

/** What tells whether a piece is incidental. */
type Datum = Pick<Piece, 'kind' | 'name' | 'start' | 'end'> & {
  readonly section: Pick<Piece['section'], 'name'>
  readonly symbol: Pick<NonNullable<Piece['symbol']>, 'binding'> | undefined
}

/** True when nobody can tell whether a fresh copy of the datum is used. */
export function isIncidental(piece: Datum): boolean {
  if (piece.kind !== 'data') return false
  const { name, section } = piece
  if (/(^|\.)__UNIQUE_ID_/.test(name)) return /^(__dyndbg|\.modinfo)$/.test(section.name)
  if (piece.symbol?.binding !== 'local') return false
  // gcc numbers static locals; clang puts the function's name in front.
  if (!isNumbered(name) && !name.includes('.')) return false
  const bare = name.replace(/(\.\d+)+$/, '')
  if (/(^|\.)_entry$/.test(bare)) return isPrintkEntry(piece)
  return macros.some(([pattern, where]) => pattern.test(bare) && where.test(section.name))
}

/** True when it tells a place in the source, which moves. */
export function hasLineNumber(incidental: Piece): boolean {
  return /^(__dyndbg|__verbose|\.rodata)/.test(incidental.section.name)
}

/** The printk index names each message's place in a struct pi_entry (include/linux/printk.h); no code uses it. */
function isPrintkEntry({ section, start, end }: Datum): boolean {
  return /^\.rodata/.test(section.name) && end - start === 48
}
