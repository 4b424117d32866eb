// SPDX-License-Identifier: GPL-3.0-or-later
// The logs are consoles of real guests in QEMU 7.2 on a busy machine: the live patch in them has to do with
// neither of the two places.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { silentJournal } from '../../../src/ground/job.ts'
import { consoleLines } from '../../../src/vm/guest/log.ts'
import { parseEvent } from '../../../src/vm/guest/protocol.ts'
import { qemuArguments, qemuVersion } from '../../../src/vm/guest/qemu.ts'
import { openRecorder } from '../../../src/vm/verdict/record.ts'
import { keepsStaleTranslations, staleTranslation } from '../../../src/vm/verdict/stale-translation.ts'

const consoleFrom = (name: string) =>
  consoleLines(readFileSync(new URL(`../logs/${name}.txt`, import.meta.url), 'utf8'))

/** A record of a boot that came to these parts. */
async function recordOf(...parts: number[]) {
  const job = { signal: new AbortController().signal, journal: silentJournal() }
  const recorder = await openRecorder(job, [], new Map(), 0, parseEvent)
  for (const [index, text] of ['hello 6.12', ...parts.map((part) => `part ${part}`)].entries())
    recorder.take(`inarch ${index + 1} ${text.length} ${text}`, index)
  return recorder.close()
}

describe('a guest that dies of a breakpoint which nobody expects', () => {
  test.each([
    ['stale-a', 'irqentry_exit+0x1c/0x40'],
    ['stale-b', 'exit_mmap+0x1c8/0x3b0'],
  ])('is told by its log, with the place (%s)', async (name, place) => {
    const stale = staleTranslation(await recordOf(0), consoleFrom(name))
    expect(stale).toEqual({ part: 0, reason: `QEMU lost a change of the kernel's code (int3 in ${place})` })
  })

  test('says it in the words of kernels before 6.9, too', async () => {
    const old = consoleFrom('stale-b').map((line) => line.replace('Oops: int3:', 'int3:'))
    expect(staleTranslation(await recordOf(0), old)?.reason).toContain('exit_mmap')
  })

  test('did so in the part whose turn it was', async () => {
    const console = consoleFrom('stale-b')
    const mark = console.findIndex((line) => line.includes('inarch: part 0'))
    const second = [...console.slice(0, mark + 1), '[    7.9] inarch: part 1', ...console.slice(mark + 1)]
    expect(staleTranslation(await recordOf(0, 1), second)?.part).toBe(1)
    expect(staleTranslation(await recordOf(), console.toSpliced(mark, 1))?.part).toBeUndefined()
  })

  test.each(['clean', 'warn', 'oops', 'lockup', 'symbol'])('is no other that fails (%s)', async (name) => {
    expect(staleTranslation(await recordOf(0), consoleFrom(name))).toBeUndefined()
  })

  test('and not one that a first oops led to, or that speaks of one', async () => {
    const lines = consoleFrom('stale-b')
    const second = lines.map((line) => line.replace('[#1]', '[#2]'))
    expect(staleTranslation(await recordOf(0), second)).toBeUndefined()
    const spoken = lines.map((line) => line.replace('Oops: int3', 'sh: Oops: int3'))
    expect(staleTranslation(await recordOf(0), spoken)).toBeUndefined()
  })
})

test('only versions of QEMU that are known to lose changes of code are not believed', () => {
  for (const version of [undefined, [7, 2], [8, 0], [5, 2]] as const) expect(keepsStaleTranslations(version)).toBe(true)
  for (const version of [
    [8, 1],
    [8, 2],
    [9, 0],
    [10, 0],
  ] as const)
    expect(keepsStaleTranslations(version)).toBe(false)
})

test('QEMU tells its version, and is asked for one thread', async () => {
  expect(await qemuVersion(new AbortController().signal)).toEqual([expect.any(Number), expect.any(Number)])
  const machine = { image: '/k', initramfs: '/i', cpus: 2, memory: 512, consoleFile: '/c', timeout: 1 }
  const accel = (more: object) => qemuArguments({ ...machine, accelerator: 'tcg', ...more })[1]
  expect([accel({}), accel({ inTurn: true })]).toEqual(['tcg,thread=multi', 'tcg,thread=single'])
})
