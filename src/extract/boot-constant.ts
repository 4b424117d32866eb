// SPDX-License-Identifier: GPL-3.0-or-later
// Constants that the kernel writes into its own code while it starts (arch/x86/include/asm/runtime-const.h, since
// 6.11): `movabs $PLACEHOLDER,%reg`, listed in `runtime_ptr_NAME`, gets the value of the variable NAME; the number of
// a shift, listed in `runtime_shift_NAME`, likewise. That never happens to a module's code, so carried code has
// to load the variable, as code that is compiled for a module does.

/** The variable whose value a table's places get, if it is a table of such places. */
export function bootConstant(table: string): { readonly kind: 'ptr' | 'shift'; readonly name: string } | undefined {
  const [, kind, name] = /^runtime_(ptr|shift)_(.+)$/.exec(table) ?? []
  return name === undefined ? undefined : { kind: kind === 'ptr' ? 'ptr' : 'shift', name }
}
