// SPDX-License-Identifier: GPL-3.0-or-later
// Code that hands UBSAN a place in the source: nameless data that must say in the kernel what it says in the object.
import { expect, test } from 'vitest'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { compare } from '../../src/match/compare.ts'
import { describe as inWords } from '../../src/match/difference-text.ts'
import { expectationOf } from '../../src/match/expect.ts'
import { packExpectation, unpackExpectation } from '../../src/match/record.ts'
import type { Running } from '../../src/match/running.ts'
import { compile } from '../objects.ts'
import { atomOf, changed, linkWith } from './small-image.ts'

const sanitized = ['-fsanitize=shift']
const handler = 'void __ubsan_handle_shift_out_of_bounds(void *data, unsigned long a, unsigned long b) {}'
const text = (line: number, file = 'kernel/thing.c', type = 'unsigned long') => `
# ${line} "${file}"
${type} shifted(${type} n, unsigned char by) { return n << by; }`
const source = text(40)

const kernel = linkWith(sanitized, handler, source)
const unit = splitObject(compile(source, ...sanitized))
const expectation = expectationOf(unit, atomOf(unit, 'shifted'))
const [begin] = kernel.addressesOf('shifted') as [bigint]
const result = (running: Running) => compare(expectation, running, begin)
const live = (running: Running): Running => ({ ...running, live: true })

/** To where the code leads that UBSAN is handed (mov $…, %rdi). */
const cold = kernel.read(kernel.addressesOf('shifted.cold')[0]!, kernel.sizeOf('shifted.cold'))!
const data = BigInt.asUintN(64, BigInt(cold.readInt32LE(cold.indexOf(Buffer.from('48c7c7', 'hex')) + 3)))

test('it is confirmed by what it says, wherever the linker has put it', () => {
  expect(result(kernel)).toMatchObject({ matches: true, unconfirmed: 0 })
  expect(result(live(kernel))).toMatchObject({ matches: true, unconfirmed: 0 })
})

test('it is told by a manifest as well', () => {
  expect(JSON.stringify(expectation)).toContain('"complaint"')
  expect(unpackExpectation(packExpectation(expectation))).toEqual(expectation)
})

test('another line, another file and another type are others, and the difference is named', () => {
  const others = [text(41), text(40, 'kernel/other.c')].map((other) => linkWith(sanitized, handler, other))
  for (const image of others) {
    const difference = compare(expectation, image, image.addressesOf('shifted')[0]!)
    if (difference.matches) throw new Error('it matches')
    expect(difference.why).toBe('leads-elsewhere')
  }
  const difference = result(changed(kernel, new Map([[data + 8n, 41]])))
  if (difference.matches) throw new Error('it matches')
  expect(inWords(difference, { ours: 'mov', theirs: 'mov' })).toContain('what UBSAN tells, which says "kernel/thing.c"')
})

test('the name of its file may begin with where the kernel was built', () => {
  const fits = (file: string) => {
    const image = linkWith(sanitized, handler, text(40, file))
    return compare(expectation, image, image.addressesOf('shifted')[0]!).matches
  }
  expect(fits('/build/linux-7.2/kernel/thing.c')).toBe(true)
  expect(fits('./kernel/thing.c')).toBe(true)
  expect(fits('/build/other-kernel/thing.c')).toBe(false)
  expect(fits('other/kernel/thing.c')).toBe(false)
})

test('it may differ in no byte, and in no byte of its texts and types', () => {
  const bytes = kernel.read(data, 32)!
  const [file, type] = [0, 16].map((at) => bytes.readBigUInt64LE(at)) as [bigint, bigint]
  const places = [...Array(32).keys()].map((at) => data + BigInt(at))
  for (const place of [...places, file + 2n, file + 3n, type, type + 2n, type + 6n])
    for (const mask of [0x01, 0x80]) {
      const value = kernel.read(place, 1)![0]! ^ mask
      expect(result(changed(kernel, new Map([[place, value]]))).matches, `${place - data} ^ ${mask}`).toBe(false)
    }
})

test('it may have complained once, in memory', () => {
  const complained = (bit: number) => changed(kernel, new Map([[data + 11n, bit]]))
  expect(result(live(complained(0x80))).matches).toBe(true)
  expect(result(complained(0x80)).matches).toBe(false)
  expect(result(live(complained(0x40))).matches).toBe(false)
})
