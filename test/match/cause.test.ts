// SPDX-License-Identifier: GPL-3.0-or-later
// What is said when the code that runs is another: both instructions, and why that may be so.
import { expect, test } from 'vitest'
import { splitObject } from '../../src/diff/object/split-object.ts'
import { silentJournal } from '../../src/ground/job.ts'
import { causeOf, readBanner } from '../../src/match/cause.ts'
import { compare, type Mismatch } from '../../src/match/compare.ts'
import { instructionsOf, describe as say } from '../../src/match/difference-text.ts'
import { disassemble } from '../../src/match/disassembly.ts'
import { expectationOf } from '../../src/match/expect.ts'
import { compile } from '../objects.ts'
import { atomOf, link } from './small-image.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
const banner = (text: string) => `const char linux_banner[] = "${text}";`
const mine = 'Linux version 6.1.0-9-test (a@b) (gcc-12 (Test 12.2.0-1) 12.2.0, GNU ld 2.40) #1 SMP Debian 6.1.9-1\\n'
const about = {
  release: '6.1.0-9-test',
  version: '6.1.9-1',
  origin: 'debian',
  compiler: { program: 'gcc-12', versionText: 'gcc-12 (Test 12.2.0-1) 12.2.0' },
} as const

const source = `
struct s { long x[4]; int here; };
int first(struct s *s) { return s->here + 1; }
int second(struct s *s) { return s->here * 3; }
int third(int a) { return a + 7; }
int fourth(int a) { return a * 9; }`

/** The first difference between what is compiled of one source and what runs of another, and its cause. */
async function differing(ours: string, theirs: string, name: string, text = mine) {
  const kernel = link(`${theirs}\n${banner(text)}`)
  const unit = splitObject(compile(ours))
  const address = kernel.addressesOf(name)[0]!
  const mismatch = compare(expectationOf(unit, atomOf(unit, name)), kernel, address) as Mismatch
  expect(mismatch.matches).toBe(false)
  const [texts] = await instructionsOf(job, [mismatch])
  return { mismatch, said: say(mismatch, texts!), cause: causeOf(about, kernel, kernel, unit, mismatch) }
}

test('another layout of a type is told from the number that differs', async () => {
  const { said, cause, mismatch } = await differing(source, source.replace('x[4]', 'x[5]'), 'first')
  expect(mismatch.why).toBe('operand')
  expect(said).toMatch(/^at \+0x\w+ `mov 0x20\(%rdi\),%eax` is expected, and `mov 0x28\(%rdi\),%eax` runs$/)
  expect(cause).toMatchObject({ kind: 'layout' })
  expect(cause.text).toContain('2 of the 4 functions')
})

test('another source is told when only this function differs', async () => {
  const { cause } = await differing(source, source.replace('a + 7', '(a + 7) / 5'), 'third')
  expect(cause).toMatchObject({ kind: 'source' })
  expect(cause.text).toContain('1 of the 4 functions')
})

test.each([
  ['kernel', mine.replace('6.1.0-9-test', '6.1.0-9-other'), '6.1.0-9-other'],
  ['compiler', mine.replaceAll('12.2.0', '13.1.0'), '13.1.0'],
  ['source', mine.replace('6.1.9-1', '6.1.8-1'), '6.1.8-1'],
])('the image itself tells of another %s', async (kind, text, evidence) => {
  const { cause } = await differing(source, source.replace('a + 7', 'a + 8'), 'third', text)
  expect(cause.kind).toBe(kind)
  expect(cause.text).toContain(evidence)
})

test('an image without a banner has none', () => {
  expect(readBanner(link('int f(void) { return 1; }'))).toBeUndefined()
})

test('a field that leads elsewhere is told by name', async () => {
  const calls = 'void one(void) {} void two(void) {} void f(void) { one(); two(); one(); }'
  const code = calls.replaceAll('void one(void) {} void two(void) {}', 'void one(void); void two(void);')
  const theirs = `${code.replace('one(); two(); one();', 'one(); one(); one();')} void one(void) {} void two(void) {}`
  const own = '__attribute__((noinline)) '
  const noinline = (text: string) =>
    text.replaceAll(/void (one|two)\(void\) \{/g, `${own}void $1(void) { asm volatile("");`)
  const { said, mismatch } = await differing(
    noinline(`${code} void one(void) {} void two(void) {}`),
    noinline(theirs),
    'f',
  )
  expect(mismatch).toMatchObject({ why: 'leads-elsewhere', expected: { symbol: 'two' } })
  expect(said).toContain('instead of two')
})

test('many pieces of code are disassembled by one run, each from its own address', async () => {
  const atoms = [
    { bytes: Buffer.from('e8fbffffff', 'hex'), address: 0xffffffff81000000n },
    { bytes: Buffer.from('0fff', 'hex'), address: 0n },
    { bytes: Buffer.from('488b05f9ffffff90', 'hex'), address: 0x1000n },
    { bytes: Buffer.from('48', 'hex'), address: 0n },
  ]
  const [call, , load, cut] = (await disassemble(job, atoms))!
  expect(call).toMatchObject([{ offset: 0, text: 'call 0xffffffff81000000' }])
  expect(load![0]!.text).toBe('mov -0x7(%rip),%rax # 0x1000')
  expect(load![1]).toMatchObject({ offset: 7, text: 'nop' })
  expect(cut).toHaveLength(1)
  expect(await disassemble(job, [])).toEqual([])
})
