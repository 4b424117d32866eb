// SPDX-License-Identifier: GPL-3.0-or-later
// Which constant a direct call gets, where that can be told without knowing anything of the code but its instructions.
import { controlOf, placeOf } from './branch.ts'
import { decodeInstruction, type Instruction } from './instruction.ts'
import { RegisterValues } from './register-values.ts'

/**
 * @param start where the function begins and ends in `code`
 * @param field where the 4 bytes of the call's (or the last jump's) distance are
 * @param argument which of the first four, from 0
 * @returns undefined when it is none, or not the same on every way to the call
 */
export function constantArgument(
  code: Buffer,
  start: number,
  end: number,
  field: number,
  argument: number,
): number | undefined {
  const instructions: Instruction[] = []
  /** Places to which control comes from more than the instruction before. */
  const joints = new Set<number>()
  for (let at = start; at < end; ) {
    const instruction = decodeInstruction(code, at)
    if (instruction === undefined) return undefined
    instructions.push(instruction)
    const control = controlOf(instruction)
    if (control === 'indirect-jump') return undefined
    if (control === 'branch' || control === 'jump') joints.add(placeOf(instruction))
    at = instruction.end
  }
  let registers = new RegisterValues()
  for (const instruction of instructions) {
    // What was known before may differ on the other way.
    if (joints.has(instruction.start)) registers = new RegisterValues()
    if (instruction.branch === field) {
      const value = registers.passed()[argument]
      return value !== undefined && 'constant' in value ? value.constant : undefined
    }
    if (controlOf(instruction) === 'call') registers.call()
    else if (instruction.branch < 0) registers.step(instruction, start)
  }
  return undefined
}
