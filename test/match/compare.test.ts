// SPDX-License-Identifier: GPL-3.0-or-later
// What the comparison with running code takes for the same, and what not: every byte that is flipped must be seen, and
// what the kernel rewrites itself must not.
import { describe, expect, test } from 'vitest'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { closestOf, compare } from '../../src/match/compare.ts'
import { expectationOf } from '../../src/match/expect.ts'
import { sizeOf } from '../../src/match/expectation.ts'
import { packExpectation, unpackExpectation } from '../../src/match/record.ts'
import type { Running } from '../../src/match/running.ts'
import { placeOf } from '../../src/x86/branch.ts'
import { decodeInstruction } from '../../src/x86/instruction.ts'
import { isFilled, nopAt } from '../../src/x86/padding.ts'
import { compile } from '../objects.ts'
import { atomOf, changed, link, rewritten } from './small-image.ts'

const source = `
extern int outside(int); struct s { int a, b; long c[9]; }; static int state = 4; static struct s all[7];
static const double scale[3] = { 1.5, 2.5, 3.5 };
static __attribute__((noinline)) int leaf(int a) { return outside(a) * 3 + state++; }
__attribute__((noinline)) int tail(int a) { if (a > 3) return leaf(a); return leaf(a + 1); }
int loop(struct s *p, int n) { int s = 0; for (int i = 0; i < n; i++) { s += tail(i) ^ leaf(s); p->c[i & 7] += s; } return s; }
const char *text(int a) { return a ? "yes, it is" : "no"; }
int many(int a, struct s *p) { switch (a) { case 1: return p->a; case 2: return p->b / 3; case 30: return all[p->a].b; default: outside(1); return leaf(a) << 4; } }
void copy(struct s *to, struct s *from) { *to = *from; all[3] = *to; }
__attribute__((cold)) void rare(void) { outside(3); }
int uses(int a) { if (__builtin_expect(a == 77, 0)) { rare(); return leaf(7); } return tail(a); }`
const kernel = link(source, 'int outside(int a) { return a - 1; }')
const unit = splitObject(compile(source))

const at = (running: Running, name: string, offset = 0) => running.addressesOf(name)[0]! + BigInt(offset)

describe('a byte that is another', () => {
  test('is seen wherever it is, unless the code does the same', () => {
    let [flips, same] = [0, 0]
    for (const atom of unit.functions) {
      const expectation = expectationOf(unit, atom)
      for (const part of expectation.parts) {
        const address = at(kernel, part.name!)
        const size = kernel.sizeOf(part.name!)
        const before = kernel.read(address, size)!
        for (let offset = 0; offset < size; offset++)
          for (const mask of [0x01, 0x80, 0xff]) {
            const value = before[offset]! ^ mask
            const other = changed(kernel, new Map([[address + BigInt(offset), value]]))
            flips++
            if (!compare(expectation, other, at(kernel, atom.name)).matches) continue
            same++
            const after = other.read(address, size)!
            expect(doesTheSame(before, after, offset), `${part.name}+${offset} ^ ${mask}`).toBe(true)
          }
      }
    }
    expect(flips).toBeGreaterThan(1000)
    expect(same).toBeLessThan(flips / 50)
  })

  /** Another nop of the same length, or a jump to the padding in front of where it led. */
  function doesTheSame(before: Buffer, after: Buffer, offset: number): boolean {
    for (let start = 0; start < before.length; ) {
      const instruction = decodeInstruction(before, start)
      if (instruction === undefined) return false
      if (offset >= instruction.end) {
        start = instruction.end
        continue
      }
      if (nopAt(before, start) > 0) return nopAt(after, start) === nopAt(before, start)
      if (instruction.branch < 0 || offset < instruction.branch) return false
      const [one, two] = [before, after].map((code) => placeOf(decodeInstruction(code, start)!))
      return one! > two! && two! > 0 && isFilled(before, two!, one!)
    }
    return false
  }

  test('is told by its place, with both instructions', () => {
    const expectation = expectationOf(unit, atomOf(unit, 'copy'))
    const code = kernel.read(at(kernel, 'copy'), sizeOf(expectation))!
    // The first displacement of one byte.
    let found = 0
    for (let start = 0; ; ) {
      const { end, operands, branch } = decodeInstruction(code, start)!
      if (branch < 0 && end - operands === 1 && start > 5) {
        found = start
        break
      }
      start = end
    }
    const { end } = decodeInstruction(code, found)!
    const other = rewritten(kernel, at(kernel, 'copy', end - 1), '70', {})
    expect(compare(expectation, other, at(kernel, 'copy'))).toMatchObject({
      matches: false,
      why: 'operand',
      part: 0,
      address: at(kernel, 'copy', found),
      ours: code.toString('hex', found, end),
      theirs: `${code.toString('hex', found, end - 1)}70`,
    })
  })

  test('of several failures, the one that came furthest is told', () => {
    const expectation = expectationOf(unit, atomOf(unit, 'many'))
    const results = ['leaf', 'many', 'text'].map((name) => {
      const address = at(kernel, name)
      return compare(expectation, rewritten(kernel, at(kernel, 'many', 20), 'f4', {}), address)
    })
    expect(closestOf(results)?.address).toBe(at(kernel, 'many', closestOf(results)!.at))
  })
})

describe('what the manifest keeps', () => {
  test('compares as before when it is read back', () => {
    for (const atom of unit.functions) {
      const kept = unpackExpectation(packExpectation(expectationOf(unit, atom)))
      expect(kept).toEqual(expectationOf(unit, atom))
      expect(compare(kept, kernel, at(kernel, atom.name)).matches, atom.name).toBe(true)
    }
  })

  test.each([
    ['what is not packed', Buffer.from('{}').toString('base64')],
    ['no parts', packExpectation({ parts: [] } as never)],
    ['code that is no base64', packExpectation({ parts: [{ code: '#', fields: [], sites: [] }] })],
    [
      'a field of an unknown form',
      packExpectation({
        parts: [{ code: '', fields: [{ at: 0, form: 'huge', to: { value: 1 } }], sites: [] }],
      } as never),
    ],
    [
      'a number that is none',
      packExpectation({
        parts: [{ code: '', fields: [{ at: 0.5, form: 'near', to: { value: 1 } }], sites: [] }],
      }),
    ],
  ])('is refused with %s', (_, packed) => {
    expect(() => unpackExpectation(packed)).toThrow('can’t be read')
  })

  test('never throws in a comparison, whatever it says', () => {
    const sites = [
      { kind: 'label', at: 0, to: { part: 9 } },
      { kind: 'alternative', at: 1, length: 255, choices: [{ code: 'kA==', fields: [] }] },
      { kind: 'paravirt', at: 2, length: 200 },
      { kind: 'constant', at: 3, length: 8 },
      { kind: 'lock', at: 4_000_000 },
    ] as const
    for (const code of ['', '6A==', '8w==', 'DxRE', 'kJCQkOgAAAAA6wDr/g=='])
      for (const form of ['near', 'short', 'wide'] as const)
        for (const to of [{ part: 7 }, { part: 0, plus: -5 }, { symbol: '__fentry__' }, { value: -1 }])
          for (const live of [false, true])
            for (const field of [0, 5, 4_000_000]) {
              const packed = packExpectation({ parts: [{ code, fields: [{ at: field, form, to }], sites }] })
              const running: Running = { ...kernel, live, probed: () => true }
              const result = compare(unpackExpectation(packed), running, at(kernel, 'loop'))
              expect(typeof result.matches).toBe('boolean')
            }
  })
})
