// SPDX-License-Identifier: GPL-3.0-or-later
// Why two functions made of the same source are not the same code: what the compiler did otherwise, in a class that
// a table can count and in one sentence that a person can check. Both are about effects that show in the code;
// which of the compiler's passes had them, the code does not say.

import { isByContent } from '../../diff/object/by-content.ts'
import { isColdPart, sourceName, stem } from '../../diff/object/compiler-names.ts'
import type { Atom, SplitObject, Target } from '../../diff/object/split-object.ts'
import { relocationSize } from '../../elf/format.ts'
import { conditionOf, isConditional } from '../../x86/branch.ts'
import { decodeInstruction, type Instruction } from '../../x86/instruction.ts'
import { numbersOf, operationOf } from '../../x86/operation.ts'
import { isNop } from '../../x86/padding.ts'
import { isCompilersCall } from '../../x86/thunks.ts'

export type DifferenceClass =
  /** The unit has no code of the function: it was inlined, or is not called. */
  | 'missing'
  /** The unit has code of it, and the extract has none. */
  | 'left-out'
  /** The compiler made a clone with other parameters of it. */
  | 'other-clone'
  /**
   * The unit calls a part that the compiler split off a function with several callers; the extract has only some of
   * them.
   */
  | 'other-split'
  /** The one calls what the other has inlined. */
  | 'other-inlining'
  /** Both call the same, but not equally often: a path was copied, or two were merged. */
  | 'other-calls'
  /** The same calls, but other data. */
  | 'other-reference'
  /** Entries of tables about the code differ, but not the code. */
  | 'other-tables'
  /** The same instructions in another order. */
  | 'other-order-of-blocks'
  /** The same operations with other registers or places on the stack. */
  | 'other-registers'
  /** The same operations with other numbers: the text says something else. */
  | 'other-constants'
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
  /** Of those with a number that is no address and no place on the stack, the operation and the numbers. */
  readonly constants: readonly string[]
  /** What each jump inside the function asks for. */
  readonly conditions: readonly number[]
}

/** Takes a function apart. */
export function codeOf(unit: SplitObject, atom: Atom): Code {
  const parts = new Set<Atom>([atom])
  const references = new Map<string, number>()
  const called = new Set<string>()
  const instructions: string[] = []
  const operations: string[] = []
  const constants: string[] = []
  const conditions: number[] = []
  let size = 0
  for (const part of parts) {
    const begin = part.symbol?.value ?? part.start
    size += part.end - begin
    const fields = new Map<number, number>()
    for (const relocation of unit.relocations(part)) {
      fields.set(relocation.offset, relocationSize(relocation.type))
      const target = unit.target(part.section, relocation)
      if (target.kind === 'atom' && isColdPart(target.atom.name)) parts.add(target.atom)
      else {
        const name = nameOf(target)
        if (name === undefined) continue
        references.set(name, (references.get(name) ?? 0) + 1)
        if (unit.instructionAt(part.section, relocation.offset)?.branch === relocation.offset) called.add(stem(name))
      }
    }
    for (let at = begin; at < part.end; ) {
      const instruction = decodeInstruction(part.section.data, at)
      if (instruction === undefined) break
      at = instruction.end
      const { branch } = instruction
      const jumpsInside = branch >= 0 && !fields.has(branch)
      const condition = conditionOf(instruction)
      if (jumpsInside && isConditional(condition)) conditions.push(condition)
      if (jumpsInside || isNop(instruction)) continue
      instructions.push(withoutAddresses(part.section.data, instruction, fields))
      const operation = operationOf(instruction)
      operations.push(operation)
      const numbers = numbersOf(instruction, (field) => fields.has(field))
      if (numbers.length > 0) constants.push(`${operation} ${numbers.join(' ')}`)
    }
  }
  return { size, references, called, instructions, operations, constants, conditions }

  function nameOf(target: Target): string | undefined {
    if (target.kind === 'external') return isCompilersCall(target.name) ? undefined : target.name
    if (target.kind !== 'atom' || parts.has(target.atom) || isByContent(target.atom)) return undefined
    return target.atom.name
  }
}

function withoutAddresses(code: Buffer, { start, end }: Instruction, fields: ReadonlyMap<number, number>): string {
  const bytes = Buffer.from(code.subarray(start, end))
  for (let at = start; at < end; at++) {
    const size = fields.get(at)
    if (size !== undefined) bytes.fill(0, at - start, at - start + size)
  }
  return bytes.toString('latin1')
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
        message:
          `It calls ${clone} where the unit has ` +
          `${called.find((known) => sourceName(known) === sourceName(clone))}`,
      }
    const split = called.find((name) => /\.part(\.|$)/.test(name))
    if (split !== undefined)
      return {
        class: 'other-split',
        message:
          `The unit calls ${split}, which the compiler split off for several callers; here ` +
          `${sourceName(split)} has fewer`,
      }
    return {
      class: 'other-inlining',
      message: [
        ...(calling.length > 0 ? [`It calls ${list(calling)}, which the unit has inlined or left out`] : []),
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
  const often = [...countsByStem(one.references)].find(([name, times]) => isCalled(name) && counted.get(name) !== times)
  if (often !== undefined)
    return {
      class: 'other-calls',
      message: `It calls ${often[0]} in ${counted.get(often[0])} places, the unit in ${often[1]} (${sizes})`,
    }
  if (/entry in|table entries/.test(reason)) return { class: 'other-tables', message: capital(reason) }
  if (isSameBag(one.instructions, other.instructions)) {
    const moved = one.instructions.some((instruction, index) => instruction !== other.instructions[index])
    // A jump may ask for the opposite and go the other way.
    const pairs = ({ conditions }: Code) => conditions.map((condition) => `${condition >> 1}`)
    if (!isSameBag(pairs(one), pairs(other)))
      return { class: 'other-code', message: 'Its jumps ask for something else than in the unit' }
    return moved
      ? {
          class: 'other-order-of-blocks',
          message: `It has the same instructions in another order (${sizes})`,
        }
      : { class: 'other-reference', message: capital(reason) }
  }
  const [here, there] = [without(other.constants, one.constants), without(one.constants, other.constants)]
  if (isSameBag(one.operations, other.operations) && here.length + there.length > 0)
    return {
      class: 'other-constants',
      message: `It has ${numbers(here)} where the unit has ${numbers(there)} (${sizes})`,
    }
  const isAlike = isSameBag(one.conditions.map(String), other.conditions.map(String))
  if (isSameBag(one.operations, other.operations) && isAlike)
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

/** The items of a list that another one does not have, or not as often. */
function without(list: readonly string[], other: readonly string[]): string[] {
  const left = new Map<string, number>()
  for (const item of other) left.set(item, (left.get(item) ?? 0) + 1)
  return list.filter((item) => {
    const count = left.get(item) ?? 0
    left.set(item, count - 1)
    return count <= 0
  })
}

/** The numbers of instructions, as a list. */
function numbers(constants: readonly string[]): string {
  const all = [...new Set(constants.flatMap((one) => /(?: -?\d+)+$/.exec(one)?.[0].trim().split(' ') ?? []))]
  return all.length === 0 ? 'no number' : list(all)
}

function isSameBag(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false
  const sorted = [...other].sort()
  return [...one].sort().every((item, index) => item === sorted[index])
}
