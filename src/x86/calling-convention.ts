// SPDX-License-Identifier: GPL-3.0-or-later
// Where a call finds its arguments, what it leaves alone, and how code puts arguments there.
// Source: System V ABI for AMD64, 3.2.3; registers are numbered as in instructions.
import { encoded, lea, loadsNumber, pushNumber, putNumber } from './encoding.ts'
import type { Instruction } from './instruction.ts'

/** The registers of the first six arguments: rdi, rsi, rdx, rcx, r8, r9. */
export const argumentRegisters: readonly number[] = [7, 6, 2, 1, 8, 9]

/** rax, rcx, rdx, rsi, rdi and r8 to r11 do not survive a call. */
export const callerSaved: readonly number[] = [0, 1, 2, 6, 7, 8, 9, 10, 11]

/** A bit for each register. */
export function maskOf(registers: readonly number[]): number {
  return registers.reduce((mask, register) => mask | (1 << register), 0)
}

/** The registers of arguments, those that survive a call, and that of its result, with a bit for each. */
export const passed = maskOf(argumentRegisters)
export const kept = maskOf([3, 5, 12, 13, 14, 15])
export const returned = maskOf([0])

/** A place that an argument can be in: the number of a register, or 16 and up for those on the stack. */
export type Home = number

/** Which argument of a call the value in `home` is; -1 when it is none. */
export function argumentIn(home: Home): number {
  return home >= 16 ? home - 16 + argumentRegisters.length : argumentRegisters.indexOf(home)
}

/**
 * The offset of the number of 4 bytes in `mov $n, %reg` for an argument's register, or in `movl $n, m` or `push $n` for
 * one on the stack; -1 for another instruction.
 */
export function numberForCall(instruction: Instruction): number {
  const one = encoded(instruction)
  const { start, end, opcode, opcodeAt, rex } = one
  if (loadsNumber(opcode)) {
    // mov $n, %edx %ecx %esi %edi; with REX.B %r8d %r9d
    const isArgument = argumentRegisters.includes(one.opcodeRegister)
    return isArgument && (rex === 0 || rex === 0x41) && end - opcodeAt === 5 && one.legacyPrefixes === 0
      ? opcodeAt + 1
      : -1
  }
  if (opcode === pushNumber) return end - start === 5 ? start + 1 : -1
  // mov $n, disp(%rsp), also of 8 bytes; and mov $n, %reg with a sign
  return opcode === putNumber && one.legacyPrefixes === 0 && (rex === 0 || rex >= 0x48) ? end - 4 : -1
}

/** Where an instruction puts an address or a number of its own; undefined when it has none. */
export function loadedHome(instruction: Instruction): Home | undefined {
  const one = encoded(instruction)
  const { code, opcode, modrm, operands, end } = one
  if (one.legacyPrefixes > 0) return undefined
  if (opcode === pushNumber) return 16
  if (loadsNumber(opcode)) return one.opcodeRegister
  if (opcode === lea) return one.register
  if (opcode !== putNumber) return undefined
  if (one.isDirect) return one.operand
  // To (%rsp) or disp(%rsp).
  if ((modrm & 7) !== 4 || code[operands - 1] !== 0x24) return undefined
  if (modrm >> 6 === 0) return 16
  return end - operands === 5 && modrm >> 6 === 1 ? 16 + code[operands]! / 8 : undefined
}

/** The registers of `mov %from, %to`; undefined for another instruction. */
export function copiedHome(instruction: Instruction): { from: Home; to: Home } | undefined {
  const one = encoded(instruction)
  if (!one.isDirect || one.legacyPrefixes > 0) return undefined
  if (one.opcode === 0x89) return { from: one.register, to: one.operand }
  return one.opcode === 0x8b ? { from: one.operand, to: one.register } : undefined
}

/** The registers of `cmovcc %from, %to`, behind which `to` holds what it held or what `from` does. */
export function chosenHome(instruction: Instruction): { from: Home; to: Home } | undefined {
  const one = encoded(instruction)
  return one.isDirect && one.opcode >> 4 === 0xf4 ? { from: one.operand, to: one.register } : undefined
}
