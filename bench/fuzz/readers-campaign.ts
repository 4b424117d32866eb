// SPDX-License-Identifier: GPL-3.0-or-later
// Hands spoilt input to all readers, in a thread of its own; the main thread watches it, and tells and skips a case
// that does not end.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Fault } from '../../src/ground/fault.ts'
import { memoryLimit } from './campaign.ts'
import { randomOf } from './random.ts'
import { openReaders, type Reader } from './readers.ts'

/** ms that one case may take; most take less than one, and the machine may be busy. */
const patience = 10_000

export interface ReadersReport {
  readonly cases: number
  /** By reader: how many cases it read, and how many it refused with a sentence. */
  readonly endings: Readonly<Record<string, { read: number; refused: number }>>
  readonly failures: readonly string[]
  /** Bytes: the most that the process ever held. */
  readonly memory: number
}

interface Assignment {
  readonly role: 'readers'
  readonly seed: number
  readonly first: number
  readonly cases: number
  readonly at: Int32Array
}

/** Whether what was thrown is a sentence that says what is wrong. */
function isSentence(error: unknown): boolean {
  return (
    error instanceof Fault &&
    error.kind !== 'unexpected' &&
    error.message.length >= 10 &&
    error.message.length < 20_000 &&
    !/undefined|NaN|\[object/.test(error.message)
  )
}

export function spoiltInput(readers: readonly Reader[], seed: number, number: number): [Reader, Buffer] {
  const random = randomOf(seed, number)
  const reader = readers[number % readers.length]!
  return [reader, reader.spoil(random, reader.good)]
}

/** The thread's side. @returns whether this is it */
export async function readIfWorker(): Promise<boolean> {
  const data = workerData as Assignment | null
  if (isMainThread || parentPort === null || data?.role !== 'readers') return false
  const { readers, clear } = openReaders()
  try {
    for (const { read, good } of readers) await read(good)
    for (let number = data.first; number < data.cases; number++) {
      Atomics.store(data.at, 0, number)
      const [{ name, read }, input] = spoiltInput(readers, data.seed, number)
      let ending = 'read'
      try {
        await read(input)
      } catch (error) {
        ending = isSentence(error) ? 'refused' : `${(error as Error).stack ?? error}`
      }
      parentPort.postMessage({ number, name, ending })
    }
  } finally {
    clear()
  }
  return true
}

export async function runReaders(seed: number, cases: number, program: URL): Promise<ReadersReport> {
  const endings: Record<string, { read: number; refused: number }> = {}
  const failures: string[] = []
  let memory = 0
  const at = new Int32Array(new SharedArrayBuffer(4))
  for (let first = 0; first < cases; ) {
    Atomics.store(at, 0, first)
    const data: Assignment = { role: 'readers', seed, first, cases, at }
    const worker = new Worker(program, { workerData: data })
    let [seen, since] = [-1, performance.now()]
    first = await new Promise<number>((resolve, reject) => {
      const watch = setInterval(() => {
        memory = Math.max(memory, process.memoryUsage().rss)
        const now = Atomics.load(at, 0)
        if (now !== seen) [seen, since] = [now, performance.now()]
        else if (performance.now() - since > patience && now > 0) {
          failures.push(`${seed}:${now} does not end`)
          void worker.terminate().then(() => resolve(now + 1))
        }
      }, 200)
      worker.on('message', ({ number, name, ending }: { number: number; name: string; ending: string }) => {
        const count = endings[name] ?? { read: 0, refused: 0 }
        endings[name] = count
        if (ending === 'read' || ending === 'refused') count[ending]++
        else failures.push(`${seed}:${number} ${name}: ${ending.split('\n').slice(0, 5).join('\n')}`)
      })
      worker.on('error', reject)
      worker.on('exit', () => {
        clearInterval(watch)
        resolve(cases)
      })
    })
  }
  if (memory > memoryLimit) failures.push(`${Math.round(memory / 1024 ** 2)} MB of memory were used`)
  return { cases, endings, failures, memory }
}
