// SPDX-License-Identifier: GPL-3.0-or-later
// Runs many cases on all processors. Every worker says in shared memory which case it is at; the main
// thread watches, and replaces a worker whose case does not end. Memory is measured for the whole process.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { GoodPair } from './corpus.ts'
import { caseOf, type Ending, examine } from './examine.ts'

/** ms that one case may take. */
export const patience = 2_000
/** Bytes that the process may hold. */
export const memoryLimit = 1024 ** 3

export interface Failure {
  readonly number: number
  /** The error's first lines, or what the watch saw. */
  readonly what: string
}

export interface Report {
  readonly cases: number
  readonly endings: Readonly<Record<Ending, number>>
  readonly failures: readonly Failure[]
  /** The cases that took longest. */
  readonly slowest: readonly { readonly number: number; readonly ms: number }[]
  /** Bytes: the most that the process ever held. */
  readonly memory: number
  readonly ms: number
}

interface Assignment {
  readonly role: 'fuzz'
  readonly corpus: readonly { name: string; before: Uint8Array; after: Uint8Array }[]
  readonly seed: number
  readonly first: number
  readonly step: number
  readonly end: number
  /** One number: the case that the worker is at. */
  readonly at: Int32Array
}

type Message =
  | { readonly kind: 'failure'; readonly failure: Failure }
  | { readonly kind: 'done'; readonly tally: Tally }

interface Tally {
  readonly endings: Record<Ending, number>
  slowest: { number: number; ms: number }[]
}

/** How many of the slowest cases are kept. */
const kept = 5

function slowestOf(list: Tally['slowest']): Tally['slowest'] {
  return list.sort((a, b) => b.ms - a.ms).slice(0, kept)
}

/** The worker's side: does its cases, one after the other. */
export function workIfWorker(): boolean {
  const data = workerData as Assignment | null
  if (isMainThread || parentPort === null || data?.role !== 'fuzz') return false
  const corpus = data.corpus.map(({ name, before, after }) => ({
    name,
    before: Buffer.from(before.buffer as ArrayBuffer),
    after: Buffer.from(after.buffer as ArrayBuffer),
  }))
  const port = parentPort
  const send = (message: Message) => port.postMessage(message)
  let tally: Tally = { endings: { compared: 0, refused: 0 }, slowest: [] }
  const flush = () => {
    send({ kind: 'done', tally: { ...tally, slowest: slowestOf(tally.slowest) } })
    tally = { endings: { compared: 0, refused: 0 }, slowest: [] }
  }
  for (let number = data.first; number < data.end; number += data.step) {
    Atomics.store(data.at, 0, number)
    const start = performance.now()
    try {
      tally.endings[examine(caseOf(corpus, data.seed, number))]++
    } catch (error) {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
      send({ kind: 'failure', failure: { number, what: what.split('\n').slice(0, 6).join('\n') } })
    }
    tally.slowest.push({ number, ms: performance.now() - start })
    if (tally.slowest.length >= 256) flush()
  }
  Atomics.store(data.at, 0, idle)
  flush()
  return true
}

/** What a worker is at before its first case and behind its last. */
const idle = -1

/**
 * ms that all threads have worked. However busy the machine is, a case that does not end uses it up: what is
 * allowed for one case passes no sooner than on a clock, and with other workers at work at most so many times
 * faster, for which a suspect is heard again alone.
 */
function processorTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Memory that workers share, so that a large corpus is there once. */
function shared(bytes: Buffer): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

export interface Campaign {
  readonly corpus: readonly GoodPair[]
  readonly seed: number
  readonly cases: number
  readonly workers: number
  /** The file that calls `workIfWorker` when it runs as a worker. */
  readonly program: URL
  readonly onProgress?: (done: number) => void
}

/** Runs cases 0 to `cases` of a seed. */
export async function run(campaign: Campaign): Promise<Report> {
  const started = performance.now()
  const corpus = campaign.corpus.map(({ name, before, after }) => ({
    name,
    before: shared(before),
    after: shared(after),
  }))
  const endings: Record<Ending, number> = { compared: 0, refused: 0 }
  const failures: Failure[] = []
  const slow: Tally['slowest'] = []
  let memory = 0
  let done = 0

  /** One strand of cases; a worker that hangs or dies is followed by one that begins behind its case. */
  const strand = async (first: number, step: number, end: number, suspects: number[] | undefined) => {
    for (let next = first; next < end; ) {
      const at = new Int32Array(new SharedArrayBuffer(4)).fill(idle)
      const assignment: Assignment = { role: 'fuzz', corpus, seed: campaign.seed, first: next, step, end, at }
      const worker = new Worker(campaign.program, {
        workerData: assignment,
        resourceLimits: { maxOldGenerationSizeMb: memoryLimit / 1024 ** 2 },
      })
      const stopped = await new Promise<string | undefined>((resolve) => {
        let [last, since] = [idle, processorTime()]
        let cause: string | undefined
        const watch = setInterval(() => {
          const number = Atomics.load(at, 0)
          const held = process.memoryUsage.rss()
          memory = Math.max(memory, held)
          if (number !== last) [last, since] = [number, processorTime()]
          else if (number !== idle && processorTime() - since > patience) cause = `It takes more than ${patience} ms`
          if (held > memoryLimit) cause = `The process holds ${Math.round(held / 1024 ** 2)} MB`
          if (cause !== undefined) void worker.terminate()
        }, 50)
        worker.on('message', (message: Message) => {
          if (message.kind === 'failure') failures.push(message.failure)
          else {
            for (const ending of ['compared', 'refused'] as const) endings[ending] += message.tally.endings[ending]
            slow.push(...message.tally.slowest)
            done += message.tally.endings.compared + message.tally.endings.refused
            campaign.onProgress?.(done)
          }
        })
        worker.on('error', (error) => {
          cause ??= `The worker died: ${error.message}`
        })
        worker.on('exit', () => {
          clearInterval(watch)
          resolve(cause)
        })
      })
      if (stopped === undefined) return
      const number = Math.max(Atomics.load(at, 0), next)
      // The others' work counted, too: a suspect is heard again when nothing else runs.
      if (suspects === undefined) failures.push({ number, what: stopped })
      else suspects.push(number)
      next = number + step
    }
  }

  const suspects: number[] = []
  await Promise.all(
    Array.from({ length: campaign.workers }, (_, index) => strand(index, campaign.workers, campaign.cases, suspects)),
  )
  for (const number of suspects) await strand(number, 1, number + 1, undefined)
  return {
    cases: campaign.cases,
    endings,
    failures: failures.sort((a, b) => a.number - b.number),
    slowest: slowestOf(slow),
    memory: Math.max(memory, process.resourceUsage().maxRSS * 1024),
    ms: performance.now() - started,
  }
}
