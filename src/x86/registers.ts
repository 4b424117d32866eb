// SPDX-License-Identifier: GPL-3.0-or-later
// Which general registers an instruction reads and writes, and what it has to do with the flags: enough to see whether
// one instruction uses what another one has made. Source: Intel SDM volume 2, chapter 2 and appendix A.

import { maskOf } from './calling-convention.ts'
import { type Encoded, encoded, isVector, lea, loadsNumber, putNumber } from './encoding.ts'
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

function operandsOf(one: Encoded): Operands {
  const field = bit(one.register)
  const group = one.group
  if (one.isDirect) return { field, other: bit(one.operand), address: 0, group }
  const { code, modrm, rex, operands } = one
  let address = one.isWithoutBase ? 0 : bit(one.base)
  if ((modrm & 7) === 4) {
    const scaled = ((code[operands - 1]! >> 3) & 7) | ((rex & 2) << 2)
    if (scaled !== 4) address |= bit(scaled)
  }
  return { field, other: 0, address, group }
}

/** Reads and writes of instructions that name no register: those of strings as with `rep`. */
const impliedRegisters: ReadonlyMap<number, Effect> = new Map(
  (
    [
      // movs, cmps, stos, lods, scas: by si, di and cx
      [[0xa4, 0xa5], [6, 7, 1], [6, 7, 1], 'keeps'],
      [[0xa6, 0xa7], [6, 7, 1], [6, 7, 1], 'sets'],
      [[0xaa, 0xab], [0, 7, 1], [7, 1], 'keeps'],
      [[0xac, 0xad], [6, 1], [0, 6, 1], 'keeps'],
      [[0xae, 0xaf], [0, 7, 1], [7, 1], 'sets'],
      // in and out, with a port in dx
      [[0xec, 0xed], [2], [0], 'keeps'],
      [[0xee, 0xef], [0, 2], [], 'keeps'],
      // leave
      [[0xc9], [5], [5], 'keeps'],
      // wrmsr, rdtsc, rdmsr, rdpmc, cpuid
      [[0x0f30], [0, 1, 2], [], 'keeps'],
      [[0x0f31], [], [0, 2], 'keeps'],
      [[0x0f32, 0x0f33], [1], [0, 2], 'keeps'],
      [[0x0fa2], [0, 1], [0, 1, 2, 3], 'keeps'],
    ] as const
  ).flatMap(([opcodes, reads, writes, flags]) =>
    opcodes.map((opcode) => [opcode, { reads: maskOf(reads), writes: maskOf(writes), flags }] as const),
  ),
)

/** True for `bswap`. */
function isByteSwap(opcode: number): boolean {
  return opcode >= 0x0fc8 && opcode <= 0x0fcf
}

/** The general registers that an instruction reads and writes; nothing is known of vector instructions. */
export function effectOf(instruction: Instruction): Effect {
  const one = encoded(instruction)
  const { opcode, modrm } = one
  if (isVector(opcode)) return nothing
  if (modrm >= 0) return opcode > 0xff ? ofTwoBytes(opcode, operandsOf(one)) : ofOneByte(opcode, operandsOf(one))
  const implied = impliedRegisters.get(opcode)
  if (implied !== undefined) return implied
  const own = bit(one.opcodeRegister)
  if (isByteSwap(opcode)) return { reads: own, writes: own, flags: 'keeps' }
  if (opcode > 0xff) return nothing
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
  if (opcode === 0x8b || opcode === lea) return one.register
  if (opcode === 0x89 || opcode === 0x31 || opcode === putNumber) return one.isDirect ? one.operand : undefined
  const isPop = opcode >= 0x58 && opcode <= 0x5f
  return isPop || loadsNumber(opcode) ? one.opcodeRegister : undefined
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
