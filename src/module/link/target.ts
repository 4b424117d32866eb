// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel that a module is for, and what the module has to know of it.
import type { Kernel } from '../../kernel/kernel.ts'
import { type Identity, identityOf } from '../../match/identity.ts'
import type { KernelNames } from '../../match/names.ts'
import { anchor, type BindMode } from '../bind/distance.ts'
import type { Manifest } from '../manifest/manifest.ts'

export interface Target {
  readonly names: KernelNames
  readonly identity: Identity
  readonly mode: BindMode
}

/**
 * @param mode by distance when undefined
 * @throws Fault `environment/bad-image`
 */
export function targetOf(kernel: Kernel, names: KernelNames, mode: BindMode = 'distance'): Target {
  return { names, identity: identityOf(kernel, names.running('vmlinux')), mode }
}

/** A symbol of the kernel that is not exported, as the module reaches it. */
export interface BoundSymbol {
  readonly object: string
  readonly name: string
  readonly sympos: number
  /** Bytes from the anchor; absent when it is reached by name and position only. */
  readonly distance?: number
  /** It is (also) looked up by name and position. */
  readonly byName: boolean
}

/** What the manifest says of how a module reaches its kernel. */
export function boundTo({ identity, mode }: Target, bound: readonly BoundSymbol[]): NonNullable<Manifest['binding']> {
  const { release, version, buildId } = identity
  return {
    mode,
    image: { release, version, ...(buildId === undefined ? {} : { buildId }) },
    anchor,
    symbols: bound.map((one) => ({ ...one })),
  }
}

/** What later kernels find a name's symbols with, without a walk (kernel/livepatch/core.c). */
const directSearch = 'klp_match_callback'

/**
 * By which position the kernel finds a function soonest: a map from the one that is known, 0 for the only one of its
 * name. Before Linux 6.2, the kernel walks through all of its symbols for each replaced function: to the last one where
 * the name must be the only one (position 0), and no further than the function where its position is given. A live
 * patch that takes one image only knows that the first of the name is the only one.
 */
export function soonest({ names, identity, mode }: Target): (object: string, position: number) => number {
  const walks = names.symbols('vmlinux', directSearch).length === 0
  const ends = walks && mode !== 'klp' && identity.buildId !== undefined
  return (object, position) => (ends && object === 'vmlinux' && position === 0 ? 1 : position)
}
