// SPDX-License-Identifier: GPL-3.0-or-later
// Constructors and destructors of shadow variables are handed to the kernel's klp_shadow_*, which calls them
// at once and does not keep their addresses (kernel/livepatch/shadow.c).
import type { Atom, SplitObject } from '../diff/object/split-object.ts'
import type { Relocation } from '../elf/read.ts'
import { argumentRegisters, loadedRegister } from '../x86/instruction.ts'

const taker = /^klp_shadow_(alloc|get_or_alloc|free|free_all)$/

/** True when the code goes elsewhere than to the next instruction, without a distance: `ret`, `jmp *`, `call *`. */
function leaves(code: Buffer): boolean {
  const [opcode, modrm = 0] = code
  return opcode === 0xc3 || (opcode === 0xff && [2, 3, 4, 5].includes((modrm >> 3) & 7))
}

/**
 * True when a relocation of `code` takes an address for nothing but an argument of klp_shadow_*: it loads a register of
 * arguments, and the next call, with no jump before it, is one of these functions. A call leaves nothing in such
 * registers.
 */
export function isForShadow(split: SplitObject, code: Atom, relocation: Relocation): boolean {
  const { section } = code
  const load = split.instructionAt(section, relocation.offset)
  if (load === undefined) return false
  const register = loadedRegister(section.data, load)
  if (register === undefined || !argumentRegisters.includes(register)) return false
  for (let at = load.end; at < code.end; ) {
    const instruction = split.instructionAt(section, at)
    if (instruction === undefined) return false
    const { branch, start, end } = instruction
    if (branch >= 0) {
      const called = split.relocations(code).find(({ offset }) => offset === branch)
      return called !== undefined && taker.test(called.symbol.name)
    }
    if (leaves(section.data.subarray(start, end))) return false
    at = end
  }
  return false
}
