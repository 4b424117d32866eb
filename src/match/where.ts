// SPDX-License-Identifier: GPL-3.0-or-later
// Where the functions of an object are in the running kernel, and what their fields lead to there: plain facts, by
// names and addresses, for who does not want to know how an object is taken apart.

import { isNumbered } from '../diff/object/compiler-names.ts'
import { type Atom, splitObject } from '../diff/object/split-object.ts'
import type { ObjectFile } from '../elf/read.ts'
import { type Placement, placementBy } from './placements.ts'
import type { Running } from './running.ts'
import { UnitMatcher } from './unit-matcher.ts'

/** A function of an object, found in the running kernel. */
export interface Whereabouts {
  readonly address: bigint
  /** The object's own symbols to which its code leads, and the address that each of them stands for. */
  readonly own: readonly Placement[]
}

export interface Finder {
  /** Where the code of the function runs, of all places that have its name; empty when it does nowhere. */
  find(name: string): readonly Whereabouts[]
  /** The same of one place, whatever its name. */
  findAt(name: string, address: bigint): Whereabouts | undefined
}

/**
 * Names with the compiler's numbers say nothing about which of several things is meant, in the object or in the kernel.
 */
function withoutNumbers(running: Running): Running {
  return {
    ...(running.live === undefined ? {} : { live: running.live }),
    read: (address, length) => running.read(address, length),
    addressesOf: (name) => (/\.\d+$/.test(name) && isNumbered(name) ? [] : running.addressesOf(name)),
  }
}

export function finderOf(object: ObjectFile, kernel: Running): Finder {
  const unit = splitObject(object)
  const running = withoutNumbers(kernel)
  const matcher = new UnitMatcher(running, unit)
  const functions = new Map<string, Atom>()
  for (const atom of unit.functions)
    for (const { name } of [atom, ...atom.aliases]) if (!functions.has(name)) functions.set(name, atom)
  const findAt = (name: string, address: bigint): Whereabouts | undefined => {
    const atom = functions.get(name)
    if (atom === undefined) return undefined
    const result = matcher.compareAt(atom, address)
    if (!result.matches) return undefined
    const own = result.fixed.flatMap((one) => placementBy(one) ?? [])
    return { address, own }
  }
  return {
    findAt,
    find: (name) => kernel.addressesOf(name).flatMap((address) => findAt(name, address) ?? []),
  }
}
