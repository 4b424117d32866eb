// SPDX-License-Identifier: GPL-3.0-or-later
// Many pairs of objects, compared on all processors: a worker thread each, which takes the next pair when it
// is done with one.
import { existsSync, statSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { openBytes } from '../../elf/open.ts'
import { Fault } from '../../ground/fault.ts'
import type { Job } from '../../ground/job.ts'
import { type PairReport, reportPair } from './pair.ts'

/** The files of a pair. */
export interface PairFiles {
  readonly before: string
  readonly after: string
}

/** What became of a pair: its report, or why it could not be compared. */
export type PairResult = PairFiles &
  (
    | { readonly report: PairReport }
    | { readonly error: { readonly kind: string; readonly code: string; readonly message: string } }
  )

/** Bytes of objects for which a worker is worth its start: fewer are compared sooner, and for less, without. */
const worthwhile = 16 * 1024 ** 2

/** Bytes of a file; 0 when it can't be looked at, which is told when it is opened. */
function sizeOf(file: string): number {
  try {
    return statSync(file).size
  } catch {
    return 0
  }
}

/** Reads and compares one pair; whatever is wrong with it is its result. */
export function examinePair(files: PairFiles): PairResult {
  try {
    return {
      ...files,
      report: reportPair(openBytes(files.before), openBytes(files.after)),
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    const { kind, code, message } = error
    return { ...files, error: { kind, code, message } }
  }
}

/** @returns the results in the order of `pairs` */
export async function examinePairs(job: Job, pairs: readonly PairFiles[]): Promise<PairResult[]> {
  const program = path.join(import.meta.dirname, 'pair-worker.js')
  const bytes = pairs.reduce((sum, { before, after }) => sum + sizeOf(before) + sizeOf(after), 0)
  const count = Math.min(os.availableParallelism(), pairs.length, Math.floor(bytes / worthwhile))
  // Only the bundle has a file that a worker can be started with.
  if (count < 2 || !existsSync(program)) return pairs.map(examinePair)
  const results: PairResult[] = new Array(pairs.length)
  let next = 0
  let done = 0
  await job.journal.step(`Comparing ${pairs.length} pairs`, async (step) => {
    const serve = (worker: Worker) =>
      new Promise<void>((resolve, reject) => {
        let current = -1
        const give = () => {
          current = next++
          if (current < pairs.length && !job.signal.aborted) worker.postMessage(pairs[current])
          else resolve()
        }
        worker.on('message', (result: PairResult) => {
          results[current] = result
          step.progress(`${++done} of ${pairs.length}`)
          give()
        })
        worker.on('error', reject)
        give()
      })
    const workers = Array.from({ length: count }, () => new Worker(program))
    try {
      await Promise.all(workers.map(serve))
    } finally {
      await Promise.all(workers.map((worker) => worker.terminate()))
    }
    job.signal.throwIfAborted()
    step.result(`on ${count} processors`)
  })
  return results
}
