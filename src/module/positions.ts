// SPDX-License-Identifier: GPL-3.0-or-later
// Before Linux 6.2, the kernel finds each replaced function by a walk through all of its symbols: to the last one where the name
// must be the only one (position 0), and no further than the function where its position is given. A live patch that takes one image
// only knows that the first of the name is the only one.
import type { Target } from './finish.ts'
import type { PositionedFunction } from './tables.ts'

/** What later kernels find a name's symbols with, without a walk (kernel/livepatch/core.c). */
const directSearch = 'klp_match_callback'

/** The functions with the positions by which the kernel finds them soonest. */
export function soonest(
  functions: readonly PositionedFunction[],
  { names, identity, mode }: Target,
): readonly PositionedFunction[] {
  const walks = names.symbols('vmlinux', directSearch).length === 0
  if (!walks || mode === 'klp' || identity.buildId === undefined) return functions
  return functions.map((one) => (one.object === 'vmlinux' && one.sympos === 0 ? { ...one, sympos: 1 } : one))
}
