// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { readLog } from '../../../src/vm/guest/log.ts'
import { clearedBy, taintFailures } from '../../../src/vm/verdict/baseline.ts'
import type { StepRecord } from '../../../src/vm/verdict/record.ts'

const begin = '[    1.000000] inarch: the scenario begins'
const step = (action: string) => `[    2.000000] inarch: step module-first.${action}`
const warning = (time: string, where: string, cpu: number) => [
  `[   ${time}] ------------[ cut here ]------------`,
  `[   ${time}] WARNING: CPU: ${cpu} PID: 3${cpu}1 at ${where}`,
  `[   ${time}] Modules linked in: dummy`,
  `[   ${time}] ---[ end trace 0000000000000000 ]---`,
]
const trace = (time: string, ...functions: string[]) =>
  ['Call Trace:', ' <TASK>', ...functions.map((name) => ` ${name}+0x1/0x2`), ' </TASK>'].map(
    (text) => `[   ${time}] ${text}`,
  )
const failures = (baseline: readonly string[], ...log: string[]) =>
  clearedBy(baseline, readLog([begin, ...log])).log.filter(({ expected }) => !expected)

describe('trouble during the exercises', () => {
  const own = warning('9.000001', 'mm/vmscan.c:12 kswapd+0x1/0x2', 0)

  test('that comes without the live patch as well is nobody’s fault', () => {
    const elsewhere = [begin, step('exercise'), ...warning('5.555555', 'mm/vmscan.c:12 kswapd+0x3/0x4', 1)]
    expect(failures(elsewhere, step('exercise'), ...own)).toEqual([])
  })

  test('that is another one is the live patch’s', () => {
    const other = [begin, step('exercise'), ...warning('5.555555', 'mm/slub.c:99 free+0x1/0x2', 1)]
    expect(failures(other, step('exercise'), ...own)).toHaveLength(1)
    expect(failures([], step('exercise'), ...own)).toHaveLength(1)
  })

  test('is told apart by its functions, where it is a bare call trace', () => {
    const baseline = [begin, step('exercise'), ...trace('5.000000', 'dump_stack', 'oom_kill_process')]
    expect(failures(baseline, step('exercise'), ...trace('7.000000', 'dump_stack', 'oom_kill_process'))).toEqual([])
    expect(failures(baseline, step('exercise'), ...trace('7.000000', 'dump_stack', 'my_function'))).toHaveLength(1)
  })

  test('is in doubt only there: the same while the live patch is loaded is its own', () => {
    const baseline = [begin, step('exercise'), ...own]
    expect(failures(baseline, step('load'), ...own)).toHaveLength(1)
    expect(failures(baseline, step('check.after.0'), ...own)).toHaveLength(1)
  })
})

describe('a taint of which the log says nothing', () => {
  const [usual, warned, aux] = [0xb000, 1 << 9, 1 << 16]
  /** A part that exercised something twice, with the taint bits at the start and after each. */
  const part = (...taint: number[]) => {
    const exercises = taint.slice(1).map((_, index) => ({ index, exitCode: 0, ms: 1 }))
    const step: StepRecord = {
      id: 'module-first.exercise',
      title: '',
      ms: 1,
      outcome: 'done',
      taint,
      exercises,
    }
    return { taint: [0, ...taint], steps: [step] }
  }
  const names = (index: number) => ['files', 'memory'][index] ?? ''
  const said = (...all: Parameters<typeof taintFailures>) => {
    const { failures, cleared } = taintFailures(...all)
    return [failures.map(({ message, step }) => [message, step]), cleared]
  }

  test('and that the same exercises set without the live patch is nobody’s fault', () => {
    expect(said(part(usual, usual, usual | aux), false, part(0, aux, aux), names)).toEqual([[], ['auxiliary']])
  })

  test('is the live patch’s where it comes only with it; the exercise is named', () => {
    const message = 'The guest\'s kernel is tainted since the exercise "memory": auxiliary'
    const failure = [message, 'module-first.exercise']
    const seen = part(usual, usual, usual | aux)
    expect(said(seen, false, undefined, names)).toEqual([[failure], []])
    expect(said(seen, false, part(0, 0, 0), names)).toEqual([[failure], []])
    // What taints it otherwise without the live patch says nothing about this one.
    expect(said(seen, false, part(0, 0, warned), names)).toEqual([[failure], []])
    expect(said(part(usual, usual | aux | warned), false, part(0, warned), () => 'memory')).toEqual([
      [failure],
      ['warning'],
    ])
  })

  test('before the exercises is never in doubt', () => {
    const message = "The guest's kernel is tainted: auxiliary"
    expect(said(part(usual | aux, usual | aux), false, part(0, aux), names)).toEqual([[[message, undefined]], []])
    expect(said({ taint: [0, aux], steps: [] }, false, part(0, aux), names)).toEqual([[[message, undefined]], []])
    // The baseline had it before its exercises began.
    expect(said(part(0, aux), false, part(aux, aux), () => 'files')[0]).toHaveLength(1)
  })

  test('is not told besides the trouble in the log that it comes of', () => {
    expect(said(part(usual, usual | warned), true, undefined, names)).toEqual([[], []])
  })
})
