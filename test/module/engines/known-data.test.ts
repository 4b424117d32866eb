// SPDX-License-Identifier: GPL-3.0-or-later
// What headers bring into a file of a live patch's source, though the running kernel has it already.
import { describe, expect, test } from 'vitest'
import { splitObject } from '../../../src/diff/object/split-object.ts'
import { linkDirectory } from '../../../src/module/engines/directory-object.ts'
import { knownData } from '../../../src/module/engines/known-data.ts'
import type { SourceObject } from '../../../src/module/engines/source-objects.ts'
import { compile } from '../../objects.ts'
import { namesOf } from '../small-kernel.ts'

const wrapper = compile('extern char livepatch_f[]; void *table = livepatch_f;')
const skeleton = compile('int skeleton;')

interface Given {
  /** What both include; the live patch's directory may have another one. */
  readonly header: string
  readonly changedHeader?: string
  /** A function of the unit, and its replacement. */
  readonly before: string
  readonly after: string
  readonly kernel: readonly string[]
  /** Undefined for a directory that a person may have edited. */
  readonly own?: readonly string[] | undefined
}

/**
 * What becomes of a file that includes a header: the names that are bound, those that are carried, and the findings.
 */
function linked({ header, changedHeader = header, before, after, kernel, own }: Given) {
  const one: SourceObject = {
    file: 'a.c',
    unit: 'kernel/a.c',
    object: 'vmlinux',
    compiled: compile(`${changedHeader} ${after}`),
    before: splitObject(compile(`${header} ${before}`)),
  }
  const privately = new Set(
    one.before.object.symbols.flatMap(({ name, binding }) => (binding === 'local' ? [name] : [])),
  )
  const symbols = Object.fromEntries(
    [...new Set(kernel)].map((name) => [
      `vmlinux ${name}`,
      kernel.filter((other) => other === name).map(() => ({ type: privately.has(name) ? 'r' : 'D' })),
    ]),
  )
  const names = namesOf({ symbols })
  const { kept, findings } = knownData(one, names, own === undefined ? undefined : new Set(own))
  const object = linkDirectory({ units: [one], wrapper, findings: [] }, skeleton, names, () => kept)
  const code = object.draft.sections.find(({ name }) => name === '.text.livepatch_f')!
  return {
    bound: Object.fromEntries(
      [...object.bindings].flatMap(([{ name }, binding]) =>
        binding.kind === 'livepatch' ? [[name, binding.object]] : [],
      ),
    ),
    carried: object.draft.symbols.flatMap(({ name, type, place }) =>
      type === 'object' && place !== 'undefined' && name !== 'table' ? [name] : [],
    ),
    led: code.relocations.flatMap(({ symbol: { name, place }, addend }) =>
      place === 'undefined' && name !== '__fentry__' ? [`${name}+${addend}`] : [],
    ),
    findings,
    rules: [...findings, ...object.findings.map(({ finding }) => finding)]
      .filter(({ symbol, severity }) => symbol !== '__fentry__' && severity !== 'note')
      .map(({ rule, severity, symbol }) => `${severity} ${rule} ${symbol}`),
    hints: object.findings.map(({ finding }) => finding.hint ?? ''),
  }
}

const mask = 'static const unsigned mask[] = { 0, 1, 3, 7, 15, 31 };'
const indexed = {
  header: mask,
  before: 'unsigned f(unsigned v, int n) { return v & mask[n]; } unsigned g(int n) { return mask[n]; }',
  after: 'unsigned livepatch_f(unsigned v, int n) { return n > 5 ? v : v & mask[n]; }',
  kernel: ['mask'],
  own: [],
}

describe('a constant of a header', () => {
  test('of which elements are read is the running kernel’s', () => {
    const { bound, carried, led, rules } = linked(indexed)
    expect(bound).toEqual({ mask: 'vmlinux' })
    expect([carried, rules]).toEqual([[], []])
    expect(led).toEqual(['mask+0'])
  })

  test('whose address is compared, or that of an element, is so, too', () => {
    const address = {
      ...indexed,
      before: 'extern const void *seen; int f(void) { return seen == mask; }',
      after: 'extern const void *seen; int livepatch_f(void) { return seen == mask || seen == &mask[3]; }',
      kernel: ['mask', 'seen'],
    }
    const { bound, carried, led } = linked(address)
    expect(bound).toEqual({ mask: 'vmlinux', seen: 'vmlinux' })
    expect(carried).toEqual([])
    expect(led).toEqual(expect.arrayContaining(['mask+0', 'mask+12']))
  })

  test('that leads to functions, texts and other constants is so with all that it leads to', () => {
    const header = `struct ops { const char *name; void (*run)(void); const unsigned *mask; };
      ${mask} void run(void);
      static const struct ops ops = { "plain", run, mask + 2 };`
    const stored = {
      ...indexed,
      header,
      before: 'extern const struct ops *now; void run(void) {} void f(void) { now = &ops; }',
      after: 'extern const struct ops *now; void livepatch_f(int a) { if (a) now = &ops; }',
      kernel: ['ops', 'mask', 'now', 'run'],
    }
    const { bound, carried, rules } = linked(stored)
    expect(bound).toEqual({ ops: 'vmlinux', mask: 'vmlinux', now: 'vmlinux', run: 'vmlinux' })
    expect([carried, rules]).toEqual([[], []])
    const elsewhere = linked({ ...stored, changedHeader: header.replace('mask + 2', 'mask + 3') })
    expect(elsewhere.rules).toEqual(['error copy-not-shared ops'])
  })

  test('that is new, that all its users took in, or of which the fix asks for a copy, is carried', () => {
    const alone = { ...indexed, before: 'int f(void) { return 1; }' }
    for (const given of [alone, { ...indexed, kernel: [] }, { ...indexed, own: ['mask'] }]) {
      const { bound, carried, rules } = linked(given)
      expect([bound, carried, rules]).toEqual([{}, ['mask'], []])
    }
  })

  test('that is not what the unit has is told to the author', () => {
    const changedHeader = mask.replace('31', '63')
    const engine = linked({ ...indexed, changedHeader })
    expect(engine.rules).toEqual(['error copy-not-shared mask'])
    expect(engine.findings[0]?.message).toMatch(/defines mask, .*; the two differ: its bytes/)
    expect(engine.carried).toEqual(['mask'])
    expect(linked({ ...indexed, changedHeader, own: undefined }).rules).toEqual(['warning copy-not-shared mask'])
    const longer = linked({ ...indexed, changedHeader: mask.replace('31', '31, 63') })
    expect(longer.rules).toEqual(['error copy-not-shared mask'])
  })

  test('whose section holds something else, too, is told to the author', () => {
    const place = (text: string) => text.replace(/\[\] =/, '[] __attribute__((section(".rodata.shared"))) =')
    const header = `${place(mask)} ${place(mask.replace('mask', 'other').replace('7', '5'))}`
    const after = 'unsigned livepatch_f(unsigned v, int n) { return v & mask[n] & other[n]; }'
    const before = 'unsigned f(unsigned v, int n) { return v & mask[n] & other[n] & 1; }'
    const { rules } = linked({ ...indexed, header, before, after, kernel: ['mask', 'other'] })
    expect(rules.toSorted()).toEqual(['error copy-not-shared mask', 'error copy-not-shared other'])
  })

  test('of which the kernel has several that its code does not tell apart is told to the author', () => {
    const { rules, hints } = linked({ ...indexed, kernel: ['mask', 'mask'] })
    expect(rules).toEqual(['error ambiguous-symbol mask'])
    expect(hints.join()).toMatch(/Give the file a constant of another name .* 1: r 1, 2: r 2/)
  })
})

test('a variable of a header would be a second one, which is told to the author', () => {
  const written = {
    header: 'static int count;',
    before: 'int f(int a) { count += a; return count; }',
    after: 'int livepatch_f(int a) { count += a + 1; return count; }',
    kernel: ['count'],
    own: [],
  }
  const { rules, findings, bound } = linked(written)
  expect(bound).toEqual({})
  expect(rules).toEqual(['error copy-not-shared count'])
  expect(findings[0]?.hint).toMatch(/binary engine/)
  const edited = linked({ ...written, own: undefined })
  expect(edited.rules).toEqual(['warning copy-not-shared count'])
  expect(edited.findings[0]?.hint).toMatch(/LIVEPATCH_SYMBOL/)
  expect(linked({ ...written, own: ['count'] }).rules).toEqual([])
})
