// SPDX-License-Identifier: GPL-3.0-or-later
// Constructors and destructors of shadow variables are handed to the kernel's klp_shadow_*, which calls them
// at once and does not keep their addresses (kernel/livepatch/shadow.c).
import type { Atom, SplitObject } from '../diff/object/split-object.ts'
import type { Relocation } from '../elf/read.ts'
import { loadedRegister } from '../x86/address-taking.ts'
import { controlOf } from '../x86/branch.ts'
import { argumentRegisters } from '../x86/calling-convention.ts'

const taker = /^klp_shadow_(alloc|get_or_alloc|free|free_all)$/

/**
 * True when a relocation of `code` takes an address for nothing but an argument of klp_shadow_*: it loads a register of
 * arguments, and the next call, with no jump before it, is one of these functions. A call leaves nothing in such
 * registers.
 */
export function isForShadow(split: SplitObject, code: Atom, relocation: Relocation): boolean {
  const { section } = code
  const load = split.instructionAt(section, relocation.offset)
  if (load === undefined) return false
  const register = loadedRegister(load)
  if (register === undefined || !argumentRegisters.includes(register)) return false
  for (let at = load.end; at < code.end; ) {
    const instruction = split.instructionAt(section, at)
    if (instruction === undefined) return false
    const { branch, end } = instruction
    if (branch >= 0) {
      const called = split.relocations(code).find(({ offset }) => offset === branch)
      return called !== undefined && taker.test(called.symbol.name)
    }
    // Behind a branch by a register it is not known who is called.
    if (['return', 'indirect-call', 'indirect-jump'].includes(controlOf(instruction))) return false
    at = end
  }
  return false
}
