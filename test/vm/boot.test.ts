// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import { left } from '../../src/vm/boot.ts'
import { consoleOf } from '../../src/vm/guest/log.ts'
import { parseEvent } from '../../src/vm/guest/protocol.ts'
import type { Order, Turn } from '../../src/vm/plan/scenario.ts'
import { openRecorder } from '../../src/vm/verdict/record.ts'

const turn = (part: number, order: Order = 'module-first'): Turn => ({
  part,
  order,
  steps: ['load', 'unload'].map((action) => ({ id: `${order}.${action}`, title: action, script: '' })),
})
const turns = [turn(0), turn(1), turn(1, 'patch-first'), turn(2)]
const names = new Map([0, 1, 2].map((part) => [part, `livepatch_${part}`]))

/** What a recorder makes of these lines, of which one comes each second. */
async function recordLines(lines: readonly string[]) {
  const job = { signal: new AbortController().signal, journal: silentJournal() }
  const recorder = await openRecorder(job, turns, names, 0, parseEvent)
  for (const [index, line] of lines.entries()) recorder.take(line, 1000 * (index + 1))
  return recorder.close()
}
/** The guest's lines, written here without their prefix. */
const linesOf = (told: readonly string[]) => told.map((text, index) => `inarch ${index + 1} ${text.length} ${text}`)
const record = (...told: string[]) => recordLines(linesOf(told))
const step = (id: string) => [`begin ${id}`, `end ${id} done`]
const good = (order: Order = 'module-first') => [...step(`${order}.load`), ...step(`${order}.unload`)]
const waiting = (record: Parameters<typeof left>[0]['record']) =>
  left({ turns, record }).map(({ part, order }) => `${part} ${order}`)

describe('a boot with several proofs', () => {
  test('that ran to its end leaves nothing to do', async () => {
    const done = await record(
      'hello 6.1',
      ...['part 0', 'taint 0', ...good()],
      ...['part 1', 'taint 0', ...good(), ...good('patch-first')],
      ...['part 2', 'taint 4096', ...good(), 'taint 36864', 'done', 'bye'],
    )
    expect(waiting(done)).toEqual([])
    expect(done.parts.map(({ steps }) => steps.length)).toEqual([2, 4, 2])
    expect(done.parts[2]?.taint).toEqual([4096, 36864])
  })

  test('goes on after the proof that failed, which is not tried again', async () => {
    const broken = await record(
      ...['hello 6.1', 'part 0', ...good(), 'part 1'],
      ...['begin module-first.load', 'end module-first.load failed', 'bye'],
    )
    expect(waiting(broken)).toEqual(['2 module-first'])
    expect(broken.parts[1]?.steps).toMatchObject([{ outcome: 'failed' }])
  })

  test('that broke off goes on after the proof in which it did', async () => {
    expect(waiting(await record('hello 6.1', 'part 0', 'begin module-first.load'))).toEqual([
      '1 module-first',
      '1 patch-first',
      '2 module-first',
    ])
  })

  test('that ended because a module stays goes on with the other order', async () => {
    const kept = await record(...['hello 6.1', 'part 0', ...good(), 'part 1', ...good(), 'stays veth', 'bye'])
    expect(waiting(kept)).toEqual(['1 patch-first', '2 module-first'])
  })

  test('whose kernel is too broken for the next proof ends well, and leaves the rest', async () => {
    const unfit = await record('hello 6.1', 'part 0', ...good(), 'unfit', 'taint 128', 'bye')
    expect(unfit.done).toBe(true)
    expect(waiting(unfit)).toEqual(['1 module-first', '1 patch-first', '2 module-first'])
  })

  test('that did not come up leaves everything', async () => {
    expect(waiting(await record())).toHaveLength(turns.length)
  })
})

describe('what a guest told', () => {
  const told = linesOf(['hello 6.1', ...['part 0', 'taint 0', ...good(), 'taint 4096', 'done', 'taint 4096', 'bye']])
  const load = told.findIndex((line) => line.endsWith('begin module-first.load'))

  test('is complete when each event came once and in its order', async () => {
    const { lost, done, parts } = await recordLines(told)
    expect([lost, done, parts.length]).toEqual([undefined, true, 1])
  })

  test('is timed by when it came', async () => {
    const { parts } = await recordLines(told)
    expect(parts[0]?.steps.map(({ ms }) => ms)).toEqual([1000, 1000])
  })

  test.each<[string, (lines: string[]) => string[]]>([
    ['one is missing', (lines) => lines.toSpliced(load, 1)],
    ['the first is missing', (lines) => lines.slice(1)],
    ['the last is missing', (lines) => lines.slice(0, -1)],
    ['two changed places', (lines) => lines.toSpliced(load, 2, ...lines.slice(load, load + 2).reverse())],
    ['one came twice', (lines) => lines.toSpliced(load, 0, lines[load]!)],
    ['one was cut', (lines) => lines.with(load, lines[load]!.slice(0, -3))],
    ['one was altered', (lines) => lines.with(load, lines[load]!.replace('begin', 'begun'))],
    ['one lost a letter', (lines) => lines.with(load, lines[load]!.replace('module', 'modul'))],
    ['one is about something else', (lines) => lines.with(load, lines[load]!.replace('.load', '.lord'))],
  ])('is not when %s', async (_, change) => {
    expect((await recordLines(change([...told]))).lost).toBeDefined()
  })
})

test('a proof is shown what the kernel said at boot and during its own part', () => {
  const console = [
    '[    0.100000] Linux version 6.1',
    '[    5.000000] inarch: part 0',
    '[    5.100000] livepatch: enabling the first',
    '[    6.000000] inarch: part 1',
    '[    6.100000] WARNING: something in the second',
  ]
  expect(consoleOf(console, 0)).toEqual(console.slice(0, 3))
  expect(consoleOf(console, 1)).toEqual([console[0], ...console.slice(3)])
})
