// SPDX-License-Identifier: GPL-3.0-or-later
// Debug information must not change code, and with gcc it does: it keeps notes of variables among the statements that
// it optimises (-fvar-tracking-assignments), and in three functions of 7,000 (gcc 16) the operands of a comparison came
// out in another order with them. So a unit is compiled with them where the kernel was, and without what only the
// written information needs: places of variables, and the types of other files.
import type { Compiler } from '../../kernel/kernel.ts'
import { isClang } from './compiler-run.ts'

const isDebug = (flag: string) => /^-g/.test(flag)
/** About how the information is written. */
const isForm = (flag: string) => /^-g(?:z|split-dwarf)/.test(flag)
const isTracking = (flag: string) => /^-f(?:no-)?var-tracking/.test(flag)

/** Whether the compiler is asked for debug information, as the last of its flags says. */
export function asksForDebug(flags: readonly string[]): boolean {
  const level = flags.findLast((flag) => /^-g(?:gdb|dwarf(?:-\d)?)?\d?$/.test(flag))
  return level !== undefined && level !== '-g0'
}

/**
 * The flags of a unit with those about debug information in the way that is cheapest for the same code; the object
 * then has debug information of which nothing is of use.
 */
export function withFewestDebugFlags(compiler: Pick<Compiler, 'versionText'>, flags: readonly string[]): string[] {
  if (isClang(compiler) || !asksForDebug(flags)) return flags.filter((flag) => !isDebug(flag))
  return [
    ...flags.filter((flag) => !isForm(flag)),
    // Without the first, gcc looks at the end of its work where each variable is, and takes a third longer.
    ...(flags.some(isTracking) ? [] : ['-fno-var-tracking', '-fvar-tracking-assignments']),
    '-femit-struct-debug-baseonly',
  ]
}
