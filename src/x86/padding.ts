// SPDX-License-Identifier: GPL-3.0-or-later
// What does nothing between instructions: the nops of assemblers and of the kernel, and no others, since the kernel
// also marks places by nops of its own (a sealed landing pad is `nopl -42(%rax)`).
// Source: the kernel's arch/x86/include/asm/nops.h; gas writes the same ones, with further prefixes.

import { conditionOf, jump, placeOf } from './branch.ts'
import { decode, encoded } from './encoding.ts'
import type { Instruction } from './instruction.ts'

/** The byte that fills up most simply. */
export const nop = 0x90

/** Bytes behind `0f 1f`, by the byte that follows it. */
const tails: ReadonlyMap<number, number> = new Map([
  [0x00, 1],
  [0x40, 2],
  [0x44, 3],
  [0x80, 5],
  [0x84, 6],
])

/** Bytes of the nop at `at`; 0 when there is none. */
export function nopAt(code: Buffer, at: number): number {
  let opcode = at
  while (code[opcode] === 0x66) opcode++
  if (code[opcode] === 0x90) return opcode + 1 - at
  if (code[opcode] === 0x2e) opcode++
  if (code[opcode] !== 0x0f || code[opcode + 1] !== 0x1f) return 0
  const tail = tails.get(code[opcode + 2] ?? -1)
  if (tail === undefined) return 0
  const end = opcode + 2 + tail
  if (end > code.length) return 0
  for (let rest = opcode + 3; rest < end; rest++) if (code[rest] !== 0) return 0
  return end - at
}

/** The nop that the kernel and objtool put in the place of an instruction of so many bytes. */
const nopOf: ReadonlyMap<number, Buffer> = new Map([
  [2, Buffer.from([0x66, 0x90])],
  [3, Buffer.from([0x0f, 0x1f, 0x00])],
  [5, Buffer.from([0x0f, 0x1f, 0x44, 0x00, 0x00])],
])

/** True when one nop has taken the place of an instruction of `size` bytes: a call, or a jump. */
export function isNopOf(size: number, code: Buffer, at: number): boolean {
  return nopOf.get(size)?.equals(code.subarray(at, at + size)) === true
}

/** True for a nop of any form. */
export function isNop(instruction: Instruction): boolean {
  const { code, start, opcodeAt, opcode, rex } = encoded(instruction)
  if ((opcode !== 0x90 && opcode !== 0x0f1f) || rex !== 0) return false
  for (let at = start; at < opcodeAt; at++) if (code[at] !== 0x66 && code[at] !== 0x2e) return false
  return true
}

/** True for bytes of code with which the assembler only fills up: nops, traps, zeros, and a jump over all of them. */
export function isPadding(code: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    if (code[at] === 0 || code[at] === 0xcc) {
      at++
      continue
    }
    const instruction = decode(code, at)
    if (instruction === undefined || instruction.end > end) return false
    const isOver = () => conditionOf(instruction) === jump && placeOf(instruction) === end
    if (!isNop(instruction) && (at !== start || !isOver())) return false
    at = instruction.end
  }
  return true
}

/** The same in memory, where the kernel fills long gaps with a jump over breakpoints (since 6.7). */
export function gapAt(code: Buffer, at: number): number {
  const nop = nopAt(code, at)
  if (nop > 0 || code[at] !== 0xeb) return nop
  const skipped = code[at + 1] ?? 0
  if (skipped === 0 || skipped > 127 || at + 2 + skipped > code.length) return 0
  for (let rest = at + 2; rest < at + 2 + skipped; rest++) if (code[rest] !== 0xcc) return 0
  return 2 + skipped
}

/** True when the bytes from `from` to `to` do nothing; breakpoints count when nothing comes there. */
export function isFilled(code: Buffer, from: number, to: number, unreachable = false): boolean {
  for (let at = from; at < to; ) {
    const size = gapAt(code, at) || (unreachable && code[at] === 0xcc ? 1 : 0)
    if (size === 0 || at + size > to) return false
    at += size
  }
  return from <= to
}
