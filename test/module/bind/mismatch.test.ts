// SPDX-License-Identifier: GPL-3.0-or-later
// What a build says when the function that it would replace, or one that the patch calls, is not the one that runs.
import { expect, test } from 'vitest'
import { splitObject } from '../../../src/diff/object/split-object.ts'
import { silentJournal } from '../../../src/ground/job.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import type { KernelNames } from '../../../src/match/names.ts'
import { unpackExpectation } from '../../../src/match/record.ts'
import { unitMatchers } from '../../../src/match/unit-matcher.ts'
import { Binder } from '../../../src/module/bind/bind.ts'
import { explainMismatches } from '../../../src/module/bind/mismatch.ts'
import { atomOf, link } from '../../match/small-image.ts'
import { changeOf, compile, extractionOf } from '../../objects.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = { release: '6.1.0', origin: 'local', compiler: { versionText: 'gcc' } } as Kernel

const source = `
static int count;
static __attribute__((noinline)) int helper(int a) { return a * 3 + count++; }
int patched(int a) { return helper(a) + 1; }
int other(int a) { return a ^ 5; }`

/** The names of a small kernel that runs this source. */
function namesFor(running: string): KernelNames {
  const image = link(running)
  return {
    symbols: (_, name) =>
      image.addressesOf(name).map((address, index) => ({
        name,
        address,
        type: /^(helper|count)$/.test(name) ? 't' : 'T',
        whileLoading: index + 1,
        crowded: false,
      })),
    exported: () => undefined,
    at: () => [],
    landing: () => undefined,
    freed: () => false,
    needs: () => [],
    running: () => image,
    matcher: unitMatchers(() => image),
  }
}

const unit = { unit: 'unit.c', before: splitObject(compile(source)) }

test('a function that matches is recorded with what its code must be', () => {
  const bind = new Binder(namesFor(source))
  const atom = atomOf(unit.before, 'patched')
  expect(bind.replacement('vmlinux', atom, unit)).toBe(0)
  const record = bind.recordOf(atom)!
  expect(record).toMatchObject({ by: 'name', unconfirmed: 0 })
  expect(record.address).toMatch(/^ffffffff81/)
  const [main] = unpackExpectation(record.expected).parts
  expect(main.fields.map(({ to }) => ('symbol' in to ? to.symbol : ''))).toContain('helper')
})

test('a replaced function that differs is refused with both instructions and the cause', async () => {
  const names = namesFor(source.replace('a ^ 5', 'a ^ 6'))
  const bind = new Binder(names)
  expect(bind.replacement('vmlinux', atomOf(unit.before, 'other'), unit)).toBeUndefined()
  const [finding, ...more] = await explainMismatches(job, kernel, names, bind.findings)
  expect(more).toEqual([])
  expect(finding).toMatchObject({ severity: 'error', rule: 'code-differs', symbol: 'other', unit: 'unit.c' })
  expect(finding?.message).toMatch(/`xor \$0x5,%eax` is expected, and `xor \$0x6,%eax` runs; only an immediate/)
  expect(finding?.hint).toContain('configuration')
})

test('so is a private function that the patch calls, but not one that it leaves alone', async () => {
  const change = changeOf(source, source.replace('a ^ 5', 'helper(a)'), 'unit.c')
  const bound = (running: string) => {
    const names = namesFor(running)
    const bind = new Binder(names)
    for (const reference of extractionOf([change]).references.values()) bind.bind(reference)
    return explainMismatches(job, kernel, names, bind.findings)
  }
  expect(await bound(source)).toEqual([])
  expect(await bound(source.replace('helper(a) + 1', 'helper(a) + 2'))).toEqual([])
  const findings = await bound(source.replace('a * 3', 'a * 7'))
  expect(findings).toMatchObject([{ rule: 'code-differs', symbol: 'helper' }])
  expect(findings[0]?.message).toContain('the patch refers to it')
})
