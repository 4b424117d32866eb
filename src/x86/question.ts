// SPDX-License-Identifier: GPL-3.0-or-later
// What an instruction asks of a value before a branch: of a number, of a flag in memory, of what a call returned.
// Encodings: Intel SDM volume 2, CMP, TEST, MOV, MOVZX.
import { conditionOf, isAboveNumber } from './branch.ts'
import { encoded } from './encoding.ts'
import type { Instruction } from './instruction.ts'

/**
 * What a comparison with a number asks, whichever way the branch behind it goes: `> 5` and `< 6` are one question.
 * @param next the instruction behind it
 * @returns where the number begins, and the smallest number above; undefined for what is no such comparison
 */
export function limitOf(
  instruction: Instruction,
  next: Instruction | undefined,
): { readonly start: number; readonly value: number } | undefined {
  const one = encoded(instruction)
  const { code, start, end, opcode } = one
  if (next === undefined || next.start !== end || next.branch < 0) return undefined
  const isGrouped = opcode === 0x80 || opcode === 0x81 || opcode === 0x83
  if (isGrouped ? one.group !== 7 : opcode !== 0x3c && opcode !== 0x3d) return undefined
  const width = code.subarray(start, start + one.legacyPrefixes).includes(0x66) ? 2 : 4
  const number = opcode === 0x81 || opcode === 0x3d ? width : 1
  const value = code.readIntLE(end - number, number)
  return { start: end - number, value: value + (isAboveNumber(conditionOf(next)) ? 1 : 0) }
}

/** What an instruction does with a flag of one byte in memory; undefined for anything else. */
export function flagUse(instruction: Instruction): 'sets' | 'reads' | undefined {
  const one = encoded(instruction)
  const { code, opcode, end } = one
  // movb $1
  if (opcode === 0xc6) return code[end - 1] === 1 ? 'sets' : undefined
  // cmpb $…, testb $…, and loads of a byte
  const reads =
    (opcode === 0x80 && one.group === 7) ||
    (opcode === 0xf6 && one.group < 2) ||
    opcode === 0x8a ||
    opcode === 0x38 ||
    opcode === 0x3a ||
    opcode === 0x0fb6
  return reads ? 'reads' : undefined
}

/** True for `test %eax,%eax`, or of its lowest byte: whether a call has returned 0. */
export function asksResult(instruction: Instruction): boolean {
  const { start, opcodeAt, opcode, modrm } = encoded(instruction)
  return opcodeAt === start && (opcode === 0x84 || opcode === 0x85) && modrm === 0xc0
}
