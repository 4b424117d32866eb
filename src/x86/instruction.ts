// SPDX-License-Identifier: GPL-3.0-or-later
// Finds where x86-64 instructions end. A PC-relative field counts from the end of its instruction, and an
// immediate may stand in between, so without this nobody knows what the field means.
// Source: Intel SDM volume 2, chapter 2 (Instruction Format) and appendix A (Opcode Map).

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
export const legacyPrefix = new Uint8Array(256)
for (const prefix of [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3])
  legacyPrefix[prefix] = 1

/**
 * @param code bytes of code
 * @param start where an instruction begins
 * @returns undefined when there is no instruction, or not all of it
 */
export function decodeInstruction(code: Buffer, start: number): Instruction | undefined {
  let at = start
  let operandSize = false
  let addressSize = false
  for (; legacyPrefix[code[at] ?? 0] === 1; at++) {
    if (code[at] === 0x66) operandSize = true
    if (code[at] === 0x67) addressSize = true
  }
  let wide = false
  if (((code[at] ?? 0) & 0xf0) === 0x40) {
    wide = ((code[at] ?? 0) & 8) !== 0
    at++
  }
  let opcode = code[at++] ?? -1
  let follows: number
  if (opcode === 0x0f) {
    opcode = code[at++] ?? -1
    if (opcode === 0x38 || opcode === 0x3a) {
      follows = opcode === 0x38 ? modrm : modrm | byte
      at++
    } else follows = twoBytes[opcode] ?? invalid
  } else if (opcode === 0xc4 || opcode === 0xc5 || opcode === 0x62) {
    // VEX and EVEX: the payload names the opcode map.
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
  let operands = at
  if ((follows & modrm) !== 0) {
    const value = code[at++] ?? 0
    const mode = value >> 6
    if (mode !== 3) {
      let base = value & 7
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
  if ((follows & full) !== 0) at += wide ? 8 : operandSize ? 2 : 4
  if ((follows & offset) !== 0) at += addressSize ? 4 : 8
  return at > code.length ? undefined : { start, end: at, branch, memory, operands }
}

/**
 * Opcodes with an immediate of 4 bytes at their end: push, arithmetic with the accumulator, `81`, `c7`, imul, mov to a
 * register.
 */
const withImmediate = new Set([0x68, 0x05, 0x0d, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x81, 0xc7, 0x69, 0xa9])

/**
 * What an instruction does with the address in one of its fields: it reads or writes exactly there, it takes the
 * address, or goes from there by a register.
 */
export function useOf(
  code: Buffer,
  { start, end, memory, operands }: Instruction,
  field: number,
): 'access' | 'address' | 'walk' {
  let at = start
  while (legacyPrefix[code[at] ?? 0] === 1 || ((code[at] ?? 0) & 0xf0) === 0x40) at++
  const opcode = code[at] ?? 0
  if (opcode === 0x8d) return 'address'
  const intoRegister = opcode >= 0xb8 && opcode <= 0xbf
  if (intoRegister || (withImmediate.has(opcode) && field === end - 4)) return 'address'
  if (field === memory) return 'access'
  // [disp32] without base and index has a SIB byte of its own.
  return field === operands && code[operands - 1] === 0x25 && ((code[operands - 2] ?? 0) & 0xc7) === 4
    ? 'access'
    : 'walk'
}

/**
 * The registers of the first six arguments, as instructions number them: rdi, rsi, rdx, rcx, r8, r9 (System V ABI for
 * x86-64).
 */
export const argumentRegisters: readonly number[] = [7, 6, 2, 1, 8, 9]

/**
 * The register that an instruction sets to a constant or to an address: `mov $imm,%reg` or `lea disp(%rip),%reg`.
 * Encodings: Intel SDM volume 2, MOV and LEA.
 */
export function loadedRegister(code: Buffer, { start }: Instruction): number | undefined {
  const [rex = 0, opcode = 0, modrm = 0] = code.subarray(start, start + 3)
  if ((rex & 0xf8) !== 0x48) return undefined
  if (opcode === 0xc7 && (modrm & 0xf8) === 0xc0) return (modrm & 7) + ((rex & 1) << 3)
  if (opcode === 0x8d && (modrm & 0xc7) === 0x05) return ((modrm >> 3) & 7) + ((rex & 4) << 1)
  return undefined
}

/** What an instruction that is no direct call means to who follows the registers of a function from one to the next. */
export type InstructionKind =
  /** A call whose target is in a register or in memory. */
  | { readonly kind: 'indirect-call' }
  /** Behind it stands code that is reached otherwise. */
  | { readonly kind: 'leaves' }
  | { readonly kind: 'sets'; readonly register: number }
  | { readonly kind: 'other' }

/** Encodings: Intel SDM volume 2, CALL, JMP, RET, MOV, XOR. */
export function kindOf(code: Buffer, { start }: Instruction): InstructionKind {
  let at = start
  while (legacyPrefix[code[at] ?? 0] === 1) at++
  const rex = ((code[at] ?? 0) & 0xf0) === 0x40 ? code[at++]! : 0
  const [opcode = 0, modrm = 0] = code.subarray(at, at + 2)
  const [field, other] = [((modrm >> 3) & 7) + ((rex & 4) << 1), (modrm & 7) + ((rex & 1) << 3)]
  if (opcode === 0xff && (modrm & 0x38) === 0x10) return { kind: 'indirect-call' }
  if (opcode === 0xff && (modrm & 0x38) === 0x20) return { kind: 'leaves' }
  if (opcode === 0xe9 || opcode === 0xeb || opcode === 0xc3 || opcode === 0xcc) return { kind: 'leaves' }
  if (opcode === 0x8b || opcode === 0x8d) return { kind: 'sets', register: field }
  if ((opcode === 0x89 || opcode === 0x31 || opcode === 0xc7) && modrm >= 0xc0)
    return { kind: 'sets', register: other }
  if (opcode >= 0x58 && opcode <= 0x5f) return { kind: 'sets', register: opcode - 0x58 + ((rex & 1) << 3) }
  if (opcode >= 0xb8 && opcode <= 0xbf) return { kind: 'sets', register: opcode - 0xb8 + ((rex & 1) << 3) }
  return { kind: 'other' }
}

/** True for bytes of code with which the assembler only fills up: nops, traps, zeros, and a jump over all of them. */
export function isPadding(code: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    if (code[at] === 0 || code[at] === 0xcc) {
      at++
      continue
    }
    const instruction = decodeInstruction(code, at)
    if (instruction === undefined || instruction.end > end) return false
    let opcode = at
    while (code[opcode] === 0x66 || code[opcode] === 0x2e) opcode++
    const isNop = code[opcode] === 0x90 || (code[opcode] === 0x0f && code[opcode + 1] === 0x1f)
    if (!isNop && (at !== start || leadsTo(code, instruction) !== end)) return false
    at = instruction.end
  }
  return true
}

/** Where a direct jump leads; -1 for any other instruction. */
function leadsTo(code: Buffer, { start, end, branch }: Instruction): number {
  if (code[start] === 0xeb) return end + code.readInt8(branch)
  return code[start] === 0xe9 ? end + code.readInt32LE(branch) : -1
}
