// SPDX-License-Identifier: GPL-3.0-or-later
// Which general registers an instruction reads and writes, and what it has to do with the flags: enough to see whether
// one instruction uses what another one has made. Source: Intel SDM volume 2, chapter 2 and appendix A.
import {
  baseOf,
  type Encoded,
  encoded,
  groupOf,
  isDirect,
  isVector,
  lea,
  loadsNumber,
  opcodeRegister,
  operandField,
  putNumber,
  registerField,
} from './encoding.ts'
import type { Instruction } from './instruction.ts'

export interface Effect {
  /** A bit for each register, by its number. The stack pointer is never among them. */
  readonly reads: number
  readonly writes: number
  /** `uses`: it does one thing or another by the flags; a branch does. */
  readonly flags: 'keeps' | 'sets' | 'uses'
}

const bit = (register: number): number => (register === 4 ? 0 : 1 << register)
const accumulator = bit(0)

const nothing: Effect = { reads: 0, writes: 0, flags: 'keeps' }

interface Operands {
  /** The register field, and the other operand when it is a register, too; else 0. */
  readonly field: number
  readonly other: number
  /** Registers of the address. */
  readonly address: number
  /** The field as a part of the opcode. */
  readonly group: number
}

function operandsOf(code: Buffer, one: Encoded): Operands {
  const field = bit(registerField(one))
  const group = groupOf(one)
  if (isDirect(one)) return { field, other: bit(operandField(one)), address: 0, group }
  const { modrm, rex, operands } = one
  const [mode, base] = [modrm >> 6, baseOf(code, one)]
  let address = mode === 0 && base === 5 ? 0 : bit(base | ((rex & 1) << 3))
  if ((modrm & 7) === 4) {
    const scaled = ((code[operands - 1]! >> 3) & 7) | ((rex & 2) << 2)
    if (scaled !== 4) address |= bit(scaled)
  }
  return { field, other: 0, address, group }
}

/** The general registers that an instruction reads and writes; nothing is known of vector instructions. */
export function effectOf(code: Buffer, instruction: Instruction): Effect {
  const one = encoded(instruction)
  const { opcode, modrm } = one
  if (isVector(opcode)) return nothing
  if (opcode > 0xff) return modrm < 0 ? nothing : ofTwoBytes(opcode, operandsOf(code, one))
  if (modrm >= 0) return ofOneByte(opcode, operandsOf(code, one))
  const own = bit(opcodeRegister(one))
  if (opcode >= 0x50 && opcode <= 0x57) return { ...nothing, reads: own }
  if ((opcode >= 0x58 && opcode <= 0x5f) || (opcode & 0xf0) === 0xb0) return { ...nothing, writes: own }
  if (opcode > 0x90 && opcode <= 0x97) return { reads: own | accumulator, writes: own | accumulator, flags: 'keeps' }
  if (opcode === 0x98) return { reads: accumulator, writes: accumulator, flags: 'keeps' }
  if (opcode === 0x99) return { reads: accumulator, writes: bit(2), flags: 'keeps' }
  if (opcode === 0xa8 || opcode === 0xa9) return { reads: accumulator, writes: 0, flags: 'sets' }
  if (opcode < 0x40 && (opcode & 6) === 4)
    return { reads: accumulator, writes: (opcode & 0x38) === 0x38 ? 0 : accumulator, flags: 'sets' }
  return nothing
}

/** The register to which an instruction gives another value: by mov, lea, pop, or as 0 by xor. */
export function assignedRegister(instruction: Instruction): number | undefined {
  const one = encoded(instruction)
  const { opcode } = one
  if (opcode === 0x8b || opcode === lea) return registerField(one)
  if (opcode === 0x89 || opcode === 0x31 || opcode === putNumber) return isDirect(one) ? operandField(one) : undefined
  const isPop = opcode >= 0x58 && opcode <= 0x5f
  return isPop || loadsNumber(opcode) ? opcodeRegister(one) : undefined
}

function ofOneByte(opcode: number, { field, other, address, group }: Operands): Effect {
  const all = field | other | address
  if (opcode < 0x40) {
    const toField = (opcode & 2) !== 0
    const isCompare = (opcode & 0x38) === 0x38
    // A register from which itself is taken is 0 afterwards.
    const clears = (opcode & 0x38) === 0x30 && field === other
    return {
      reads: clears ? address : all,
      writes: isCompare ? 0 : toField ? field : other,
      flags: 'sets',
    }
  }
  switch (opcode) {
    case 0x63:
    case 0x8a:
    case 0x8b:
    case 0x8d:
      return { reads: other | address, writes: field, flags: 'keeps' }
    case 0x69:
    case 0x6b:
      return { reads: other | address, writes: field, flags: 'sets' }
    case 0x84:
    case 0x85:
      return { reads: all, writes: 0, flags: 'sets' }
    case 0x86:
    case 0x87:
      return { reads: all, writes: field | other, flags: 'keeps' }
    case 0x88:
    case 0x89:
      return { reads: field | address, writes: other, flags: 'keeps' }
    case 0xc6:
    case 0xc7:
      return { reads: address, writes: other, flags: 'keeps' }
    case 0xf6:
    case 0xf7:
      if (group >= 4) return { reads: other | address | accumulator, writes: bit(0) | bit(2), flags: 'sets' }
      return { reads: other | address, writes: group < 2 ? 0 : other, flags: 'sets' }
    case 0x80:
    case 0x81:
    case 0x83:
      return { reads: other | address, writes: group === 7 ? 0 : other, flags: 'sets' }
    case 0xfe:
    case 0xff:
      return { reads: other | address, writes: group < 2 ? other : 0, flags: group < 2 ? 'sets' : 'keeps' }
    case 0xd2:
    case 0xd3:
      return { reads: other | address | bit(1), writes: other, flags: 'sets' }
    default:
      return { reads: other | address, writes: other, flags: 'sets' }
  }
}

function ofTwoBytes(opcode: number, { field, other, address }: Operands): Effect {
  const from = other | address
  if (opcode >= 0x0f18 && opcode <= 0x0f1f) return nothing
  if (opcode >> 4 === 0xf4) return { reads: field | from, writes: field, flags: 'uses' }
  if (opcode >> 4 === 0xf9) return { reads: address, writes: other, flags: 'uses' }
  switch (opcode) {
    case 0x0fb6:
    case 0x0fb7:
    case 0x0fbe:
    case 0x0fbf:
      return { reads: from, writes: field, flags: 'keeps' }
    case 0x0fb0:
    case 0x0fb1:
      return { reads: field | from | accumulator, writes: other | accumulator, flags: 'sets' }
    case 0x0fba:
      return { reads: from, writes: other, flags: 'sets' }
    default:
      return { reads: field | from, writes: field | other, flags: 'sets' }
  }
}
