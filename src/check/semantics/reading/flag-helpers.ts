// SPDX-License-Identifier: GPL-3.0-or-later
// Functions that macros of include/linux/page-flags.h and buffer_head.h make: each sets, clears or asks for one flag of
// a page, a folio or a buffer, and its name says which.

export interface FlagHelper {
  /** `struct page.flags`. */
  readonly member: string
  /** `PG_private2`, however the function writes it. */
  readonly flag: string
  readonly isRead: boolean
  readonly isWrite: boolean
}

interface Family {
  readonly member: string
  readonly prefix: string
  readonly names: RegExp
}

const families: readonly Family[] = [
  {
    member: 'struct page.flags',
    prefix: 'PG',
    names: /^(?:__)?(?<test>Test(?=Set|Clear))?(?<set>Set|Clear)Page(?<flag>[A-Z]\w*)$/,
  },
  { member: 'struct page.flags', prefix: 'PG', names: /^Page(?<flag>[A-Z][A-Za-z0-9]*)$/ },
  {
    member: 'struct page.flags',
    prefix: 'PG',
    names: /^(?:__)?folio_(?<test>test_(?=set_|clear_))?(?<set>set|clear)_(?<flag>\w+)$/,
  },
  { member: 'struct page.flags', prefix: 'PG', names: /^folio_test_(?!set_|clear_)(?<flag>\w+)$/ },
  {
    member: 'struct buffer_head.b_state',
    prefix: 'BH',
    names: /^(?<test>test_(?=set_|clear_))?(?<set>set|clear)_buffer_(?<flag>\w+)$/,
  },
  {
    member: 'struct buffer_head.b_state',
    prefix: 'BH',
    // Other functions begin so, too.
    names:
      /^buffer_(?<flag>uptodate|dirty|locked|req|mapped|new|async_read|async_write|delay|boundary|write_io_error|unwritten|quiet|meta|prio|defer_completion|jbd|jbddirty|freed|revoked|revokevalid|verified|shadow)$/,
  },
]

/** Undefined for any other function. */
export function flagHelper(name: string): FlagHelper | undefined {
  for (const { member, prefix, names } of families) {
    const { test, set, flag } = names.exec(name)?.groups ?? {}
    if (flag === undefined) continue
    const isWrite = set !== undefined
    const isRead = !isWrite || test !== undefined
    return { member, flag: `${prefix}_${flag.replaceAll('_', '').toLowerCase()}`, isRead, isWrite }
  }
  return undefined
}
