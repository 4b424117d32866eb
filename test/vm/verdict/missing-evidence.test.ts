// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import type { Turn } from '../../../src/vm/plan/scenario.ts'
import type { Subject } from '../../../src/vm/plan/subject.ts'
import { logGap, lostFailures, missingSteps, replacementFailures } from '../../../src/vm/verdict/missing-evidence.ts'
import type { Replaced, StepRecord } from '../../../src/vm/verdict/record.ts'

const planned = ['load', 'transition', 'check.after.0', 'unload']
const turn: Turn = {
  part: 0,
  order: 'module-first',
  steps: planned.map((action) => ({ id: `module-first.${action}`, title: action, script: '' })),
}
const seen: readonly StepRecord[] = turn.steps.map(({ id, title }) => ({
  id,
  title,
  ms: 1,
  outcome: 'done',
  ...(title === 'transition' ? { samples: [{ ms: 0, left: 0, total: 9 }] } : {}),
  ...(title === 'check.after.0' ? { output: { exitCode: 0, text: '' } } : {}),
}))
const messages = (steps: readonly StepRecord[]) => missingSteps(turn, steps).map(({ message }) => message)
const without = <Key extends keyof StepRecord>(index: number, key: Key): StepRecord[] => {
  const { [key]: _, ...rest } = seen[index]!
  return seen.with(index, rest as StepRecord)
}

describe('a plan', () => {
  test('of which everything was seen leaves nothing to say', () => {
    expect(messages(seen)).toEqual([])
  })

  test.each<[string, StepRecord[], string]>([
    ['whose last step was not seen', seen.slice(0, -1), '"unload" was planned and not seen'],
    ['whose check never began', seen.toSpliced(2, 1), '"check.after.0" was planned and not seen'],
    [
      'whose check began and never ended',
      seen.with(2, { ...seen[2]!, outcome: 'unfinished' }),
      '"check.after.0" was planned and not seen',
    ],
    ['whose check told nothing', without(2, 'output'), '"check.after.0" was done, but what it printed did not come'],
    ['whose transition nobody watched', without(1, 'samples'), '"transition" was done, but nobody saw its tasks'],
    ['of which more came than was planned', [...seen, seen[0]!], '1 step came that nobody planned'],
    ['of which nothing came', [], '"load" was planned and not seen, nor were 3 others'],
  ])('%s is not fulfilled', (_, steps, message) => {
    expect(messages(steps)).toContain(message)
  })

  test('whose steps came in another order is not fulfilled', () => {
    expect(messages(seen.toReversed())).not.toEqual([])
  })
})

test('events that were lost are a failure, even where nothing is missing', () => {
  const record = { parts: [], release: '6.1', done: true, noise: ['garbled'], boot: seen[0]! }
  expect(lostFailures({ ...record, lost: undefined })).toEqual([])
  expect(lostFailures({ ...record, lost: 'one of them' })).toMatchObject([{ code: 'lost', lines: ['garbled'] }])
})

describe('the kernel’s log', () => {
  const part = { part: 0, replaced: [], asleep: [], ran: [], loads: [], taint: [], stays: undefined }
  const record = { release: '6.1', done: true, noise: [], lost: undefined, boot: seen[0]! }
  const whole = ['begin', ...seen.map(({ id }) => id)].map((id, at) => `[   ${at}.000000] inarch: step ${id}`)
  const end = '[   90.000000] inarch: the end'
  const gap = (console: readonly string[], steps = seen, done = true) =>
    logGap({ ...record, done, parts: [{ ...part, steps }] }, console.slice(1))

  test('is whole when each step and the end have their marks, whatever a program had left in front of one', () => {
    expect(gap([...whole, end])).toBeUndefined()
    expect(gap([...whole.with(2, `a prompt# ${whole[2]}`), 'hello', end])).toBeUndefined()
  })

  test.each<[string, string[], string]>([
    ['was made quiet', [], '"load"'],
    ['breaks off', whole.slice(0, 3), '"check.after.0"'],
    ['has a hole', whole.toSpliced(2, 1).concat(end), '"transition"'],
    ['lacks its end', whole, '"the end"'],
    ['was written by a program', [...whole.slice(0, -1), 'inarch: step other', end], '"unload"'],
  ])('that %s is told', (_, console, what) => {
    expect(gap(console)).toContain(`lacks the mark of ${what}`)
  })

  test('of a guest that died has no end, nor the mark of the step in which it did', () => {
    const died = seen.with(3, { ...seen[3]!, outcome: 'unfinished' })
    expect(gap(whole.slice(0, -1), died, false)).toBeUndefined()
  })
})

describe('the functions that a kernel says it replaces', () => {
  const objects = [
    { name: 'vmlinux', functions: [{ name: 'f', sympos: 0 }] },
    { name: 'dummy', functions: [{ name: 'g', sympos: 2 }] },
  ]
  const subject = { manifest: { objects } } as unknown as Subject
  const f: Replaced = { order: 'module-first', object: 'vmlinux', name: 'f', sympos: 1, active: true }
  const g: Replaced = { ...f, object: 'dummy', name: 'g', sympos: 2 }
  const said = (...replaced: Replaced[]) => replacementFailures(subject, replaced, 'both').map(({ message }) => message)

  test('are those of the manifest', () => {
    expect(said(f, g)).toEqual([])
    expect(said(f, { ...g, active: undefined })).toEqual([])
  })

  test('are not, when one is missing, another one, or more', () => {
    expect(said(f)).toEqual(['The manifest says that dummy:g,2 is replaced, the kernel does not (both)'])
    expect(said()).toHaveLength(2)
    expect(said(f, { ...g, sympos: 1 })).toHaveLength(2)
    expect(said(f, g, { ...f, name: 'h' })).toHaveLength(1)
  })

  test('are those of the module’s own tables where there is no manifest', () => {
    const listed = [{ object: 'vmlinux', name: 'f', sympos: 0 }]
    const alone = (...replaced: Replaced[]) =>
      replacementFailures({ listed } as unknown as Subject, replaced, 'both').map(({ message }) => message)
    expect(alone(f)).toEqual([])
    expect(alone()).toEqual(['The module says that vmlinux:f,1 is replaced, the kernel does not (both)'])
    expect(alone(f, g)).toEqual(['The kernel says that dummy:g,2 is replaced, the module does not (both)'])
  })

  test('must be redirected', () => {
    expect(said(f, { ...g, active: false })).toEqual([
      'g of dummy is not replaced although the live patch is loaded (both)',
    ])
  })
})
