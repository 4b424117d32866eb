// SPDX-License-Identifier: GPL-3.0-or-later
// A linked program plays the running kernel: its units are compiled without a section for each function,
// as kbuild does, so that the assembler shortens jumps between them.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { readObject } from '../../src/elf/read.ts'
import { compare } from '../../src/match/compare.ts'
import { expectationOf } from '../../src/match/expect.ts'
import { layOutModule, openImage } from '../../src/match/running.ts'
import { UnitMatcher } from '../../src/match/unit-matcher.ts'
import { compile, compileBytes, work } from '../objects.ts'
import { atomOf, link, plain } from './small-image.ts'

const unitOf = (source: string) => splitObject(compile(source))

const source = `
extern int outside(int); static int state = 4;
static __attribute__((noinline)) int leaf(int a) { return outside(a) * 3 + state++; }
__attribute__((noinline)) int tail(int a) { if (a > 3) return leaf(a); return leaf(a + 1); }
int loop(int n) { int s = 0; for (int i = 0; i < n; i++) s += tail(i) ^ leaf(s); return s; }
const char *text(int a) { return a ? "yes, it is" : "no"; }`
const outside = 'int outside(int a) { return a - 1; }'

describe('a function of the unit', () => {
  test('is recognised in the kernel, although its jumps are shorter there', () => {
    const kernel = link(source, outside)
    const unit = unitOf(source)
    for (const { name } of unit.functions) {
      const [address] = kernel.addressesOf(name)
      expect(compare(expectationOf(unit, atomOf(unit, name)), kernel, address!), name).toMatchObject({
        matches: true,
      })
    }
    const tail = atomOf(unit, 'tail')
    const length = tail.symbol!.size
    const ours = tail.section.data.subarray(0, length)
    expect(kernel.read(kernel.addressesOf('tail')[0]!, length)!.equals(ours)).toBe(false)
  })

  test.each([
    ['another number', '* 3', '* 5', 'leaf'],
    ['another callee', 'return leaf(a + 1)', 'return outside(a + 1)', 'tail'],
    ['another string', '"no"', '"on"', 'text'],
    ['another jump', 'a > 3', 'a < 3', 'tail'],
    [
      'another variable',
      'static int state = 4;',
      'static int state = 4, other = 5; int get(void) { return state += other++; }',
      undefined,
    ],
  ])('is not taken for one with %s', (_, from, to, name) => {
    const kernel = link(source, outside)
    const changed = unitOf(source.replace(from, to))
    for (const atom of changed.functions) {
      const address = kernel.addressesOf(atom.name)[0]
      if (address === undefined) continue
      const { matches } = compare(expectationOf(changed, atom), kernel, address)
      expect(matches, atom.name).toBe(atom.name !== name)
    }
  })

  test('is not taken for what lies elsewhere, or nowhere', () => {
    const kernel = link(source, outside)
    const unit = unitOf(source)
    const leaf = atomOf(unit, 'leaf')
    for (const address of [
      kernel.addressesOf('tail')[0]!,
      kernel.addressesOf('leaf')[0]! + 1n,
      0n,
      0xffffffffffffff00n,
    ])
      expect(compare(expectationOf(unit, leaf), kernel, address).matches).toBe(false)
  })
})

describe('of several symbols of one name', () => {
  const unit = (n: number) =>
    `static int count; static __attribute__((noinline)) int same(int a) { return a * ${n} + count++; } ` +
    `int use${n}(int a) { return same(a) + same(a + 1); }`

  test('each unit finds its own function, and its own variable', () => {
    const kernel = link(unit(3), unit(5), unit(7))
    const found = [3, 5, 7].map((n) => {
      const own = unitOf(unit(n))
      const matcher = new UnitMatcher(kernel, own)
      return [matcher.locate(atomOf(own, 'same')), matcher.locate(atomOf(own, 'count'))]
    })
    expect(found.map(([code]) => code)).toEqual(kernel.addressesOf('same'))
    expect(new Set(found.map(([, data]) => data))).toEqual(new Set(kernel.addressesOf('count')))
  })

  test('copies of an inline function are told apart by who calls them', () => {
    const copy = (n: number) =>
      `static __attribute__((noinline)) int same(int a) { return a * 77; } int use${n}(int a) { return ` +
      `same(a) + same(a + ${n}); }`
    const kernel = link(copy(3), copy(5))
    const found = [3, 5].map((n) => {
      const own = unitOf(copy(n))
      return new UnitMatcher(kernel, own).locate(atomOf(own, 'same'))
    })
    expect(found).toEqual(kernel.addressesOf('same'))
  })

  test('none is chosen when nothing tells which', () => {
    const copy = 'static __attribute__((noinline, used)) int same(int a) { return a * 77; }'
    const kernel = link(copy, copy)
    const own = unitOf(copy)
    expect(kernel.addressesOf('same')).toHaveLength(2)
    expect(new UnitMatcher(kernel, own).locate(atomOf(own, 'same'))).toBeUndefined()
  })
})

test('a module is laid out so that its code can be compared, too', () => {
  const other =
    'static int state; static __attribute__((noinline)) int leaf(int a) { return a + state--; } int ' +
    'entry(int a) { return leaf(a) - leaf(a + 2); }'
  const [one, two, all] = ['m1.o', 'm2.o', 'm.o'].map((name) => path.join(work, name))
  writeFileSync(one!, compileBytes(other, ...plain))
  writeFileSync(two!, compileBytes(source, ...plain))
  execFileSync('ld', ['-r', '-o', all!, one!, two!])
  const module = readObject(execFileSync('cat', [all!]), 'm.ko')
  const counted = module.symbols.filter(
    ({ place, name, type }) => place !== 'undefined' && name !== '' && type !== 'section',
  )
  const running = layOutModule(module, counted)
  const unit = unitOf(source)
  for (const atom of unit.functions) {
    const fits = running
      .addressesOf(atom.name)
      .filter((address) => compare(expectationOf(unit, atom), running, address).matches)
    expect(fits, atom.name).toHaveLength(1)
  }
  expect(running.addressesOf('leaf')).toHaveLength(2)
  const matcher = new UnitMatcher(running, unit)
  expect(matcher.locate(atomOf(unit, 'leaf'))).toBe(running.addressesOf('leaf')[1])
  expect(matcher.locate(atomOf(unit, 'state'))).toBe(running.addressesOf('state')[1])
})

test('an image that is cut short or no image is refused', () => {
  const file = path.join(work, 'broken')
  for (const bytes of [
    Buffer.alloc(10),
    Buffer.alloc(100),
    Buffer.from('\x7fELF\x02\x01'.padEnd(64, '\xff'), 'latin1'),
  ]) {
    writeFileSync(file, bytes)
    expect(() => openImage(file)).toThrow("can't be read")
  }
})
