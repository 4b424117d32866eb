// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { clearedBy } from '../../src/vm/baseline.ts'
import { readLog } from '../../src/vm/log.ts'

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
    expect(
      failures(baseline, step('exercise'), ...trace('7.000000', 'dump_stack', 'oom_kill_process')),
    ).toEqual([])
    expect(
      failures(baseline, step('exercise'), ...trace('7.000000', 'dump_stack', 'my_function')),
    ).toHaveLength(1)
  })

  test('is in doubt only there: the same while the live patch is loaded is its own', () => {
    const baseline = [begin, step('exercise'), ...own]
    expect(failures(baseline, step('load'), ...own)).toHaveLength(1)
    expect(failures(baseline, step('check.after.0'), ...own)).toHaveLength(1)
  })
})
