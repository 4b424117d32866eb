// SPDX-License-Identifier: GPL-3.0-or-later
// References through a global offset table, which position-independent code makes (GOTPCREL). A module has no such
// table, so each is made direct, as the linker does when it can.
// Source: AMD64 psABI, appendix B (Linker Optimization).
import { relocationType } from '../elf/format.ts'

/** What stands in the place of an instruction that goes through the table. */
export interface Direct {
  /** Bytes from the field back to where the new bytes begin. */
  readonly back: number
  readonly bytes: Buffer
  /** Bytes from the old field to the new one. */
  readonly shift: number
}

export function isThroughTable(type: number): boolean {
  return type === relocationType.gotpcrel || type === relocationType.gotpcrelx || type === relocationType.rexGotpcrelx
}

/**
 * @param code the section's bytes
 * @param field offset of the relocated field
 * @returns undefined when the instruction can't be direct
 */
export function direct(code: Buffer, field: number): Direct | undefined {
  const [opcode = 0, modrm = 0] = code.subarray(Math.max(field - 2, 0), field)
  const zero = [0, 0, 0, 0]
  // mov NAME@GOTPCREL(%rip),%reg becomes lea NAME(%rip),%reg.
  if (opcode === 0x8b && (modrm & 0xc7) === 0x05)
    return { back: 2, bytes: Buffer.from([0x8d, modrm, ...zero]), shift: 0 }
  // call *NAME@GOTPCREL(%rip) becomes addr32 call NAME.
  if (opcode === 0xff && modrm === 0x15) return { back: 2, bytes: Buffer.from([0x67, 0xe8, ...zero]), shift: 0 }
  // jmp *NAME@GOTPCREL(%rip) becomes jmp NAME; nop.
  if (opcode === 0xff && modrm === 0x25) return { back: 2, bytes: Buffer.from([0xe9, ...zero, 0x90]), shift: -1 }
  return undefined
}
