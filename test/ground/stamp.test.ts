// SPDX-License-Identifier: GPL-3.0-or-later
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ageOf, digestOfStamps, isOlderThan, stampOf } from '../../src/ground/stamp.ts'

const minute = 60_000
let dir: string
let file: string
beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-stamp-'))
  file = path.join(dir, 'file')
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Another content of the same size, with the time as before. */
function changeUnseen(): void {
  const { atime, mtime } = statSync(file)
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text === 'one' ? 'two' : 'one')
  utimesSync(file, atime, mtime)
}

describe.each([
  ['is of today', new Date()],
  ['is old', new Date('2001-01-01')],
  ['lies ahead', new Date('2040-01-01')],
])('a file whose time %s', (_, time) => {
  test('has another stamp once it is changed, though its time and its size are kept', async () => {
    writeFileSync(file, 'one')
    utimesSync(file, time, time)
    const [stamp, digest] = [stampOf(file), digestOfStamps(dir, ['file'])]
    expect(stampOf(file)).toBe(stamp)
    // Longer than a tick of the kernel's clock.
    await setTimeout(20)
    changeUnseen()
    expect(stampOf(file)).not.toBe(stamp)
    expect(digestOfStamps(dir, ['file'])).not.toBe(digest)
  })

  test('is not believed right after its change, and later it is', () => {
    writeFileSync(file, 'one')
    utimesSync(file, time, time)
    const stamp = stampOf(file)!
    expect(isOlderThan(stamp, Date.now())).toBe(false)
    expect(digestOfStamps(dir, ['file'], Date.now())).toBeUndefined()
    expect(isOlderThan(stamp, Date.now() + minute)).toBe(true)
    expect(digestOfStamps(dir, ['file'], Date.now() + minute)).toBeDefined()
  })
})

test('where the clock was set back meanwhile, a file must be older by as much', () => {
  writeFileSync(file, 'one')
  const [stamp, later] = [stampOf(file)!, Date.now() + minute]
  expect(isOlderThan(stamp, later, minute / 2)).toBe(true)
  expect(isOlderThan(stamp, later, minute)).toBe(false)
  expect(isOlderThan(stamp, later, 2 * minute)).toBe(false)
})

test('nobody knows how old a file is that was written tomorrow', () => {
  const aged = (ms: number) => {
    const time = new Date(Date.now() - ms)
    utimesSync(file, time, time)
    return ageOf(file)
  }
  writeFileSync(file, '')
  expect(aged(minute)).toBeGreaterThanOrEqual(minute)
  expect(aged(minute)).toBeLessThan(2 * minute)
  // Clocks of file servers go a little otherwise.
  expect(aged(-500)).toBe(0)
  expect(aged(-minute)).toBe(Number.POSITIVE_INFINITY)
  expect(ageOf(path.join(dir, 'none'))).toBe(Number.POSITIVE_INFINITY)
})
