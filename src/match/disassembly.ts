// SPDX-License-Identifier: GPL-3.0-or-later
// Pieces of machine code as text, by one run of objdump.
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { command } from '../ground/command.ts'
import { Fault } from '../ground/fault.ts'
import type { Job } from '../ground/job.ts'
import { withScratch } from '../ground/scratch.ts'
import { movedText, objdumpOptions } from '../x86/listing.ts'
import { nop } from '../x86/padding.ts'

export interface Code {
  readonly bytes: Buffer
  /** Where it lies; what it leads to is shown relative to this. */
  readonly address: bigint
}

export interface DisassembledInstruction {
  /** Bytes from the begin of its piece. */
  readonly offset: number
  readonly bytes: Buffer
  /** As objdump writes it, with single spaces; `(bad)` for what is none. */
  readonly text: string
}

/** Nops behind each piece: an instruction that is cut off ends in them. */
const gap = 16

/**
 * @returns the instructions of each piece, in the order of the pieces; undefined when the machine has no objdump
 */
export async function disassemble(
  job: Job,
  pieces: readonly Code[],
): Promise<readonly (readonly DisassembledInstruction[])[] | undefined> {
  if (pieces.length === 0) return []
  const starts: number[] = []
  let size = 0
  for (const { bytes } of pieces) {
    starts.push(size)
    size += bytes.length + gap
  }
  const all = Buffer.alloc(size, nop)
  for (const [index, { bytes }] of pieces.entries()) bytes.copy(all, starts[index])
  const listing = await withScratch(async (dir) => {
    const file = path.join(dir, 'code')
    await writeFile(file, all)
    return (await command('objdump', [...objdumpOptions, file], { signal: job.signal })).stdout
  }).catch((error: unknown) => {
    if (error instanceof Fault && error.code === 'program-missing') return undefined
    throw error
  })
  if (listing === undefined) return undefined
  const result: DisassembledInstruction[][] = pieces.map(() => [])
  let piece = 0
  for (const line of listing.split('\n')) {
    const [, hex, raw, text] = /^\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*\t(.*)$/.exec(line) ?? []
    if (hex === undefined || raw === undefined || text === undefined) continue
    const at = Number.parseInt(hex, 16)
    while (piece + 1 < starts.length && at >= (starts[piece + 1] ?? 0)) piece++
    const { bytes, address } = pieces[piece]!
    const offset = at - (starts[piece] ?? 0)
    if (offset >= bytes.length) continue
    const own = Buffer.from(raw.replaceAll(' ', ''), 'hex').subarray(0, bytes.length - offset)
    result[piece]!.push({ offset, bytes: own, text: movedText(text, address - BigInt(at - offset)) })
  }
  return result
}
