// SPDX-License-Identifier: GPL-3.0-or-later
// The load of a constant that the kernel writes into its own code while it starts: `movabs $PLACEHOLDER,%reg`
// (arch/x86/include/asm/runtime-const.h, since 6.11). In a module it has to be a load of the variable.
import { decode } from './encoding.ts'
import { isNopOf } from './padding.ts'

/** Bytes of `movabs` before its 64-bit constant. */
export const opcodeLength = 2

/** Bytes of it all. */
export const constantSize = opcodeLength + 8

/** Instead of a constant's load. */
export interface Load {
  /** As long as what it replaces: `mov NAME(%rip),%reg` and a nop. */
  readonly bytes: Buffer
  /** Offset in `bytes` of the 32-bit displacement that leads to the variable. */
  readonly displacement: number
}

/**
 * What loads the variable in the place of `movabs $constant,%reg`.
 * @param code begins with the instruction
 * @returns undefined when it is another instruction
 */
export function loadInstead(code: Uint8Array): Load | undefined {
  const [prefix = 0, opcode = 0] = code
  if (code.length < constantSize || (prefix & 0xfe) !== 0x48 || (opcode & 0xf8) !== 0xb8) return undefined
  const bytes = Buffer.alloc(constantSize)
  // The register is the operand's base there (REX.B), and its register here (REX.R).
  bytes[0] = 0x48 | ((prefix & 1) << 2)
  bytes[1] = 0x8b
  bytes[2] = ((opcode & 7) << 3) | 5
  bytes.set([0x0f, 0x1f, 0x00], 7)
  return { bytes, displacement: 3 }
}

/** True when `made` has a constant's load at `at`, and `ours` a load from memory into the same register. */
export function loadsVariable(made: Buffer, ours: Buffer, at: number): boolean {
  const [constant, load] = [decode(made, at), decode(ours, at)]
  if (constant === undefined || load === undefined || constant.end - at !== constantSize) return false
  const isLoad = load.opcode === 0x8b && load.memory >= 0 && (load.rex & 8) !== 0
  return isLoad && load.register === constant.opcodeRegister && isNopOf(at + constantSize - load.end, ours, load.end)
}
