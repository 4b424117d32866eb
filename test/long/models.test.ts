// SPDX-License-Identifier: GPL-3.0-or-later
// The core's models in a guest: live patches that meet, a function that ftrace does not know, and what each model
// promises.
import { beforeAll, describe, expect, test } from 'vitest'
import { forbids, none, type Trial, tryPairs } from '../../bench/models/pairs.ts'
import { meet, withoutEntry } from '../../bench/models/stack.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { models } from '../../src/kernel/model.ts'
import { selectKernel } from '../../src/kernel/select.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const ofCore = models.slice(1)
const trouble = (lines: readonly string[]) =>
  lines.filter((line) => /^log: <\d>.*(WARNING|BUG|Oops|Call Trace)/.test(line))

describe.each(['bookworm', 'trixie'])('on %s', (suite) => {
  let kernel: Kernel
  beforeAll(async () => {
    kernel = await selectKernel(job, suite)
  })

  test.each(ofCore.flatMap((first) => ofCore.map((second) => [first, second] as const)))(
    'a live patch by %s, and over it or in its place one by %s',
    async (first, second) => {
      const lines = await meet(job, kernel, models.indexOf(first), models.indexOf(second))
      const said = lines.filter((line) => !line.startsWith('log: '))
      const numbers = '[\\d./ ]+'
      const expected = [
        `one: one / one / ${numbers}`,
        'both: two / one / two',
        'ways: 4 jump ',
        `two: two / ${numbers} / two`,
        `none: Linux version / ${numbers} / ${numbers}`,
        `replaced: two / ${numbers} / two`,
        'left: stack_two',
        `none: Linux version / ${numbers} / ${numbers}`,
      ]
      expect(said.map((line) => line.replace(/ +/g, ' '))).toEqual(
        expected.map((text) => expect.stringMatching(new RegExp(`^ ?${text.trim()} ?$`))),
      )
      expect(trouble(lines)).toEqual([])
    },
  )

  test('a function without a place for ftrace is replaced where stacks are looked at, and kgraft refuses', async () => {
    const lines = await withoutEntry(job, kernel)
    expect(lines.filter((line) => /^\d/.test(line))).toEqual(['1 refused', '2: 42 probe', '3: 42 probe'])
    expect(lines.join('\n')).toContain('hex_to_bin has no place for ftrace, which the model kgraft needs')
    expect(trouble(lines)).toEqual([])
  })

  test.each([...models, none] as const)(
    'pairs of functions, while a live patch goes over and back by %s',
    async (model) => {
      const trial: Trial = await tryPairs(job, kernel, model, { seconds: 30, cpus: 2 })
      expect(trial.complaints).toEqual([])
      expect(trial.pairs.filter((one) => one.mixed > 0 && forbids(model, one))).toEqual([])
      expect(trial.cycles).toBeGreaterThan(0)
      for (const { old, new: young } of trial.pairs) expect(Math.min(old, young)).toBeGreaterThan(0)
      if (model === none) expect(trial.pairs.some(({ mixed }) => mixed > 0)).toBe(true)
    },
  )
})
