// SPDX-License-Identifier: GPL-3.0-or-later
// Finds where x86-64 instructions end. A PC-relative field counts from the end of its instruction, and an immediate may
// stand in between, so without this nobody knows what the field means.
import { decode, type Instruction } from './encoding.ts'

export type { Instruction }

/**
 * @param code bytes of code
 * @param start where an instruction begins
 * @returns undefined when there is no instruction, or not all of it
 */
export const decodeInstruction: (code: Buffer, start: number) => Instruction | undefined = decode
