// SPDX-License-Identifier: GPL-3.0-or-later
// Why two functions made of the same source are not the same code: what the compiler did otherwise, in a class that
// a table can count and in one sentence that a person can check. Both are about effects that show in the code;
// which of the compiler's passes had them, the code does not say.
import type { Anatomy, Piece, Target } from '../diff/anatomy.ts'
import { isByContent } from '../diff/by-content.ts'
import { decodeInstruction, type Instruction } from '../diff/instruction.ts'
import { isColdPart, sourceName, stem } from '../diff/names.ts'
import { relocationSize } from '../elf/format.ts'

export type DifferenceClass =
  /** The function is not in one of the objects. */
  | 'missing'
  /** The compiler made a clone with other parameters of it. */
  | 'other-clone'
  /** The unit calls a part that the compiler split off a function with several callers; the extract has only some of them. */
  | 'other-split'
  /** The one calls what the other has taken in. */
  | 'other-inlining'
  /** Both call the same, but not equally often: a path was copied, or two were merged. */
  | 'other-calls'
  /** The same calls, but other data. */
  | 'other-reference'
  /** Entries of tables about the code differ, but not the code. */
  | 'other-tables'
  /** The same instructions in another order. */
  | 'other-order-of-blocks'
  /** The same operations with other registers, places on the stack or constants. */
  | 'other-registers'
  /** Other operations, and another size. */
  | 'other-size'
  | 'other-code'

export interface Difference {
  readonly class: DifferenceClass
  /** One sentence, without a full stop. */
  readonly message: string
}

/** What a function consists of, its cold part included. */
export interface Code {
  /** Bytes. */
  readonly size: number
  /** How often each name is referred to; functions by the compiler's names. */
  readonly references: ReadonlyMap<string, number>
  /** Names that are called, or jumped to, without the compiler's numbers. */
  readonly called: ReadonlySet<string>
  /** Each instruction that does not only jump inside the function, without addresses, in order. */
  readonly instructions: readonly string[]
  /** Of the same instructions, the operation only. */
  readonly operations: readonly string[]
}

/** Helpers that the compiler chooses by what it has in which register. */
const compilersOwn = /^__x86_(indirect|return)_thunk|^__fentry__$/

/** Takes a function apart. */
export function codeOf(unit: Anatomy, piece: Piece): Code {
  const parts = new Set<Piece>([piece])
  const references = new Map<string, number>()
  const called = new Set<string>()
  const instructions: string[] = []
  const operations: string[] = []
  let size = 0
  for (const part of parts) {
    const begin = part.symbol?.value ?? part.start
    size += part.end - begin
    const fields = new Map<number, number>()
    for (const relocation of unit.relocations(part)) {
      fields.set(relocation.offset, relocationSize(relocation.type))
      const target = unit.target(part.section, relocation)
      if (target.kind === 'piece' && isColdPart(target.piece.name)) parts.add(target.piece)
      else {
        const name = nameOf(target)
        if (name === undefined) continue
        references.set(name, (references.get(name) ?? 0) + 1)
        if (unit.instructionAt(part.section, relocation.offset)?.branch === relocation.offset)
          called.add(stem(name))
      }
    }
    for (let at = begin; at < part.end; ) {
      const instruction = decodeInstruction(part.section.data, at)
      if (instruction === undefined) break
      at = instruction.end
      const { branch } = instruction
      const jumpsInside = branch >= 0 && !fields.has(branch)
      if (jumpsInside || isPadding(part.section.data, instruction)) continue
      instructions.push(withoutAddresses(part.section.data, instruction, fields))
      operations.push(operationOf(part.section.data, instruction))
    }
  }
  return { size, references, called, instructions, operations }

  function nameOf(target: Target): string | undefined {
    if (target.kind === 'external') return compilersOwn.test(target.name) ? undefined : target.name
    if (target.kind !== 'piece' || parts.has(target.piece) || isByContent(target.piece)) return undefined
    return target.piece.name
  }
}

function isPadding(code: Buffer, { start, end }: Instruction): boolean {
  let at = start
  while (code[at] === 0x66 || code[at] === 0x2e) at++
  return (code[at] === 0x90 && at === end - 1) || (code[at] === 0x0f && code[at + 1] === 0x1f)
}

function withoutAddresses(
  code: Buffer,
  { start, end }: Instruction,
  fields: ReadonlyMap<number, number>,
): string {
  const bytes = Buffer.from(code.subarray(start, end))
  for (let at = start; at < end; at++) {
    const size = fields.get(at)
    if (size !== undefined) bytes.fill(0, at - start, at - start + size)
  }
  return bytes.toString('latin1')
}

/** Prefixes that do not name a register, and the opcode. */
function operationOf(code: Buffer, { start, end }: Instruction): string {
  let at = start
  while (
    at < end &&
    [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(code[at] ?? 0)
  )
    at++
  const prefixes = code.toString('latin1', start, at)
  if (((code[at] ?? 0) & 0xf0) === 0x40) at++
  let length = 1
  if (code[at] === 0x0f) length = code[at + 1] === 0x38 || code[at + 1] === 0x3a ? 3 : 2
  const opcode = Buffer.from(code.subarray(at, at + length))
  const last = opcode[length - 1] ?? 0
  // push, pop and mov $n name a register in the opcode; a store and a load of registers are the same move.
  if (length === 1 && ((last >= 0x50 && last < 0x60) || last >= 0xb0) && last < 0xc0) opcode[0] = last & 0xf8
  if (length === 1 && last === 0x8b) opcode[0] = 0x89
  return prefixes + opcode.toString('latin1')
}

/**
 * Classifies the difference of two functions that are known to differ.
 * @param one of the unit
 * @param other of the extract
 * @param reason what the comparison said, for where nothing better is found
 */
export function differenceOf(one: Code, other: Code, reason: string): Difference {
  const isCalled = (name: string) => one.called.has(stem(name)) || other.called.has(stem(name))
  const lost = namesOnlyIn(one.references, other.references)
  const gained = namesOnlyIn(other.references, one.references)
  const [called, calling] = [lost.filter(isCalled), gained.filter(isCalled)]
  if (called.length > 0 || calling.length > 0) {
    const clone = calling.find((name) => called.some((known) => sourceName(known) === sourceName(name)))
    if (clone !== undefined)
      return {
        class: 'other-clone',
        message: `It calls ${clone} where the unit has ${called.find((known) => sourceName(known) === sourceName(clone))}`,
      }
    const split = called.find((name) => /\.part(\.|$)/.test(name))
    if (split !== undefined)
      return {
        class: 'other-split',
        message: `The unit calls ${split}, which the compiler split off for several callers; here ${sourceName(split)} has fewer`,
      }
    return {
      class: 'other-inlining',
      message: [
        ...(calling.length > 0 ? [`It calls ${list(calling)}, which the unit has taken in or left out`] : []),
        ...(called.length > 0 ? [`it does not call ${list(called)} as the unit does`] : []),
      ].join('; '),
    }
  }
  if (lost.length > 0 || gained.length > 0)
    return {
      class: 'other-reference',
      message: [
        ...(gained.length > 0 ? [`It uses ${list(gained)}, of which the unit needs nothing there`] : []),
        ...(lost.length > 0 ? [`it does not use ${list(lost)} as the unit does`] : []),
      ].join('; '),
    }
  const sizes = `${other.size} bytes, in the unit ${one.size}`
  const counted = countsByStem(other.references)
  const often = [...countsByStem(one.references)].find(
    ([name, times]) => isCalled(name) && counted.get(name) !== times,
  )
  if (often !== undefined)
    return {
      class: 'other-calls',
      message: `It calls ${often[0]} in ${counted.get(often[0])} places, the unit in ${often[1]} (${sizes})`,
    }
  if (/entry in|table entries/.test(reason)) return { class: 'other-tables', message: capital(reason) }
  if (isSameBag(one.instructions, other.instructions)) {
    const moved = one.instructions.some((instruction, index) => instruction !== other.instructions[index])
    return moved
      ? {
          class: 'other-order-of-blocks',
          message: `It has the same instructions in another order (${sizes})`,
        }
      : { class: 'other-reference', message: capital(reason) }
  }
  if (isSameBag(one.operations, other.operations))
    return { class: 'other-registers', message: `It has the same operations on other registers (${sizes})` }
  return one.size === other.size
    ? { class: 'other-code', message: capital(reason) }
    : { class: 'other-size', message: `It has ${sizes}` }
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

function list(names: readonly string[]): string {
  return names.length < 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
}

function countsByStem(references: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const [name, times] of references) counts.set(stem(name), (counts.get(stem(name)) ?? 0) + times)
  return counts
}

/** Names without the compiler's numbers that only the first of two has. */
function namesOnlyIn(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): string[] {
  const known = new Set([...other.keys()].map(stem))
  return [...one.keys()].filter((name) => !known.has(stem(name))).sort()
}

function isSameBag(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false
  const sorted = [...other].sort()
  return [...one].sort().every((item, index) => item === sorted[index])
}
