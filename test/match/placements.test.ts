// SPDX-License-Identifier: GPL-3.0-or-later
// A private symbol is in one place, and in none where another is. The kernel here does not tell where private data are,
// as one without CONFIG_KALLSYMS_ALL, so that only the code tells.
import { describe, expect, test } from 'vitest'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { compare } from '../../src/match/compare.ts'
import { describe as inWords } from '../../src/match/difference-text.ts'
import { expectationOf } from '../../src/match/expect.ts'
import type { Running } from '../../src/match/running.ts'
import { mapUnit } from '../../src/match/unit-map.ts'
import { UnitMatcher } from '../../src/match/unit-matcher.ts'
import { compile } from '../objects.ts'
import { atomOf, link } from './small-image.ts'

const shown =
  'extern void show(void *, int); static int one, two; static int list[4]; struct none {}; static ' +
  'struct none key, lock;'
const show = 'void show(void *what, int how) { }'

/** A kernel that knows its functions only. */
function kernelOf(source: string): Running {
  const { read, addressesOf } = link(`${shown} ${source}`, show)
  const private_ = /^(?:one|two|list|key|lock|again|state)\b/
  return { read, addressesOf: (name) => (private_.test(name) ? [] : addressesOf(name)) }
}

const unitOf = (source: string) => splitObject(compile(`${shown} ${source}`))

function compared(source: string, kernel: Running, name = 'f') {
  const unit = unitOf(source)
  return compare(expectationOf(unit, atomOf(unit, name)), kernel, kernel.addressesOf(name)[0]!)
}

describe('code that runs is other code', () => {
  test.each([
    [
      'where one symbol would be in two places',
      'void f(void) { show(&one, 1); show(&one, 2); }',
      'void f(void) { show(&one, 1); show(&two, 2); }',
      'one',
    ],
    [
      'where two symbols would be in one place',
      'void f(void) { show(&one, 1); show(&two, 2); }',
      'void f(void) { show(&one, 1); show(&one, 2); }',
      'two',
    ],
    [
      'where a symbol would be in the middle of itself',
      'void f(void) { show(list, 1); show(list + 1, 2); }',
      'void f(void) { show(list, 1); show(list + 2, 2); }',
      'list',
    ],
    [
      'where the cold part has a symbol elsewhere',
      'void __attribute__((cold)) rare(void); void f(int a) { show(&one, 1); if (a) { rare(); ' +
        'show(&one, 2); rare(); } } void rare(void) { show(&two, 3); }',
      'void __attribute__((cold)) rare(void); void f(int a) { show(&one, 1); if (a) { rare(); ' +
        'show(&two, 2); rare(); } } void rare(void) { show(&two, 3); }',
      'one',
    ],
  ])('%s', (_, ours, theirs, symbol) => {
    const kernel = kernelOf(theirs)
    const result = compared(ours, kernel)
    expect(result).toMatchObject({ matches: false, why: 'displaced', expected: { symbol } })
    if (!result.matches)
      expect(inWords(result, { ours: 'a', theirs: 'b' })).toMatch(
        new RegExp(`it refers to the static ${symbol} (at another address than the code before|where one is)`),
      )
    expect(compared(theirs, kernel).matches).toBe(true)
  })
})

test('what has no bytes may lie where another thing does, and of several names of one place each is it', () => {
  const source =
    'extern int again __attribute__((alias("state"))); int state = 1; void f(void) { show(&key, 1); ' +
    'show(&lock, 2); show(&one, 3); show(&state, 4); show(&again, 5); }'
  expect(compared(source, kernelOf(source)).matches).toBe(true)
})

describe('functions that do not agree', () => {
  const used = 'void f(void) { show(&one, 1); show(&two, 2); } void g(void) { show(&one, 3); show(&two, 4); }'
  const disputes = (ours: string, kernel: Running) => {
    const unit = unitOf(ours)
    return Object.fromEntries(mapUnit(kernel, unit).disputes)
  }

  test('about where two symbols are', () => {
    const kernel = kernelOf(used.replace('show(&one, 3); show(&two, 4)', 'show(&two, 3); show(&one, 4)'))
    expect(compared(used, kernel, 'f').matches).toBe(true)
    expect(compared(used, kernel, 'g').matches).toBe(true)
    expect(Object.keys(disputes(used, kernel)).sort()).toEqual(['one', 'two'])
  })

  test('when another one uses what the first has for something else', () => {
    const ours = 'void f(void) { show(&one, 1); } void g(void) { show(&two, 3); }'
    const kernel = kernelOf(ours.replace('&two', '&one'))
    expect(disputes(ours, kernel)).toEqual({
      one: { functions: ['f', 'g'], rival: 'two' },
      two: { functions: ['f', 'g'], rival: 'one' },
    })
  })

  test('about a function that one of them calls elsewhere', () => {
    const leaf = (n: number) => `static __attribute__((noinline)) int leaf(int a) { show(0, a); return a * ${n}; }`
    const own = `${leaf(3)} int f(int a) { return leaf(a) + 1; }`
    const other = `${shown} ${leaf(5)} int g(int a) { return leaf(a) + 2; }`
    const kernel = link(`${shown} ${own}`, other, show)
    const unit = unitOf(`${own} int g(int a) { return leaf(a) + 2; }`)
    expect(mapUnit(kernel, unit).disputes.get('leaf')?.functions).toContain('g')
    expect(new UnitMatcher(kernel, unit).locate(atomOf(unit, 'leaf'))).toBe(kernel.addressesOf('leaf')[0])
  })

  test('are none in the kernel that was made of the unit', () => {
    expect(disputes(used, kernelOf(used))).toEqual({})
  })
})
