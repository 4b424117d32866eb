// SPDX-License-Identifier: GPL-3.0-or-later
// The call graph of vmlinux, kept in the kernel's directory: read from the machine code once, in about a second, and
// from then on in milliseconds.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Job } from '../ground/job.ts'
import { keepFile } from '../ground/kept-file.ts'
import { withLock } from '../ground/lock.ts'
import { stampOfAll } from '../ground/stamp.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { type CallGraph, type CallTable, callGraph, readCalls } from './call-graph.ts'
import { mapKernel } from './code-map.ts'

/** Raised whenever what is kept, or what is read from the code, changes. */
const format = 'inarch-calls-2'

const arrays = ({ starts, sizes, calls, takes, held }: CallTable) => [
  starts,
  sizes,
  calls.rows,
  calls.values,
  takes.rows,
  takes.values,
  held.rows,
  held.values,
]

/** A line with the format, the stamp and the lengths, padded; then the arrays; then the names, one a line. */
function encode(table: CallTable, stamp: string): Buffer {
  const lists = arrays(table)
  const head = `${format}\t${stamp}\t${lists.map(({ length }) => length).join(' ')}`
  return Buffer.concat([
    Buffer.from(`${head.padEnd(Math.ceil((head.length + 1) / 4) * 4 - 1)}\n`, 'latin1'),
    ...lists.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
    Buffer.from(`${table.names.join('\n')}\n`, 'latin1'),
  ])
}

/** @returns undefined when it is of another format or kernel, or damaged */
function decode(bytes: Buffer, stamp: string): CallTable | undefined {
  const end = bytes.indexOf(0x0a)
  const [found, of, lengths] = bytes.toString('latin1', 0, Math.max(0, end)).split('\t')
  if (found !== format || of !== stamp) return undefined
  const wanted = (lengths ?? '').trim().split(' ').map(Number)
  let at = bytes.byteOffset + end + 1
  const last = at + 4 * wanted.reduce((sum, length) => sum + length, 0)
  if (wanted.length !== 8 || !(last <= bytes.byteOffset + bytes.length) || at % 4 !== 0) return undefined
  const [starts, sizes, ...rows] = wanted.map((length) => {
    const list = new Uint32Array(bytes.buffer, at, length)
    at += 4 * length
    return list
  }) as [Uint32Array, Uint32Array, ...Uint32Array[]]
  const names = bytes.toString('latin1', last - bytes.byteOffset, bytes.length - 1).split('\n')
  const [calls, callees, takes, taken, held, holders] = rows
  if (calls && callees && takes && taken && held && holders && names.length === starts.length)
    return {
      starts,
      sizes,
      names,
      calls: { rows: calls, values: callees },
      takes: { rows: takes, values: taken },
      held: { rows: held, values: holders },
    }
  return undefined
}

/** What is kept; undefined when there is nothing of this kernel. */
async function readKept(file: string, stamp: string): Promise<CallGraph | undefined> {
  const kept = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  // A view as 32-bit numbers needs an aligned buffer, which a small pooled one is not.
  const table = kept && decode(kept.byteOffset % 4 === 0 ? kept : Buffer.from(new Uint8Array(kept).buffer), stamp)
  return table && callGraph(table)
}

/**
 * Who calls whom in vmlinux.
 * @throws Fault `environment/bad-image`
 */
export async function openCallGraph(job: Job, kernel: Kernel): Promise<CallGraph> {
  const file = path.join(kernel.dir, 'calls')
  // A kernel from a build directory may be built again.
  const stamp = stampOfAll(kernel.vmlinux, kernel.systemMap)
  const read = () =>
    job.journal.step(`Reading who calls whom in ${kernel.release}`, async (step) => {
      const made = readCalls(await mapKernel(kernel))
      await keepFile(file, encode(made, stamp))
      step.result(`${made.starts.length} functions`)
      return callGraph(made)
    })
  // Several rules ask for it at once, and one of them reads it.
  return (
    (await readKept(file, stamp)) ??
    (await withLock(file, { signal: job.signal }, async () => (await readKept(file, stamp)) ?? (await read())))
  )
}
