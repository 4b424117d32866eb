// SPDX-License-Identifier: GPL-3.0-or-later
// Which general registers an instruction reads and writes, and what it has to do with the flags: enough to see whether
// one instruction uses what another one has made. Source: Intel SDM volume 2, chapter 2 and appendix A.
import { argumentRegisters, type Instruction, legacyPrefix } from './instruction.ts'

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

/** What a call gets, and what it leaves alone (System V ABI for x86-64). */
export const passed = argumentRegisters.reduce((mask, register) => mask | bit(register), 0)
export const kept = [3, 5, 12, 13, 14, 15].reduce((mask, register) => mask | bit(register), 0)
export const returned = accumulator

interface Operands {
  /** The register field, and the other operand when it is a register, too; else 0. */
  readonly field: number
  readonly other: number
  /** Registers of the address. */
  readonly address: number
  /** The field as a part of the opcode. */
  readonly digit: number
}

function operandsOf(data: Buffer, at: number, rex: number): Operands {
  const [mode = 0, index = 0] = data.subarray(at, at + 2)
  const [mod, rm] = [mode >> 6, mode & 7]
  const digit = (mode >> 3) & 7
  const field = bit(digit | ((rex & 4) << 1))
  const high = (rex & 1) << 3
  if (mod === 3) return { field, other: bit(rm | high), address: 0, digit }
  if (rm !== 4) return { field, other: 0, address: mod === 0 && rm === 5 ? 0 : bit(rm | high), digit }
  const base = mod === 0 && (index & 7) === 5 ? 0 : bit((index & 7) | high)
  const scaled = ((index >> 3) & 7) | ((rex & 2) << 2)
  return { field, other: 0, address: base | (scaled === 4 ? 0 : bit(scaled)), digit }
}

export function effectOf(data: Buffer, { start, operands }: Instruction): Effect {
  let at = start
  while (legacyPrefix[data[at] ?? 0] === 1) at++
  const rex = ((data[at] ?? 0) & 0xf0) === 0x40 ? data[at++]! : 0
  const opcode = data[at++] ?? 0
  if (opcode === 0xc4 || opcode === 0xc5 || opcode === 0x62) return nothing
  if (opcode === 0x0f) {
    const second = data[at++] ?? 0
    return at < operands ? ofTwoBytes(second, operandsOf(data, at, rex)) : nothing
  }
  if (at < operands) return ofOneByte(opcode, operandsOf(data, at, rex))
  const own = bit((opcode & 7) | ((rex & 1) << 3))
  if (opcode >= 0x50 && opcode <= 0x57) return { ...nothing, reads: own }
  if ((opcode >= 0x58 && opcode <= 0x5f) || (opcode & 0xf0) === 0xb0) return { ...nothing, writes: own }
  if (opcode > 0x90 && opcode <= 0x97)
    return { reads: own | accumulator, writes: own | accumulator, flags: 'keeps' }
  if (opcode === 0x98) return { reads: accumulator, writes: accumulator, flags: 'keeps' }
  if (opcode === 0x99) return { reads: accumulator, writes: bit(2), flags: 'keeps' }
  if (opcode === 0xa8 || opcode === 0xa9) return { reads: accumulator, writes: 0, flags: 'sets' }
  if (opcode < 0x40 && (opcode & 6) === 4)
    return { reads: accumulator, writes: (opcode & 0x38) === 0x38 ? 0 : accumulator, flags: 'sets' }
  return nothing
}

function ofOneByte(opcode: number, { field, other, address, digit }: Operands): Effect {
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
      if (digit >= 4) return { reads: other | address | accumulator, writes: bit(0) | bit(2), flags: 'sets' }
      return { reads: other | address, writes: digit < 2 ? 0 : other, flags: 'sets' }
    case 0x80:
    case 0x81:
    case 0x83:
      return { reads: other | address, writes: digit === 7 ? 0 : other, flags: 'sets' }
    case 0xfe:
    case 0xff:
      return { reads: other | address, writes: digit < 2 ? other : 0, flags: digit < 2 ? 'sets' : 'keeps' }
    case 0xd2:
    case 0xd3:
      return { reads: other | address | bit(1), writes: other, flags: 'sets' }
    default:
      return { reads: other | address, writes: other, flags: 'sets' }
  }
}

function ofTwoBytes(opcode: number, { field, other, address }: Operands): Effect {
  const from = other | address
  if (opcode >= 0x18 && opcode <= 0x1f) return nothing
  if ((opcode & 0xf0) === 0x40) return { reads: field | from, writes: field, flags: 'uses' }
  if ((opcode & 0xf0) === 0x90) return { reads: address, writes: other, flags: 'uses' }
  switch (opcode) {
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf:
      return { reads: from, writes: field, flags: 'keeps' }
    case 0xb0:
    case 0xb1:
      return { reads: field | from | accumulator, writes: other | accumulator, flags: 'sets' }
    case 0xba:
      return { reads: from, writes: other, flags: 'sets' }
    default:
      return { reads: field | from, writes: field | other, flags: 'sets' }
  }
}
