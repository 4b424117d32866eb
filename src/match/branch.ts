// SPDX-License-Identifier: GPL-3.0-or-later
// Direct calls and jumps, and what the kernel makes of some of them in memory.
// Sources: the kernel's arch/x86/kernel/{alternative,static_call,callthunks}.c of 6.1 and 6.12.
import type { Instruction } from '../x86/instruction.ts'
import { isFilled } from '../x86/padding.ts'
import type { Running } from './running.ts'

/** What a branch does, whatever the length of its distance: 0 to 15 for a condition, else the opcode. */
export function conditionOf(code: Buffer, { start, end, branch }: Instruction): number {
  const opcode = code[branch - 1] ?? 0
  if (end - branch === 4 && code[branch - 2] === 0x0f && branch - 2 >= start) return opcode & 0x0f
  if (opcode >= 0x70 && opcode <= 0x7f) return opcode & 0x0f
  return opcode === 0xeb ? 0xe9 : opcode
}

export const call = 0xe8
export const jump = 0xe9

export function distanceOf(code: Buffer, { end, branch }: Instruction): number {
  return end - branch === 1 ? code.readInt8(branch) : code.readInt32LE(branch)
}

const registers = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'].concat(
  Array.from({ length: 8 }, (_, index) => `r${index + 8}`),
)

/** The functions through which the kernel lets functions return, for one processor's fault or another's. */
const returnThunks = [
  '__x86_return_thunk',
  'srso_return_thunk',
  'srso_alias_return_thunk',
  'retbleed_return_thunk',
  'call_depth_return_thunk',
  'its_return_thunk',
  '__x86_return_skl',
  'zen_return_thunk',
]

/** Bytes in front of a function to which calls are turned where their depth is tracked. */
const callPadding = 16n

export interface Branch {
  /** The symbol to which it leads in the expectation. */
  readonly symbol: string
  /** From `conditionOf`. */
  readonly condition: number
  /** Bytes of the instruction. */
  readonly size: number
}

/**
 * True when the kernel may have put what stands at `there` in the place of a branch.
 * @param code bytes from `base` on
 */
export function mayReplace(
  running: Running,
  { symbol, condition, size }: Branch,
  code: Buffer,
  there: number,
  base: bigint,
): boolean {
  const opcodeAt = condition < 16 ? there + 1 : there
  const leads = () => BigInt.asUintN(64, base + BigInt(opcodeAt + 5) + BigInt(code.readInt32LE(opcodeAt + 1)))
  const isBranch =
    opcodeAt + 5 <= code.length &&
    (condition < 16 ? code[there] === 0x0f && code[opcodeAt] === 0x80 + condition : code[there] === condition)
  const isReturn = code[there] === 0xc3 && isFilled(code, there + 1, there + size, true)
  const isReturnThunk = () =>
    isBranch && returnThunks.some((name) => running.addressesOf(name).includes(leads()))

  if (symbol === '__x86_return_thunk') return isReturn || isReturnThunk()
  const register = /^__x86_indirect_thunk_(\w+)$/.exec(symbol)?.[1]
  if (register !== undefined)
    return isIndirect(running, register, { symbol, condition, size }, code, there, base)
  if (symbol.startsWith('__SCT__')) {
    if (isBranch) return true
    if (condition === jump) return isReturn
    const five = code.subarray(there, there + 5).toString('hex')
    return condition === call && (five === '0f1f440000' || five === '2e2e2e31c0')
  }
  if (condition !== call || !isBranch) return false
  const destination = leads()
  return running
    .addressesOf(symbol)
    .some((address) => destination < address && destination >= address - callPadding)
}

/** A retpoline: the branch itself through the register, or to another thunk for it. */
function isIndirect(
  running: Running,
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
  const same =
    condition < 16
      ? code[there] === 0x0f && code[there + 1] === 0x80 + condition && size === 6
      : code[there + prefix] === condition && size === 5 + prefix
  if (same) {
    const destination = BigInt.asUintN(64, base + BigInt(end) + BigInt(code.readInt32LE(distanceAt)))
    const thunks = ['call', 'jump', 'its'].map((kind) => `__x86_indirect_${kind}_thunk_${register}`)
    if (thunks.some((name) => running.addressesOf(name).includes(destination))) return true
    const bytes = running.read(destination, 3)
    return bytes !== undefined && through(0, bytes, 0xe0) > 0
  }
  let at = there
  let operation = condition === call ? 0xd0 : 0xe0
  if (condition < 16) {
    if (code[at] !== 0x70 + (condition ^ 1) || code[at + 1] !== size - 2) return false
    at += 2
    operation = 0xe0
  }
  if (code.subarray(at, at + 3).toString('hex') === '0faee8') at += 3
  const behind = through(at, code, operation)
  return behind > 0 && isFilled(code, behind, end, operation === 0xe0)
}
