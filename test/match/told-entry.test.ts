// SPDX-License-Identifier: GPL-3.0-or-later
// Code that takes the address of its own entry in `__bug_table`: the kernel's entry must say what the object's says.
import { describe, expect, test } from 'vitest'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { compare } from '../../src/match/compare.ts'
import { describe as inWords } from '../../src/match/difference-text.ts'
import { expectationOf } from '../../src/match/expect.ts'
import { packExpectation, unpackExpectation } from '../../src/match/record.ts'
import type { Running } from '../../src/match/running.ts'
import { warnText } from '../bug-entry.ts'
import { compile } from '../objects.ts'
import { atomOf, changed, link, rewritten } from './small-image.ts'

const source = `${warnText}
int get(void);
int warns(int n) { n += get(); if (n > 4) WARN_AT(7, 0x913, "too many: %d", n); return n * 3; }
int other(int n) { n -= get(); if (n > 4) WARN_AT(7, 0x913, "too many: %d", n); return n * 5; }`
const unitInFront = `${warnText}
int get(void) { return 1; }
int front(int n) { if (n) WARN_TEXT("front"); return n; }`

const kernel = link(unitInFront, source)
const unit = splitObject(compile(source))
const expectation = expectationOf(unit, atomOf(unit, 'warns'))
const [begin] = kernel.addressesOf('warns') as [bigint]
const code = kernel.read(begin, kernel.sizeOf('warns'))!

/** Behind the instruction that takes the address, which is the entry's place. */
const behind = code.indexOf(Buffer.from('488d3d', 'hex')) + 7
const entry = entryBehind(begin, behind)

/** The entry to which the code leads whose address ends at `end`. */
function entryBehind(address: bigint, end: number): bigint {
  return address + BigInt(end + kernel.read(address + BigInt(end - 4), 4)!.readInt32LE())
}

const result = (running: Running) => compare(expectation, running, begin)
const live = (running: Running): Running => ({ ...running, live: true })

describe('the entry that the code hands over', () => {
  test('says what the object says, wherever the linker has put it', () => {
    expect(behind).toBeGreaterThan(7)
    expect(result(kernel)).toMatchObject({ matches: true, unconfirmed: 0 })
    expect(result(live(kernel))).toMatchObject({ matches: true })
    expect(compare(expectationOf(unit, atomOf(unit, 'other')), kernel, kernel.addressesOf('other')[0]!).matches).toBe(
      true,
    )
  })

  test('is told by a manifest as well', () => {
    expect(unpackExpectation(packExpectation(expectation))).toEqual(expectation)
  })

  test('may differ in no byte, and in no byte of its texts', () => {
    const bytes = kernel.read(entry, 16)!
    const [format, file] = [4, 8].map((at) => entry + BigInt(at + bytes.readInt32LE(at)))
    const places = [...Array(16).keys()].map((at) => entry + BigInt(at))
    for (const place of [...places, format!, format! + 11n, file!])
      for (const mask of [0x01, 0x80, 0xff]) {
        const value = kernel.read(place, 1)![0]! ^ mask
        expect(result(changed(kernel, new Map([[place, value]]))).matches, `${place - entry} ^ ${mask}`).toBe(false)
      }
  })

  test('names a header as a build beside the source does, or one in it', () => {
    const text = (file: string) => source.replaceAll('kernel/thing.c', file)
    const fits = (ours: string, theirs: string) => {
      const image = link(unitInFront, text(theirs))
      const object = splitObject(compile(text(ours)))
      return compare(expectationOf(object, atomOf(object, 'warns')), image, image.addressesOf('warns')[0]!).matches
    }
    expect(fits('./include/thing.h', 'include/thing.h')).toBe(true)
    expect(fits('include/thing.h', './include/thing.h')).toBe(true)
    expect(fits('include/thing.h', 'include/other.h')).toBe(false)
  })

  test('may have warned once, in memory', () => {
    const flags = entry + 14n
    const warned = changed(kernel, new Map([[flags, 0x13 | 4]]))
    expect(result(live(warned)).matches).toBe(true)
    expect(result(warned).matches).toBe(false)
    expect(result(live(changed(kernel, new Map([[flags, 0x13 | 8]])))).matches).toBe(false)
  })

  test('is its own, not that of another function that says the same', () => {
    const [second] = kernel.addressesOf('other') as [bigint]
    const body = kernel.read(second, kernel.sizeOf('other'))!
    const others = entryBehind(second, body.indexOf(Buffer.from('488d3d', 'hex')) + 7)
    const field = Buffer.alloc(4)
    field.writeInt32LE(Number(others - begin) - behind)
    const difference = result(rewritten(kernel, begin + BigInt(behind - 4), field.toString('hex')))
    expect(difference.matches).toBe(false)
  })

  test('is named where there is another', () => {
    const field = Buffer.alloc(4)
    field.writeInt32LE(Number(entry - begin) - behind - 16)
    const difference = result(rewritten(kernel, begin + BigInt(behind - 4), field.toString('hex')))
    if (difference.matches) throw new Error('it matches')
    expect(difference.why).toBe('leads-elsewhere')
    expect(inWords(difference, { ours: 'lea', theirs: 'lea' })).toContain(
      'instead of its own entry of a table, which says "too many: %d", "kernel/thing.c"',
    )
  })
})
