// SPDX-License-Identifier: GPL-3.0-or-later
// Turns the guest's events into a record of what happened, step by step, and shows each step in the
// journal while it runs.

import type { Job, Step } from '../../ground/job.ts'
import { defined } from '../../ground/values/defined.ts'
import type { EndOutcome, Event } from '../guest/protocol.ts'
import type { Turn } from '../plan/scenario.ts'

/** How many tasks were still running the code of before, at a time in ms since the step began. */
export interface Sample {
  readonly ms: number
  readonly left: number
  readonly total: number
}

export interface StepRecord {
  readonly id: string
  readonly title: string
  /** Between the arrival of its first and its last event, by this host's clock. */
  readonly ms: number
  /** As in `EndOutcome`; neither `kept` nor `refused` is a failure. */
  readonly outcome: EndOutcome | 'unfinished'
  /** Why it was not done. */
  readonly reason?: string
  /** Of a transition: its curve. */
  readonly samples?: readonly Sample[]
  /** Of a transition: tasks that were left after 16 s or at the limit, with their stacks. */
  readonly stuck?: string
  /**
   * Of a step that exercises: what was begun, by its number in the plan; `exitCode` is undefined when its end was not
   * seen.
   */
  readonly exercises?: readonly {
    readonly index: number
    readonly exitCode: number | undefined
    readonly ms: number
  }[]
  /** Of a step that exercises: the kernel's taint bits at its start and after each thing that it did. */
  readonly taint?: readonly number[]
  /** Of a check: the command. */
  readonly command?: string
  /** Of a check: what the command printed, and its exit code. */
  readonly output?: { readonly exitCode: number; readonly text: string }
}

/** A function that the guest's kernel says the live patch replaces. */
export interface Replaced {
  /** In which order of things it was said. */
  readonly order: string
  readonly object: string
  readonly name: string
  /** Counted from 1. */
  readonly sympos: number
  readonly active: boolean | undefined
}

/** Who had a replaced function on its stack just before the live patch came. */
export interface AsleepRecord {
  readonly order: string
  /** How many tasks there were. */
  readonly tasks: number
  /** Their lines of /proc/PID/stat behind the word `task`, each followed by its stack. */
  readonly stacks: string
}

/** How often the new code of a function ran in one order of things. */
export interface RanRecord {
  readonly order: string
  /** The function's number in the plan. */
  readonly index: number
  /** Undefined when it was not counted. */
  readonly times: number | undefined
  /** Why it was not. */
  readonly reason: string
}

/** What one boot told about one of the proofs in it. */
export interface PartRecord {
  readonly part: number
  readonly steps: readonly StepRecord[]
  readonly replaced: readonly Replaced[]
  readonly asleep: readonly AsleepRecord[]
  readonly ran: readonly RanRecord[]
  /** Rounds that each background load went through. */
  readonly loads: readonly number[]
  /** The kernel's taint bits, first and last. */
  readonly taint: readonly number[]
  /** A module that could not be unloaded, so that the scenario ended there. */
  readonly stays: { readonly module: string; readonly reason: string } | undefined
}

/** All that one boot told. */
export interface BootRecord {
  readonly release: string | undefined
  /** The boot itself. */
  readonly boot: StepRecord
  /** In the order in which they were begun. */
  readonly parts: readonly PartRecord[]
  /** True when the scenario ran to its end, or until the kernel was too broken for the next part. */
  readonly done: boolean
  /** Lines that were no events. */
  readonly noise: readonly string[]
  /**
   * What shows that the events are not those that the guest sent, one sentence; undefined when all came, in their
   * order.
   */
  readonly lost: string | undefined
}

/** What a transition is waiting for. */
export function waitsFor(left: number, total: number): string {
  return left > 0 ? `${left} of ${total} tasks left` : 'no task left, the kernel is updating ftrace'
}

/** The part of a step's id before its first dot is the order. */
export function orderOf(id: string): string {
  return id.slice(0, id.indexOf('.'))
}

/** The rest of a step's id is what it does. */
export function actionOf(id: string): string {
  return id.slice(id.indexOf('.') + 1)
}

interface Live {
  readonly step: Step
  end(error?: Error): void
  readonly settled: Promise<void>
}

/** Opens a step in the journal that is ended later, by an event. */
async function openLive(job: Job, title: string): Promise<Live> {
  return new Promise((opened) => {
    let shown: Step | undefined
    let end: (error?: Error) => void = () => {}
    const settled = job.journal
      .step(title, (step) => {
        shown = step
        return new Promise<void>((resolve, reject) => {
          end = (error) => (error ? reject(error) : resolve())
        })
      })
      .catch(() => {})
    queueMicrotask(() => {
      if (shown) opened({ step: shown, end, settled })
    })
  })
}

export interface Recorder {
  /** @param at when it came, in ms of this host's clock */
  take(line: string, at: number): void
  /** Shown while the machine boots. */
  progress(text: string): void
  /** Ends what is still open; to be called once, when the machine has ended. */
  close(): Promise<BootRecord>
}

type Draft = { -readonly [Key in keyof StepRecord]: StepRecord[Key] } & { began: number; curve: Sample[] }

const draftOf = (id: string, title: string, began: number): Draft => ({
  id,
  title,
  ms: 0,
  outcome: 'unfinished',
  began,
  curve: [],
})

const recordOf = ({ began: _, curve, ...step }: Draft): StepRecord => ({
  ...step,
  ...(curve.length > 0 ? { samples: curve } : {}),
})

/** A part while it is being recorded. */
interface Open {
  readonly part: number
  readonly steps: Draft[]
  readonly replaced: Replaced[]
  readonly asleep: AsleepRecord[]
  readonly ran: RanRecord[]
  readonly loads: number[]
  readonly taint: number[]
  stays: PartRecord['stays']
}

/** What the journal calls the parts of a boot, by their numbers. */
export type PartNames = ReadonlyMap<number, string>

/**
 * Begins to record one boot; its first step is the boot itself.
 * @param began when it began, in ms of this host's clock
 * @param names when there are several parts, each is one step of the journal instead of one for each of its steps
 */
export async function openRecorder(
  job: Job,
  turns: readonly Turn[],
  names: PartNames,
  began: number,
  parse: (line: string) => Event | undefined,
): Promise<Recorder> {
  const plan = new Map(turns.flatMap(({ part, steps }) => steps.map((step) => [`${part}.${step.id}`, step] as const)))
  const several = names.size > 1
  const boot = draftOf('boot', 'boot', began)
  const parts: Open[] = []
  const noise: string[] = []
  let release: string | undefined
  let done = false
  let expected = 1
  let lost: string | undefined
  let ended = false
  let exerciseBegan = began
  let live: Live | undefined = await openLive(job, 'boot')
  let queue: Promise<void> = Promise.resolve()

  const finish = (draft: Draft, at: number, outcome: EndOutcome, reason = '') => {
    draft.ms = at - draft.began
    draft.outcome = outcome
    if (outcome !== 'done') draft.reason = reason || 'the guest gave no reason'
  }
  /** The journal is written in the order of the events, though it opens its steps asynchronously. */
  const later = (work: () => void | Promise<void>) => {
    queue = queue.then(work)
  }
  const show = (title: string) =>
    later(async () => {
      live?.end()
      await live?.settled
      live = await openLive(job, title)
    })
  const take = (event: Event, at: number) => {
    if (event.number !== expected)
      lost ??= `the guest's event ${event.number} (${event.kind}) came where event ${expected} was awaited`
    expected = event.number + 1
    const open = parts.at(-1)
    // An unfinished step lasted at least until now.
    const running = open?.steps.at(-1) ?? boot
    if (running.outcome === 'unfinished') running.ms = at - running.began
    const current = (id: string): Draft | undefined => open?.steps.findLast((step) => step.id === id)
    switch (event.kind) {
      case 'hello':
        release = event.release
        finish(boot, at, 'done')
        later(() => live?.end())
        break
      case 'part':
        parts.push({
          part: event.part,
          steps: [],
          replaced: [],
          asleep: [],
          ran: [],
          loads: [],
          taint: [],
          stays: undefined,
        })
        if (several) show(names.get(event.part) ?? `part ${event.part}`)
        break
      case 'begin': {
        if (open === undefined) break
        const planned = plan.get(`${open.part}.${event.step}`)
        if (planned === undefined) lost ??= `the guest told of a step ${event.step}, which was not planned`
        const { title = event.step, command } = planned ?? {}
        open.steps.push({ ...draftOf(event.step, title, at), ...defined({ command }) })
        if (several) later(() => live?.step.progress(title))
        else show(title)
        break
      }
      case 'end': {
        const draft = current(event.step)
        if (draft === undefined || draft.outcome !== 'unfinished') {
          lost ??= `the guest told of the end of ${event.step}, which was not going on`
          break
        }
        finish(draft, at, event.outcome, event.reason)
        if (event.outcome === 'failed') later(() => live?.end(new Error('failed')))
        else if (!several) later(() => live?.end())
        break
      }
      case 'sample': {
        const draft = current(event.step)
        draft?.curve.push({ ms: at - draft.began, left: event.left, total: event.total })
        later(() => live?.step.progress(waitsFor(event.left, event.total)))
        break
      }
      case 'stuck': {
        const draft = current(event.step)
        if (draft) draft.stuck = event.tasks
        break
      }
      case 'replaces': {
        const { object, name, sympos, active } = event
        open?.replaced.push({ order: orderOf(running.id), object, name, sympos, active })
        break
      }
      case 'asleep': {
        const { order, tasks, stacks } = event
        open?.asleep.push({ order, tasks, stacks })
        break
      }
      case 'ran': {
        const { order, index, times, reason } = event
        open?.ran.push({ order, index, times, reason })
        break
      }
      case 'exercise':
        running.exercises = [...(running.exercises ?? []), { index: event.index, exitCode: undefined, ms: 0 }]
        exerciseBegan = at
        break
      case 'exercised': {
        const { index, exitCode } = event
        const all = running.exercises ?? []
        if (all.at(-1)?.index === index)
          running.exercises = [...all.slice(0, -1), { index, exitCode, ms: at - exerciseBegan }]
        break
      }
      case 'output':
        // A check's step is the one that is running.
        if (running.id.endsWith(event.check.slice(event.check.indexOf('.') + 1)))
          running.output = { exitCode: event.exitCode, text: event.text }
        break
      case 'load':
        if (open) open.loads[event.index] = (open.loads[event.index] ?? 0) + event.rounds
        break
      case 'stays':
        if (open === undefined) break
        open.stays = { module: event.module, reason: event.reason }
        running.outcome = 'kept'
        running.reason = event.reason
        break
      case 'taint':
        open?.taint.push(event.bits)
        if (open !== undefined && actionOf(running.id) === 'exercise' && running.outcome === 'unfinished')
          running.taint = [...(running.taint ?? []), event.bits]
        break
      case 'unfit':
      case 'done':
        done = true
        break
      case 'bye':
        ended = true
        break
    }
  }
  return {
    take(line, at) {
      const event = parse(line)
      if (event === undefined) {
        if (line.trim() !== '' && noise.length < 1000) noise.push(line)
      } else take(event, at)
    },
    progress(text) {
      if (release === undefined) live?.step.progress(text)
    },
    async close() {
      await queue
      const last = parts.at(-1)
      const final = (last?.steps.at(-1) ?? boot).outcome
      const unfinished = final === 'unfinished'
      if (!ended && (done || !unfinished)) lost ??= 'the guest ended without its last word'
      live?.end(unfinished && last?.stays === undefined ? new Error('unfinished') : undefined)
      await live?.settled
      return {
        release,
        boot: recordOf(boot),
        parts: parts.map(({ steps, loads, ...part }) => ({
          ...part,
          steps: steps.map(recordOf),
          loads: [...loads].map((rounds) => rounds ?? 0),
        })),
        done,
        noise,
        lost,
      }
    },
  }
}
