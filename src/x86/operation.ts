// SPDX-License-Identifier: GPL-3.0-or-later
// What an instruction does, apart from the registers that the compiler happened to choose: to compare code with code.
// Encodings: Intel SDM volume 2, appendix A; groups are those of A.4.
import { call, conditionOf, isConditional } from './branch.ts'
import { type Encoded, encoded, isVector, stackPointer } from './encoding.ts'
import type { Instruction } from './instruction.ts'
import { isNop } from './padding.ts'

/** Opcodes that leave it to ModRM what they do: add or sub, shl or shr. */
const groups = new Set([
  ...[0x80, 0x81, 0x82, 0x83, 0x8f, 0xc0, 0xc1, 0xc6, 0xc7, 0xd0, 0xd1, 0xd2, 0xd3, 0xf6, 0xf7, 0xfe, 0xff],
  ...[0x0f00, 0x0f01, 0x0f18, 0x0f71, 0x0f72, 0x0f73, 0x0fae, 0x0fba, 0x0fc7],
])

/** The group of an operation as text; empty where the opcode says it all. */
function groupText(one: Encoded): string {
  return groups.has(one.opcode) ? `/${one.group}` : ''
}

/** Prefixes that do not name a register, and the operation. */
export function operationOf(instruction: Instruction): string {
  const one = encoded(instruction)
  const { code, start, opcode } = one
  const prefixes = code.toString('hex', start, start + one.legacyPrefixes)
  // push, pop and mov $n name a register in the opcode; from one register to another, both ways of a move are the same.
  const namesRegister = opcode >> 4 === 5 || opcode >> 4 === 0xb
  const isMove = opcode === 0x8b && one.isDirect
  const name = namesRegister ? opcode & 0xf8 : isMove ? 0x89 : opcode
  return `${prefixes}:${name.toString(16)}${groupText(one)}`
}

/** Bytes of code of which nothing is said: where they begin, and behind the last. */
export interface Hidden {
  readonly start: number
  readonly end: number
}

/** Bytes as text, with `__` for those that are hidden. */
export function bytesOf(code: Buffer, start: number, end: number, hidden: readonly Hidden[]): string {
  let text = ''
  for (let at = start; at < end; at++)
    text += hidden.some((field) => at >= field.start && at < field.end)
      ? '__'
      : (code[at] ?? 0).toString(16).padStart(2, '0')
  return text
}

/**
 * Opcodes of one byte that hold a register in their last three bits: push and pop, exchange, and what loads a number.
 */
function holdsRegister(opcode: number): boolean {
  return (opcode >= 0x50 && opcode <= 0x5f) || (opcode >= 0x90 && opcode <= 0x97) || opcode >> 4 === 0xb
}

/**
 * Prefixes, opcode and operands without registers, conditions, distances, and places on the stack; a vector instruction
 * is left as it is.
 */
export function looseText(instruction: Instruction, hidden: readonly Hidden[]): string {
  const one = encoded(instruction)
  const { code, start, end, opcodeAt, opcode, rex, operands, branch } = one
  if (isVector(opcode)) return bytesOf(code, start, end, hidden)
  // A condition may be turned round when blocks change places.
  if (branch >= 0) {
    const condition = conditionOf(instruction)
    return isConditional(condition) ? 'jcc' : condition === call ? 'call' : 'jmp'
  }
  const prefixes = code.toString('hex', start, start + one.legacyPrefixes) + ((rex & 8) === 0 ? '' : 'w')
  if (holdsRegister(opcode)) return `${prefixes}${opcode & 0xf8}:${bytesOf(code, opcodeAt + 1, end, hidden)}`
  const name = `${prefixes}${opcode}`
  if (one.modrm < 0) return `${name}:${bytesOf(code, operands, end, hidden)}`
  const isMemory = !one.isDirect
  // Where something lies on the stack may change with everything else.
  const onStack = isMemory && one.base === stackPointer
  const form = `${groupText(one)}${isMemory ? 'm' : 'r'}`
  return `${name}${form}:${onStack ? 'stack' : bytesOf(code, operands, end, hidden)}`
}

/** The numbers of an instruction: no address, no place on the stack, no size of the stack. */
export function numbersOf(instruction: Instruction, isAddress: (field: number) => boolean): (number | bigint)[] {
  const one = encoded(instruction)
  const { code, opcode, modrm, operands, end, branch, memory } = one
  if (operands >= end || branch >= 0) return []
  const mode = modrm < 0 ? 3 : modrm >> 6
  const isStack = one.base === stackPointer
  if (isStack && mode === 3 && (opcode === 0x81 || opcode === 0x83)) return []
  const width = mode === 1 ? 1 : mode === 2 || one.isWithoutBase ? 4 : 0
  const found: (number | bigint)[] = []
  const put = (from: number, to: number) => {
    const length = to - from
    if (length <= 0 || isAddress(from)) return
    found.push(length > 6 ? code.readBigInt64LE(from) : code.readIntLE(from, length))
  }
  // Without a displacement, some registers have one of 0.
  if (!isStack && memory < 0 && !(width === 1 && code[operands] === 0)) put(operands, operands + width)
  put(operands + width, end)
  return found
}

/** What an instruction is there for. */
export type OperationKind =
  /** A number or a register is written to memory. */
  | 'store'
  | 'vector-store'
  /** A value in memory is looked at. */
  | 'compare'
  /** A register goes to another one. */
  | 'copy'
  /** It saves registers, gives them back, returns, or fills up. */
  | 'frame'
  | 'other'

const stores = new Set([0x88, 0x89, 0xc6, 0xc7])
const vectorStores = new Set([0x0f11, 0x0f13, 0x0f29, 0x0f7f, 0x0fd6])
const compares = new Set([0x38, 0x39, 0x3a, 0x3b, 0x84, 0x85])

export function operationKind(instruction: Instruction): OperationKind {
  const one = encoded(instruction)
  const { code, start, opcode, modrm } = one
  if (isFrame(one)) return 'frame'
  if (modrm < 0) return 'other'
  const prefixes = one.legacyPrefixes
  if (one.isDirect) return prefixes === 0 && (opcode === 0x89 || opcode === 0x8b) ? 'copy' : 'other'
  if (vectorStores.has(opcode)) return 'vector-store'
  if (prefixes > 1 || (prefixes === 1 && code[start] !== 0x66)) return 'other'
  if (stores.has(opcode)) return 'store'
  const group = one.group
  const isCompare =
    compares.has(opcode) ||
    ((opcode === 0x80 || opcode === 0x81 || opcode === 0x83) && group === 7) ||
    ((opcode === 0xf6 || opcode === 0xf7) && group === 0)
  return isCompare ? 'compare' : 'other'
}

function isFrame(one: Encoded): boolean {
  const { opcode, modrm, rex } = one
  if (opcode === 0x90 || opcode === 0x0f1f) return isNop(one)
  if (one.legacyPrefixes > 0) return false
  if (opcode >> 4 === 5) return rex <= 0x41
  // add and sub of a number and the stack pointer
  if (opcode === 0x81 || opcode === 0x83) return rex === 0x48 && (modrm === 0xc4 || modrm === 0xec)
  return rex === 0 && (opcode === 0xc3 || opcode === 0xc9)
}
