// SPDX-License-Identifier: GPL-3.0-or-later
// Constants that the kernel writes into its own code while it starts (arch/x86/include/asm/runtime-const.h, since
// 6.11): `movabs $PLACEHOLDER,%reg`, listed in `runtime_ptr_NAME`, gets the value of the variable NAME; the number of
// a shift, listed in `runtime_shift_NAME`, likewise. That never happens to a module's code, so carried code has
// to load the variable, as code that is compiled for a module does.

/** The variable whose value a table's places get, if it is a table of such places. */
export function bootConstant(
  table: string,
): { readonly kind: 'ptr' | 'shift'; readonly name: string } | undefined {
  const [, kind, name] = /^runtime_(ptr|shift)_(.+)$/.exec(table) ?? []
  return name === undefined ? undefined : { kind: kind === 'ptr' ? 'ptr' : 'shift', name }
}

/** Instead of a constant's load. */
export interface Load {
  /** As long as what it replaces: `mov NAME(%rip),%reg` and a nop. */
  readonly bytes: Buffer
  /** Offset in `bytes` of the 32-bit displacement that leads to the variable. */
  readonly displacement: number
}

/** Bytes of `movabs` before its 64-bit constant. */
export const opcodeLength = 2

/**
 * What loads the variable in the place of `movabs $constant,%reg`.
 * @param code begins with the instruction
 * @returns undefined when it is another instruction
 */
export function loadInstead(code: Uint8Array): Load | undefined {
  const [prefix = 0, opcode = 0] = code
  if (code.length < opcodeLength + 8 || (prefix & 0xfe) !== 0x48 || (opcode & 0xf8) !== 0xb8) return undefined
  const bytes = Buffer.alloc(opcodeLength + 8)
  // The register is the operand's base there (REX.B), and its register here (REX.R).
  bytes[0] = 0x48 | ((prefix & 1) << 2)
  bytes[1] = 0x8b
  bytes[2] = ((opcode & 7) << 3) | 5
  bytes.set([0x0f, 0x1f, 0x00], 7)
  return { bytes, displacement: 3 }
}
