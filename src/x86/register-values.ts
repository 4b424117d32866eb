// SPDX-License-Identifier: GPL-3.0-or-later
// What registers hold, as far as instructions say without running them, and which constants are stored. Encodings:
// Intel SDM volume 2, appendix A.
import { argumentRegisters, callerSaved } from './calling-convention.ts'
import { type Encoded, encoded, lea, loadsNumber, pushNumber, putNumber } from './encoding.ts'
import type { Instruction } from './instruction.ts'
import { effectOf } from './registers.ts'

/** What a register holds: a number, or what the function itself got as its n-th parameter. */
export type Value = { readonly constant: number } | { readonly parameter: number }

/** A constant that is written to memory, at a distance from some register. */
export interface Store {
  readonly displacement: number
  readonly value: number
}

/** The registers of the first four arguments. */
const parameters = argumentRegisters.slice(0, 4)

/** The registers as far as they are known, at first those of a function that is entered. */
export class RegisterValues {
  private readonly values: (Value | undefined)[] = Array(16).fill(undefined)
  /** Of all instructions so far. */
  readonly stores: Store[] = []

  constructor() {
    for (const [parameter, register] of parameters.entries()) this.values[register] = { parameter }
  }

  /** The first four arguments of a call that comes now; undefined where they are not known. */
  passed(): (Value | undefined)[] {
    return parameters.map((register) => this.values[register])
  }

  /** Forgets what does not survive a call. */
  call(): void {
    for (const register of callerSaved) this.values[register] = undefined
  }

  /**
   * Takes one instruction that is no direct branch.
   * @param base the address of the first byte of the code
   */
  step(instruction: Instruction, base: number): void {
    const one = encoded(instruction)
    const { code, opcode, opcodeAt, end } = one
    const at = opcodeAt + 1
    const low = one.opcodeRegister
    if (loadsNumber(opcode)) {
      this.values[low] = end - at === 4 ? { constant: code.readInt32LE(at) } : undefined
      return
    }
    if ((opcode & ~7) === 0x58) {
      this.values[low] = undefined
      return
    }
    if ((opcode & ~7) === 0x50 || opcode === pushNumber || opcode === 0x6a) return
    if (opcode > 0xff) {
      // Compares, tests and nops leave the registers alone.
      if (opcode !== 0x0f1f && opcode !== 0x0fa3) this.overwrite(one)
      return
    }
    const direct = one.isDirect
    const [reg, rm] = [one.register, one.operand]
    switch (opcode) {
      case putNumber:
        if (direct) this.values[rm] = { constant: code.readInt32LE(end - 4) }
        else if (end - at >= 5) this.store(one, end - 4, code.readInt32LE(end - 4))
        return
      case 0x89:
        if (direct) this.values[rm] = this.values[reg]
        else this.storeRegister(one, reg)
        return
      case 0x87: {
        if (!direct) this.storeRegister(one, reg)
        this.values[reg] = undefined
        if (direct) this.values[rm] = undefined
        return
      }
      case 0x8b:
        this.values[reg] = direct ? this.values[rm] : undefined
        return
      case lea:
        // Of a place that is counted from here
        this.values[reg] =
          one.memory >= 0 ? { constant: base + end + code.readInt32LE(end - 4) - 0x8000_0000 } : undefined
        return
      case 0x31:
      case 0x33:
        this.values[opcode === 0x31 ? rm : reg] = direct && reg === rm ? { constant: 0 } : undefined
        return
      // cmp and test
      case 0x38:
      case 0x39:
      case 0x3a:
      case 0x3b:
      case 0x84:
      case 0x85:
        return
      case 0x80:
      case 0x81:
      case 0x83:
        if (one.group !== 7 && direct) this.values[rm] = undefined
        return
      case 0xff:
        if (one.group === 2) this.call()
        return
      default:
        this.overwrite(one)
    }
  }

  /** An instruction of which it is only known which registers it names. */
  private overwrite(one: Encoded): void {
    if (one.modrm >= 0) {
      this.values[one.register] = undefined
      if (one.isDirect) this.values[one.operand] = undefined
      this.values[0] = undefined
    } else {
      const { writes } = effectOf(one)
      for (const register of this.values.keys()) if ((writes >> register) & 1) this.values[register] = undefined
    }
  }

  private storeRegister(one: Encoded, register: number): void {
    const value = this.values[register]
    if (value !== undefined && 'constant' in value) this.store(one, one.end, value.constant)
  }

  /** @param end where the operand's displacement ends */
  private store({ code, modrm }: Encoded, end: number, value: number): void {
    const mode = modrm >> 6
    const displacement = mode === 1 ? code.readInt8(end - 1) : mode === 2 ? code.readInt32LE(end - 4) : 0
    this.stores.push({ displacement, value })
  }
}
