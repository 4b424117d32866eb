// SPDX-License-Identifier: GPL-3.0-or-later
// Decodes x86-64 instructions: where they end, and what they are. Only this room may import this file: what an opcode
// means, other rooms ask the files beside it. Source: Intel SDM volume 2, chapter 2 (Instruction Format) and appendix A
// (Opcode Map).

/** What other rooms know of an instruction. */
export interface Instruction {
  /** Bytes in the code: first, and behind the last. */
  readonly start: number
  readonly end: number
  /** Offset of the distance in a direct call or jump; -1 for every other instruction. */
  readonly branch: number
  /** Offset of the distance of a memory operand that counts from the instruction's end (RIP-relative); else -1. */
  readonly memory: number
  /** Offset behind opcode and registers, where a displacement or an immediate begins; `end` when there is none. */
  readonly operands: number
}

/** What this room knows of it. */
export class Encoded implements Instruction {
  constructor(
    /** The bytes that it stands in. */
    readonly code: Buffer,
    readonly start: number,
    readonly end: number,
    readonly branch: number,
    readonly memory: number,
    readonly operands: number,
    /** Offset of the opcode, behind all prefixes. */
    readonly opcodeAt: number,
    /** `8d`, `0f84` and `0f38f1` are numbers; of a vector instruction (VEX, EVEX) it is the first byte only. */
    readonly opcode: number,
    /** The prefix REX, which widens registers and operands; 0 for none. */
    readonly rex: number,
    /** The byte ModRM, which names registers and the form of an address; -1 for none. */
    readonly modrm: number,
  ) {}

  /** The register in the middle of ModRM. */
  get register(): number {
    return ((this.modrm >> 3) & 7) | ((this.rex & 4) << 1)
  }

  /** The register at the end of ModRM. */
  get operand(): number {
    return (this.modrm & 7) | ((this.rex & 1) << 3)
  }

  /** The register in the last three bits of the opcode. */
  get opcodeRegister(): number {
    return (this.opcode & 7) | ((this.rex & 1) << 3)
  }

  /** Where ModRM is a part of the opcode, which of the group is meant (SDM volume 2, A.4). */
  get group(): number {
    return (this.modrm >> 3) & 7
  }

  /** True when ModRM names a register, and no memory. */
  get isDirect(): boolean {
    return this.modrm >= 0xc0
  }

  /** The base register of an address, or the register in its place; -1 without ModRM. */
  get base(): number {
    if (this.modrm < 0) return -1
    if (this.isDirect || (this.modrm & 7) !== 4) return this.operand
    return (this.code[this.operands - 1]! & 7) | ((this.rex & 1) << 3)
  }

  /** True for an address without a base register: of 32 bits, or counted from the instruction's end. */
  get isWithoutBase(): boolean {
    return this.modrm >= 0 && this.modrm < 0x40 && (this.base & 7) === 5
  }

  /** Bytes before REX and the opcode. */
  get legacyPrefixes(): number {
    return this.opcodeAt - this.start - (this.rex === 0 ? 0 : 1)
  }
}

/** The same instruction as this room knows it. */
export function encoded(instruction: Instruction): Encoded {
  return instruction as Encoded
}

/** What follows the opcode. */
const shape = {
  none: 0,
  modrm: 1,
  byte: 2,
  /** 4 bytes, or 2 behind an operand-size prefix. */
  word: 4,
  half: 8,
  short: 16,
  near: 32,
  /** As the operand: up to 8 bytes (`movabs $…`). */
  full: 64,
  offset: 128,
  invalid: 256,
} as const

/** Fills `[from, to]` of a table of 256 opcodes. */
function table(ranges: readonly (readonly [number, number, number])[], rest: number): Uint16Array {
  const shapes = new Uint16Array(256).fill(rest)
  for (const [from, to, value] of ranges) shapes.fill(value, from, to + 1)
  return shapes
}

const { none, modrm, byte, word, half, short, near, full, offset, invalid } = shape

const arithmetic = [0, 8, 16, 24, 32, 40, 48, 56].flatMap(
  (at) =>
    [
      [at, at + 3, modrm],
      [at + 4, at + 4, byte],
      [at + 5, at + 5, word],
      [at + 6, at + 7, invalid],
    ] as const,
)

const oneByte = table(
  [
    ...arithmetic,
    [0x60, 0x62, invalid],
    [0x63, 0x63, modrm],
    [0x68, 0x68, word],
    [0x69, 0x69, modrm | word],
    [0x6a, 0x6a, byte],
    [0x6b, 0x6b, modrm | byte],
    [0x70, 0x7f, short],
    [0x80, 0x80, modrm | byte],
    [0x81, 0x81, modrm | word],
    [0x82, 0x82, invalid],
    [0x83, 0x83, modrm | byte],
    [0x84, 0x8f, modrm],
    [0x9a, 0x9a, invalid],
    [0xa0, 0xa3, offset],
    [0xa8, 0xa8, byte],
    [0xa9, 0xa9, word],
    [0xb0, 0xb7, byte],
    [0xb8, 0xbf, full],
    [0xc0, 0xc1, modrm | byte],
    [0xc2, 0xc2, half],
    [0xc6, 0xc6, modrm | byte],
    [0xc7, 0xc7, modrm | word],
    [0xc8, 0xc8, half | byte],
    [0xca, 0xca, half],
    [0xcd, 0xcd, byte],
    [0xce, 0xce, invalid],
    [0xd0, 0xd3, modrm],
    [0xd4, 0xd6, invalid],
    [0xd8, 0xdf, modrm],
    [0xe0, 0xe3, short],
    [0xe4, 0xe7, byte],
    [0xe8, 0xe9, near],
    [0xea, 0xea, invalid],
    [0xeb, 0xeb, short],
    [0xf6, 0xf7, modrm],
    [0xfe, 0xff, modrm],
  ],
  none,
)

const twoBytes = table(
  [
    [0x04, 0x09, none],
    [0x0a, 0x0a, invalid],
    [0x0b, 0x0b, none],
    [0x0c, 0x0c, invalid],
    [0x0e, 0x0e, none],
    [0x0f, 0x0f, modrm | byte],
    [0x24, 0x27, invalid],
    [0x30, 0x37, none],
    [0x38, 0x3f, invalid],
    [0x70, 0x73, modrm | byte],
    [0x77, 0x77, none],
    [0x80, 0x8f, near],
    [0xa0, 0xa2, none],
    [0xa4, 0xa4, modrm | byte],
    [0xa8, 0xaa, none],
    [0xac, 0xac, modrm | byte],
    [0xba, 0xba, modrm | byte],
    [0xc2, 0xc2, modrm | byte],
    [0xc4, 0xc6, modrm | byte],
    [0xc8, 0xcf, none],
  ],
  modrm,
)

/** 1 for each legacy prefix (SDM volume 2, 2.1.1). */
const legacyPrefix = new Uint8Array(256)
for (const prefix of [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]) legacyPrefix[prefix] = 1

/**
 * @param code bytes of code
 * @param start where an instruction begins
 * @returns undefined when there is no instruction, or not all of it
 */
export function decode(code: Buffer, start: number): Encoded | undefined {
  let at = start
  let operandSize = false
  let addressSize = false
  for (; legacyPrefix[code[at] ?? 0] === 1; at++) {
    if (code[at] === 0x66) operandSize = true
    if (code[at] === 0x67) addressSize = true
  }
  let rex = 0
  if (((code[at] ?? 0) & 0xf0) === 0x40) rex = code[at++]!
  const opcodeAt = at
  let opcode = code[at++] ?? -1
  let follows: number
  if (opcode === 0x0f) {
    const second = code[at++] ?? -1
    opcode = 0x0f00 | second
    if (second === 0x38 || second === 0x3a) {
      follows = second === 0x38 ? modrm : modrm | byte
      opcode = (opcode << 8) | (code[at++] ?? 0)
    } else follows = twoBytes[second] ?? invalid
  } else if (isVector(opcode)) {
    // The payload names the opcode map.
    const map = opcode === 0xc5 ? 1 : (code[at] ?? 0) & (opcode === 0xc4 ? 0x1f : 0x07)
    at += opcode === 0xc5 ? 1 : opcode === 0xc4 ? 2 : 3
    const second = code[at++] ?? -1
    if (map === 1) follows = twoBytes[second] ?? invalid
    else follows = map === 3 ? modrm | byte : map === 2 || map >= 5 ? modrm : invalid
  } else {
    follows = oneByte[opcode] ?? invalid
    const group = ((code[at] ?? 0) >> 3) & 7
    if (opcode === 0xf6 && group < 2) follows |= byte
    if (opcode === 0xf7 && group < 2) follows |= word
  }
  if ((follows & invalid) !== 0) return undefined
  let memory = -1
  let fields = -1
  let operands = at
  if ((follows & modrm) !== 0) {
    fields = code[at++] ?? 0
    const mode = fields >> 6
    if (mode !== 3) {
      let base = fields & 7
      if (base === 4) {
        base = (code[at++] ?? 0) & 7
        operands = at
        if (mode === 0 && base === 5) at += 4
      } else {
        operands = at
        if (mode === 0 && base === 5) {
          memory = at
          at += 4
        }
      }
      if (mode === 1) at += 1
      if (mode === 2) at += 4
    } else operands = at
  }
  let branch = -1
  if ((follows & (short | near)) !== 0) branch = at
  if ((follows & (byte | short)) !== 0) at += 1
  if ((follows & half) !== 0) at += 2
  if ((follows & word) !== 0) at += operandSize ? 2 : 4
  if ((follows & near) !== 0) at += 4
  if ((follows & full) !== 0) at += (rex & 8) !== 0 ? 8 : operandSize ? 2 : 4
  if ((follows & offset) !== 0) at += addressSize ? 4 : 8
  if (at > code.length) return undefined
  return new Encoded(code, start, at, branch, memory, operands, opcodeAt, opcode, rex, fields)
}

/** `lea`, `push $number`, and `mov $number` to a register or memory. */
export const lea = 0x8d
export const pushNumber = 0x68
export const putNumber = 0xc7

/** True for `mov $number,%reg` with the register in the opcode. */
export function loadsNumber(opcode: number): boolean {
  return opcode >= 0xb8 && opcode <= 0xbf
}

/** True for the first byte of VEX or EVEX. */
export function isVector(opcode: number): boolean {
  return opcode === 0xc4 || opcode === 0xc5 || opcode === 0x62
}

/** The number of the stack pointer. */
export const stackPointer = 4
