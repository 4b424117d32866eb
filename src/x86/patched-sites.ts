// SPDX-License-Identifier: GPL-3.0-or-later
// What stands at the places that the kernel's tables about code list. The kernel stops, or warns, where it finds
// something else. Sources: the kernel's arch/x86/kernel/{jump_label,alternative,static_call,ftrace}.c and
// arch/x86/include/asm/bug.h.

/** The first bytes there, in hexadecimal, by the table's section. */
const forms: ReadonlyMap<string, RegExp> = new Map([
  ['__jump_table', /^(6690|0f1f440000|eb|e9)/],
  ['__bug_table', /^0f0b/],
  ['.static_call_sites', /^(e8|e9|0f8)/],
  ['.return_sites', /^(c3|e9|0f8)/],
  // With a prefix (cs) where the register's number is above 7.
  ['.retpoline_sites', /^(2e)?(e8|e9|0f8|(41)?ff)/],
  ['.ibt_endbr_seal', /^f30f1efa/],
  ['__mcount_loc', /^(e8|0f1f440000)/],
])

/** True for a table about instructions of one form. */
export function isAboutForm(table: string): boolean {
  return forms.has(table)
}

/** True when a table may have an entry about the place. */
export function mayListPlace(table: string, code: Buffer, at: number): boolean {
  return forms.get(table)?.test(code.toString('hex', at, at + 5)) === true
}

/**
 * Bytes that the kernel rewrites where a table lists a call or a jump. A jump label may be short (`jmp rel8`, or its
 * nop); everything else has 5.
 */
export function rewrittenSize(code: Buffer | undefined, at: number): number {
  const opcode = code?.[at]
  return opcode === 0xeb || opcode === 0x66 ? 2 : 5
}
