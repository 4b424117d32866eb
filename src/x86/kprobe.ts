// SPDX-License-Identifier: GPL-3.0-or-later
// What a kprobe leaves in the code: a breakpoint over an instruction's first byte, or, optimised, a jump over several
// instructions. Sources: the kernel's arch/x86/kernel/kprobes/{core,opt}.c.
import { call, conditionOf, isConditional, jump } from './branch.ts'
import { encoded } from './encoding.ts'
import type { Instruction } from './instruction.ts'

/** Bytes of an optimised kprobe. */
export const probeJumpSize = 5

export function hasBreakpoint(code: Buffer, at: number): boolean {
  return code[at] === 0xcc
}

/** True for what may be an optimised kprobe. */
export function hasProbeJump(code: Buffer, at: number): boolean {
  return code[at] === jump
}

/** Where the jump of an optimised kprobe leads, as an offset in `code`. */
export function probeJumpTo(code: Buffer, at: number): number {
  return at + probeJumpSize + code.readInt32LE(at + 1)
}

/** What the byte under a breakpoint may have been where `code` has this instruction; a jump may be shorter there. */
export function bytesUnderProbe(instruction: Instruction): number[] {
  const { code, start } = encoded(instruction)
  const first = code[start] ?? 0
  if (instruction.branch < 0 || first === call) return [first]
  const condition = conditionOf(instruction)
  return [first, isConditional(condition) ? 0x70 + condition : 0xeb]
}
