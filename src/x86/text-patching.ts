// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel writes over its own code: in the place of branches, of paravirtual calls and of LOCK.
// Sources: the kernel's arch/x86/kernel/{alternative,static_call,callthunks}.c of 6.1 and 6.12.
import { type Condition, call, conditionOf, isConditional, jump } from './branch.ts'
import type { Instruction } from './instruction.ts'
import { isFilled, isNopOf } from './padding.ts'
import { otherThunks, returnThunk, returnThunks, thunkRegister } from './thunks.ts'

/** Code in memory, and where it has what by name. */
export interface NamedMemory {
  read(address: bigint, length: number): Buffer | undefined
  addressesOf(name: string): readonly bigint[]
}

/** The prefix that the kernel writes over LOCK when there is one processor only. */
export const insteadOfLock = 0x3e

/** True where a call of 5 bytes, or nothing, stands in the place of `size` bytes. */
export function isCallOrNothing(code: Buffer, at: number, size: number): boolean {
  if (code[at] === call && isFilled(code, at + 5, at + size)) return true
  return isFilled(code, at, at + size)
}

const registers = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'].concat(
  Array.from({ length: 8 }, (_, index) => `r${index + 8}`),
)

/** Bytes in front of a function to which calls are turned where their depth is tracked. */
const callPadding = 16n

interface Branch {
  readonly condition: Condition
  /** Bytes of the instruction. */
  readonly size: number
}

/**
 * True when the kernel may have put what stands at `there` in the place of a direct branch.
 * @param symbol to which the branch leads as it was compiled
 * @param code bytes from `base` on
 */
export function mayReplace(
  memory: NamedMemory,
  instruction: Instruction,
  symbol: string,
  code: Buffer,
  there: number,
  base: bigint,
): boolean {
  const condition = conditionOf(instruction)
  const size = instruction.end - instruction.start
  const opcodeAt = isConditional(condition) ? there + 1 : there
  const leads = () => BigInt.asUintN(64, base + BigInt(opcodeAt + 5) + BigInt(code.readInt32LE(opcodeAt + 1)))
  const isBranch =
    opcodeAt + 5 <= code.length &&
    (isConditional(condition) ? code[there] === 0x0f && code[opcodeAt] === 0x80 + condition : code[there] === condition)
  const isReturn = code[there] === 0xc3 && isFilled(code, there + 1, there + size, true)
  const isReturnThunk = () => isBranch && returnThunks.some((name) => memory.addressesOf(name).includes(leads()))

  if (symbol === returnThunk) return isReturn || isReturnThunk()
  const register = thunkRegister(symbol)
  if (register !== undefined) return isIndirect(memory, register, { condition, size }, code, there, base)
  if (symbol.startsWith('__SCT__')) {
    if (isBranch) return true
    if (condition === jump) return isReturn
    return condition === call && (isNopOf(5, code, there) || isZeroing(code, there) || isWarning(symbol, code, there))
  }
  if (condition !== call || !isBranch) return false
  const destination = leads()
  return memory.addressesOf(symbol).some((address) => destination < address && destination >= address - callPadding)
}

/** `xor %eax,%eax` with prefixes: a static call of what returns 0. */
function isZeroing(code: Buffer, at: number): boolean {
  return code.subarray(at, at + 5).equals(Buffer.from([0x2e, 0x2e, 0x2e, 0x31, 0xc0]))
}

/** `ud1 (%edx),%rdi`: what a call of `__WARN_trap` becomes (Linux 7.2). */
function isWarning(symbol: string, code: Buffer, at: number): boolean {
  return symbol === '__SCT__WARN_trap' && code.subarray(at, at + 5).equals(Buffer.from([0x67, 0x48, 0x0f, 0xb9, 0x3a]))
}

/** A retpoline: the branch itself through the register, or to another thunk for it. */
function isIndirect(
  memory: NamedMemory,
  register: string,
  { condition, size }: Branch,
  code: Buffer,
  there: number,
  base: bigint,
): boolean {
  const number = registers.indexOf(register)
  const end = there + size
  if (number < 0 || end > code.length) return false
  const through = (at: number, bytes: Buffer, operation: number): number => {
    const opcode = number >= 8 ? at + 1 : at
    if (number >= 8 && bytes[at] !== 0x41) return 0
    return bytes[opcode] === 0xff && bytes[opcode + 1] === operation + (number & 7) ? opcode + 2 : 0
  }
  // A branch of the same kind, with a prefix where ours has one.
  const prefix = code[there] === 0x2e ? 1 : 0
  const distanceAt = end - 4
  const same = isConditional(condition)
    ? code[there] === 0x0f && code[there + 1] === 0x80 + condition && size === 6
    : code[there + prefix] === condition && size === 5 + prefix
  if (same) {
    const destination = BigInt.asUintN(64, base + BigInt(end) + BigInt(code.readInt32LE(distanceAt)))
    if (otherThunks(register).some((name) => memory.addressesOf(name).includes(destination))) return true
    const bytes = memory.read(destination, 3)
    return bytes !== undefined && through(0, bytes, 0xe0) > 0
  }
  let at = there
  let operation = condition === call ? 0xd0 : 0xe0
  if (isConditional(condition)) {
    if (code[at] !== 0x70 + (condition ^ 1) || code[at + 1] !== size - 2) return false
    at += 2
    operation = 0xe0
  }
  // LFENCE
  if (code.subarray(at, at + 3).equals(Buffer.from([0x0f, 0xae, 0xe8]))) at += 3
  const behind = through(at, code, operation)
  return behind > 0 && isFilled(code, behind, end, operation === 0xe0)
}
