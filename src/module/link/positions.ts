// SPDX-License-Identifier: GPL-3.0-or-later
// Before Linux 6.2, the kernel finds each replaced function by a walk through all of its symbols: to the last one where
// the name must be the only one (position 0), and no further than the function where its position is given. A live
// patch that takes one image only knows that the first of the name is the only one.
import type { Target } from './finish.ts'

/** What later kernels find a name's symbols with, without a walk (kernel/livepatch/core.c). */
const directSearch = 'klp_match_callback'

/**
 * By which position the kernel finds a function soonest: a map from the one that is known, 0 for the only one of its
 * name.
 */
export function soonest({ names, identity, mode }: Target): (object: string, position: number) => number {
  const walks = names.symbols('vmlinux', directSearch).length === 0
  const ends = walks && mode !== 'klp' && identity.buildId !== undefined
  return (object, position) => (ends && object === 'vmlinux' && position === 0 ? 1 : position)
}
