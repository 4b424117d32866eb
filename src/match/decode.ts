// SPDX-License-Identifier: GPL-3.0-or-later
// Where instructions end, as a plain fact for rooms that know nothing of pieces and changes.
export { decodeInstruction, type Instruction } from '../diff/instruction.ts'
