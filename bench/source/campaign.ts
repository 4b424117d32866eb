// SPDX-License-Identifier: GPL-3.0-or-later
// Tries units in worker processes, one for each processor, and keeps each unit's result, so that a run that
// was stopped goes on where it was. A process of its own for each worker, because memory is measured.
import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { openUnits, type Unit } from '../../src/build/kbuild/units.ts'
import { cacheRoot } from '../../src/ground/cache.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { type KernelNames, kernelNames } from '../../src/match/names.ts'
import { chooseFunctions, unitOrder } from './sample.ts'
import { tryUnit, type UnitTrial } from './trial.ts'

export interface Plan {
  readonly kernel: string
  readonly seed: string
  /** Functions in all, and from how many units at least. */
  readonly functions: number
  readonly units: number
  readonly workers: number
  /** True when nothing is taken from an earlier run. */
  readonly fresh: boolean
}

interface Assignment {
  readonly kernel: string
  readonly seed: string
  readonly source: string
  readonly count: number
}

/**
 * V8 lets garbage lie until the heap is four times what lives, so that a process without a bound grows to what it may
 * leave (377 MB where 106 lived), not to what the work needs. With this one a worker that needed more would die, and
 * the run with it.
 */
const heapBound = '--max-old-space-size=320'

/** What a worker sends back: null for a unit of which nothing can be tried. */
type Answer = { readonly source: string; readonly trial: UnitTrial | null } | { readonly fault: string }

/** The worker's side: does what it is told until nobody is there any more. */
export function workIfWorker(): boolean {
  if (process.argv[2] !== '--worker' || process.send === undefined) return false
  const send = (answer: Answer) => process.send?.(answer)
  const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
  let opened: { kernel: Kernel; units: ReadonlyMap<string, Unit> } | undefined
  let names: (KernelNames & { close(): void; object: string }) | undefined
  const work = async ({ kernel: which, seed, source, count }: Assignment): Promise<Answer> => {
    if (opened === undefined) {
      const kernel = await selectKernel(job, which)
      const units = await openUnits(job, kernel)
      opened = { kernel, units: new Map(unitOrder(units.all(), seed).map((unit) => [unit.source, unit])) }
    }
    const unit = opened.units.get(source)
    if (unit === undefined) return { fault: `${source} is no unit` }
    const object = unit.modules[0] ?? 'vmlinux'
    if (names?.object !== object) {
      names?.close()
      names = { ...(await kernelNames(opened.kernel, [object])), object }
    }
    const setting = { job, kernel: opened.kernel, names }
    const trial = await tryUnit(setting, unit, (all) => chooseFunctions(all, source, seed, count))
    return { source, trial: trial ?? null }
  }
  process.on('message', (assignment: Assignment) => {
    work(assignment).then(send, (error) => send({ fault: `${assignment.source}: ${error.stack ?? error}` }))
  })
  process.on('disconnect', () => process.exit(0))
  return true
}

/** Changes whenever the engine or this benchmark does. */
function engineDigest(): string {
  const hash = createHash('sha256')
  for (const dir of ['src/source', 'src/diff', 'src/build', 'bench/source'])
    for (const name of readdirSync(dir).sort())
      if (name.endsWith('.ts')) hash.update(name).update(readFileSync(path.join(dir, name)))
  return hash.digest('hex').slice(0, 16)
}

/**
 * Tries units in the order of the sample until there are enough functions.
 * @returns the units in their order; the last may have been cut to make the number of functions exact
 */
export async function runPlan(job: Job, plan: Plan, onProgress: (functions: number) => void): Promise<UnitTrial[]> {
  const kernel = await selectKernel(job, plan.kernel)
  const order = unitOrder((await openUnits(job, kernel)).all(), plan.seed)
  const count = Math.ceil(plan.functions / plan.units)
  const dir = path.join(cacheRoot(), 'bench', kernel.release, 'source', engineDigest(), `${plan.seed}-${count}`)
  mkdirSync(dir, { recursive: true })
  const fileOf = (source: string) => path.join(dir, `${source.replaceAll('/', '-')}.json`)
  const done = new Map<string, UnitTrial | null>()
  const functionsIn = (trial: UnitTrial | null | undefined) => trial?.functions.length ?? 0
  let next = 0
  let found = 0
  let failure: string | undefined

  await Promise.all(
    Array.from({ length: plan.workers }, async () => {
      const worker = fork(process.argv[1]!, ['--worker'], { execArgv: [...process.execArgv, heapBound] })
      try {
        for (;;) {
          const unit = order[next]
          if (unit === undefined || failure !== undefined || isEnough()) return
          next++
          const { source } = unit
          const kept = fileOf(source)
          const known = !plan.fresh && existsSync(kept)
          const answer = known
            ? { source, trial: JSON.parse(readFileSync(kept, 'utf8')) as UnitTrial | null }
            : await ask(worker, { kernel: plan.kernel, seed: plan.seed, source, count })
          if ('fault' in answer) {
            failure = answer.fault
            return
          }
          if (!known) {
            writeFileSync(`${kept}.new`, JSON.stringify(answer.trial))
            renameSync(`${kept}.new`, kept)
          }
          done.set(source, answer.trial)
          found += functionsIn(answer.trial)
          onProgress(found)
        }
      } finally {
        worker.disconnect()
      }
    }),
  )
  if (failure !== undefined) throw new Error(failure)

  const taken: UnitTrial[] = []
  let left = plan.functions
  for (const { source } of order) {
    const trial = done.get(source)
    if (trial === undefined || trial === null || left <= 0) continue
    taken.push({ ...trial, functions: trial.functions.slice(0, left) })
    left -= trial.functions.length
  }
  return taken

  /**
   * Whether the units from the first on, without a gap, have enough functions; those that are being tried come first.
   */
  function isEnough(): boolean {
    let [functions, units] = [0, 0]
    for (let index = 0; index < next; index++) {
      const trial = done.get(order[index]!.source)
      if (trial === undefined) return functions >= plan.functions && units >= plan.units
      if (trial !== null) units++
      functions += functionsIn(trial)
    }
    return functions >= plan.functions
  }
}

function ask(worker: ChildProcess, assignment: Assignment): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      worker.off('message', onMessage)
      worker.off('exit', onExit)
    }
    const onMessage = (answer: Answer) => {
      settle()
      resolve(answer)
    }
    const onExit = (code: number | null) => {
      settle()
      resolve({ fault: `${assignment.source}: the worker ended with ${code}` })
    }
    worker.once('message', onMessage)
    worker.once('exit', onExit)
    worker.send(assignment, (error) => {
      if (error !== null) reject(error)
    })
  })
}
