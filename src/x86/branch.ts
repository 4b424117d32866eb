// SPDX-License-Identifier: GPL-3.0-or-later
// How control goes on behind an instruction, and where direct calls and jumps lead.
// Encodings: Intel SDM volume 2, CALL, JMP, Jcc, LOOPcc, RET, INT3, UD2.
import { encoded } from './encoding.ts'
import type { Instruction } from './instruction.ts'

/** `branch`: elsewhere or to the next instruction, by a condition. `trap`: UD2, of which BUG() and WARN() are made. */
export type Control =
  | 'next'
  | 'call'
  | 'jump'
  | 'branch'
  | 'indirect-call'
  | 'indirect-jump'
  | 'return'
  | 'breakpoint'
  | 'trap'

export function controlOf(instruction: Instruction): Control {
  const { opcode, branch } = encoded(instruction)
  if (branch >= 0) return opcode === call ? 'call' : opcode === jump || opcode === 0xeb ? 'jump' : 'branch'
  switch (opcode) {
    case 0xc3:
      return 'return'
    case 0xcc:
      return 'breakpoint'
    case 0x0f0b:
      return 'trap'
    case 0xff: {
      const group = encoded(instruction).group
      return group === 2 ? 'indirect-call' : group === 4 ? 'indirect-jump' : 'next'
    }
    default:
      return 'next'
  }
}

/** True where no instruction follows that this one leads to: a jump, a return, a breakpoint behind either. */
export function leaves(control: Control): boolean {
  return control === 'jump' || control === 'indirect-jump' || control === 'return' || control === 'breakpoint'
}

/** What a direct branch does, whatever the length of its distance: 0 to 15 for a condition, else its opcode. */
export type Condition = number

export const call: Condition = 0xe8
export const jump: Condition = 0xe9
/** The conditions of `je` and `jne`. */
export const ifZero: Condition = 4
export const ifNotZero: Condition = 5

export function conditionOf(instruction: Instruction): Condition {
  const { opcode } = encoded(instruction)
  if (opcode >> 4 === 0x7 || opcode >> 4 === 0xf8) return opcode & 15
  return opcode === 0xeb ? jump : opcode
}

/** True for a direct jump that asks the flags. */
export function isConditional(condition: Condition): boolean {
  return condition < 16
}

/** True for a condition that holds above a number, and not for the number itself: `ja`, `jbe`, `jg`, `jle`. */
export function isAboveNumber(condition: Condition): boolean {
  return condition === 6 || condition === 7 || condition === 14 || condition === 15
}

/** Where a direct branch, or a memory operand that counts from the instruction's end, leads; only for one of these. */
export function placeOf(instruction: Instruction): number {
  const { code, end, branch, memory } = encoded(instruction)
  if (branch < 0) return end + code.readInt32LE(memory)
  return end + (end - branch === 1 ? code.readInt8(branch) : code.readInt32LE(branch))
}

/** True where 4 bytes from `offset` on are the distance of a call or a jump, by the bytes before them. */
export function isDistance(code: Buffer, offset: number): boolean {
  const [before, last = 0] = [code[offset - 2], code[offset - 1]]
  return last === call || last === jump || (before === 0x0f && (last & 0xf0) === 0x80)
}

/** Where bytes that may be a call lead, as offsets in `code`, whatever stands before them. */
export function possibleCalls(code: Buffer): number[] {
  const found: number[] = []
  for (let at = code.indexOf(call); at >= 0 && at + 5 <= code.length; at = code.indexOf(call, at + 1))
    found.push(at + 5 + code.readInt32LE(at + 1))
  return found
}
