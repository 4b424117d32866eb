// SPDX-License-Identifier: GPL-3.0-or-later
// Which instruction takes an address, and which one only goes there: `lea`, and numbers that are part of an
// instruction. Encodings: Intel SDM volume 2, LEA, MOV, PUSH. Relocations: AMD64 psABI, 4.4.
import { relocationType } from '../elf/format.ts'
import { type Encoded, encoded, lea, loadsNumber, pushNumber, putNumber, stackPointer } from './encoding.ts'
import type { Instruction } from './instruction.ts'

/**
 * Opcodes with an immediate of 4 bytes at their end: push, arithmetic with the accumulator, `81`, `c7`, imul, mov to a
 * register.
 */
const withImmediate = new Set([0x68, 0x05, 0x0d, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x81, 0xc7, 0x69, 0xa9])

/** It reads or writes exactly there, it takes the address, or goes from there by a register. */
export type AddressUse = 'access' | 'address' | 'walk'

/** What an instruction does with the address in one of its fields. */
export function useOf(instruction: Instruction, field: number): AddressUse {
  const { code, opcode, modrm, end, memory, operands } = encoded(instruction)
  if (opcode === lea || loadsNumber(opcode)) return 'address'
  if (withImmediate.has(opcode) && field === end - 4) return 'address'
  if (field === memory) return 'access'
  // [disp32] without base and index has a SIB byte of its own.
  return field === operands && (modrm & 0xc7) === 4 && code[operands - 1] === 0x25 ? 'access' : 'walk'
}

/** True for lea, and for push and mov with a number in the code, when the address is this number. */
export function loadsAddress(instruction: Instruction, field: number): boolean {
  const { opcode, end } = encoded(instruction)
  if (opcode === lea || loadsNumber(opcode)) return true
  return (opcode === pushNumber || opcode === putNumber) && field === end - 4
}

/** True when REX.W is the only prefix. */
function isPlainWide({ start, opcodeAt, rex }: Encoded): boolean {
  return opcodeAt === start + 1 && (rex & 8) !== 0
}

/**
 * The register that an instruction sets to a constant or to an address: `mov $imm,%reg` or `lea disp(%rip),%reg`, of 8
 * bytes.
 */
export function loadedRegister(instruction: Instruction): number | undefined {
  const one = encoded(instruction)
  if (!isPlainWide(one)) return undefined
  if (one.opcode === putNumber && one.isDirect) return one.operand
  return one.opcode === lea && one.memory >= 0 ? one.register : undefined
}

/** True when an instruction puts the address that it holds into memory (`movq $text, 8(%rbx)`), but for the stack. */
export function storesAddress(instruction: Instruction): boolean {
  const one = encoded(instruction)
  return one.opcode === putNumber && isPlainWide(one) && !one.isDirect && one.base !== stackPointer
}

/**
 * The address of the kernel in the last 4 bytes of an instruction, without its upper half, that all have, and from
 * there on; undefined when it can be none. Such a number is sign-extended: an address of the kernel is negative.
 */
export function kernelAddressIn(instruction: Instruction): number | undefined {
  const { code, start, end } = encoded(instruction)
  return end - start >= 5 && code[end - 1]! >= 0x80 ? code.readInt32LE(end - 4) + 0x8000_0000 : undefined
}

/** True when a relocation makes a pointer, and not the operand of a call or a jump. */
export function isPointer(type: number, isExecutable: boolean, bytes: Buffer, offset: number): boolean {
  switch (type) {
    case relocationType.abs64:
    case relocationType.abs32:
    case relocationType.abs32s:
    case relocationType.gotpcrel:
    case relocationType.gotpcrelx:
    case relocationType.rexGotpcrelx:
      return true
    case relocationType.pc32:
      // lea of an address relative to the instruction pointer: ModRM mod 00, r/m 101.
      return isExecutable && offset >= 2 && bytes[offset - 2] === lea && ((bytes[offset - 1] ?? 0) & 0xc7) === 5
    default:
      return false
  }
}
