// SPDX-License-Identifier: GPL-3.0-or-later
// Tells whether a compiled function is the code at some address of the running kernel (Ksplice's run-pre
// matching). The two are walked instruction by instruction: what the linker filled in must lead to the
// same names, the assembler may have chosen shorter jumps and other padding, and the places that the
// kernel itself rewrites (ftrace's hook, jump labels) may hold either form.
import type { Anatomy, Piece, Target } from '../diff/anatomy.ts'
import { decodeInstruction, type Instruction } from '../diff/instruction.ts'
import { isPcRelative, relocationSize, relocationType } from '../elf/format.ts'
import type { Relocation } from '../elf/read.ts'
import type { Running } from './running.ts'

/** What the linker wrote for one of the unit's relocations. */
export interface Fixed {
  readonly relocation: Relocation
  readonly target: Target
  /** Where it leads in the running kernel. */
  readonly destination: bigint
}

/**
 * @param address where the function may be
 * @returns what its relocations became, or undefined when the code at `address` is not this function
 */
export function compareWithRunning(
  running: Running,
  unit: Anatomy,
  piece: Piece,
  address: bigint,
): readonly Fixed[] | undefined {
  const begin = piece.symbol?.value ?? piece.start
  const length = piece.symbol?.size || piece.end - begin
  const ours = piece.section.data.subarray(begin, begin + length)
  // Padding and long jumps can only make the running function a little longer.
  const theirs = running.read(address, length + 64) ?? running.read(address, length)
  if (theirs === undefined || ours.length !== length) return undefined
  const relocations = new Map<number, Relocation>()
  for (const relocation of unit.relocations(piece))
    if (relocation.type !== relocationType.none) relocations.set(relocation.offset - begin, relocation)
  const labels = new Set<number>()
  for (const { table, relocations: list } of unit.tableEntries(piece)) {
    const first = list[0]
    if (table.name === '__jump_table' && first !== undefined)
      labels.add(first.symbol.value + first.addend - begin)
  }

  const fixed: Fixed[] = []
  /** Where each instruction of ours is in theirs; nops in front of it may be jumped to as well. */
  const places = new Map<number, { readonly from: number; readonly to: number }>()
  const jumps: { readonly ours: number; readonly theirs: number }[] = []
  const skipped: number[] = []
  let [at, there] = [0, 0]
  for (;;) {
    while (at < length && !labels.has(at) && paddingAt(ours, at) > 0) {
      skipped.push(at)
      at += paddingAt(ours, at)
    }
    if (at >= length) break
    const from = there
    if (!labels.has(at) && !isHook(unit, piece, relocations.get(at + 1)))
      while (paddingAt(theirs, there) > 0) there += paddingAt(theirs, there)
    for (const one of [...skipped.splice(0), at]) places.set(one, { from, to: there })
    const a = decodeInstruction(ours, at)
    const b = decodeInstruction(theirs, there)
    if (a === undefined || b === undefined) return undefined
    const relocation = relocationIn(relocations, a)
    if (labels.has(at) || (relocation !== undefined && isHook(unit, piece, relocation))) {
      if (!isPatchable(theirs, b)) return undefined
    } else if (a.branch >= 0) {
      if (b.branch < 0 || condition(ours, a) !== condition(theirs, b)) return undefined
      const lands = b.end + distance(theirs, b)
      if (relocation === undefined) jumps.push({ ours: a.end + distance(ours, a), theirs: lands })
      else {
        const one = {
          relocation,
          target: unit.target(piece.section, relocation),
          destination: BigInt.asUintN(64, address + BigInt(lands)),
        }
        if (one.target.kind === 'piece' && one.target.piece === piece)
          jumps.push({ ours: one.target.offset + piece.start - begin, theirs: lands })
        else if (!leadsThere(running, one)) return undefined
        fixed.push(one)
      }
    } else if (!sameInstruction(a, b)) return undefined
    at = a.end
    there = b.end
  }
  for (const one of [...skipped, length]) places.set(one, { from: there, to: there })
  for (const jump of jumps) {
    const place = places.get(jump.ours)
    if (place === undefined || jump.theirs < place.from || jump.theirs > place.to) return undefined
  }
  return fixed

  function sameInstruction(a: Instruction, b: Instruction): boolean {
    if (a.end - a.start !== b.end - b.start) return false
    let from = a.start
    for (;;) {
      let to = from
      while (to < a.end && !relocations.has(to)) to++
      const shifted = from - a.start + b.start
      if (!ours.subarray(from, to).equals(theirs!.subarray(shifted, shifted + to - from))) return false
      const relocation = relocations.get(to)
      if (to >= a.end || relocation === undefined) return true
      const size = relocationSize(relocation.type)
      if (size === 0 || to + size > a.end) return false
      const field = to - a.start + b.start
      const value =
        size === 8
          ? theirs!.readBigInt64LE(field)
          : relocation.type === relocationType.abs32
            ? BigInt(theirs!.readUInt32LE(field))
            : BigInt(theirs!.readInt32LE(field))
      const origin = isPcRelative(relocation.type) ? address + BigInt(b.end) : 0n
      const one = {
        relocation,
        target: unit.target(piece.section, relocation),
        destination: BigInt.asUintN(64, value + origin),
      }
      if (!leadsThere(running, one)) return false
      fixed.push(one)
      from = to + size
    }
  }
}

/** False when the names that are known say that the relocation leads elsewhere in the running kernel. */
function leadsThere(running: Running, { target, destination }: Fixed): boolean {
  if (target.kind === 'string') {
    const tail = target.text.subarray(Math.min(Math.max(target.offset - target.start, 0), target.text.length))
    return running.read(destination, tail.length)?.equals(tail) ?? true
  }
  const known =
    target.kind === 'external'
      ? running.addressesOf(target.name)
      : target.kind === 'piece' && target.piece.symbol !== undefined
        ? running.addressesOf(target.piece.name)
        : []
  if (known.length === 0) return true
  const offset = offsetFromSymbol(target)
  return known.some((address) => BigInt.asUintN(64, address + BigInt(offset)) === destination)
}

/** Bytes from the target's symbol to where the relocation leads. */
export function offsetFromSymbol(target: Target): number {
  if (target.kind === 'external') return target.offset
  if (target.kind !== 'piece') return 0
  return target.piece.start + target.offset - (target.piece.symbol?.value ?? target.piece.start)
}

function relocationIn(relocations: ReadonlyMap<number, Relocation>, instruction: Instruction) {
  return instruction.branch < 0 ? relocations.get(instruction.start + 1) : relocations.get(instruction.branch)
}

function isHook(unit: Anatomy, piece: Piece, relocation: Relocation | undefined): boolean {
  if (relocation === undefined || relocation.symbol.name !== '__fentry__') return false
  return unit.instructionAt(piece.section, relocation.offset)?.branch === relocation.offset
}

/** A call, a jump or a nop: what stands at ftrace's hook or at a jump label. */
function isPatchable(code: Buffer, instruction: Instruction): boolean {
  return instruction.branch >= 0 || paddingAt(code, instruction.start) > 0
}

/** Length of the nop at `at`; 0 when there is none. */
function paddingAt(code: Buffer, at: number): number {
  let opcode = at
  while (code[opcode] === 0x66 || code[opcode] === 0x2e) opcode++
  if (code[opcode] === 0x90) return opcode + 1 - at
  if (code[opcode] !== 0x0f || code[opcode + 1] !== 0x1f) return 0
  const nop = decodeInstruction(code, at)
  return nop === undefined ? 0 : nop.end - at
}

/** What a branch does, whatever the length of its distance. */
function condition(code: Buffer, { start, end, branch }: Instruction): number {
  const opcode = code[branch - 1] ?? 0
  if (end - branch === 4 && code[branch - 2] === 0x0f && branch - 2 >= start) return opcode & 0x0f
  if (opcode >= 0x70 && opcode <= 0x7f) return opcode & 0x0f
  return opcode === 0xeb ? 0xe9 : opcode
}

function distance(code: Buffer, { end, branch }: Instruction): number {
  return end - branch === 1 ? code.readInt8(branch) : code.readInt32LE(branch)
}
