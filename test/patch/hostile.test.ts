// SPDX-License-Identifier: GPL-3.0-or-later
// Patches that are made to take long or to end in a crash. What they cost is bounded by the code, in steps; with a loop
// in a loop each of these tests would take minutes, which its time limit ends.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Fault } from '../../src/ground/fault.ts'
import { applyPatches } from '../../src/patch/apply.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import { Effort, Numbered } from '../../src/patch/places.ts'

let tree: string
beforeAll(() => {
  tree = mkdtempSync(path.join(os.tmpdir(), 'inarch-hostile-'))
})
afterAll(() => rmSync(tree, { recursive: true }))

const read = (text: string) => parsePatch(Buffer.from(text, 'latin1'), 'fix.patch')
const codeOf = (text: string) => {
  try {
    read(text)
    return 'read'
  } catch (error) {
    if (error instanceof Fault && error.kind === 'patch') return error.code
    throw error
  }
}
async function applied(text: string): Promise<Fault | undefined> {
  try {
    await applyPatches(tree, [read(text)])
    return undefined
  } catch (error) {
    if (error instanceof Fault && error.kind === 'patch') return error
    throw error
  }
}

const many = 300_000
const hunk = '@@ -1 +1 @@\n-a\n+b\n'

describe('a line of hundreds of thousands of characters', () => {
  const fillings = {
    spaces: ' ',
    tabs: '\t',
    'carriage returns': '\r',
    'form feeds': '\f',
    'no-break spaces': '\xa0',
    slashes: '/',
    quotes: '"',
    backslashes: '\\',
    dots: '.',
    digits: '1',
    dates: ' 2026-01-01 00:00:0',
    'names and spaces': 'a ',
    'halves of a header': '@@ -1,1 ',
    'binary files': 'Binary files ',
  }
  for (const [name, filling] of Object.entries(fillings))
    test(`of ${name} is read at once, wherever it stands`, () => {
      const long = filling.repeat(many / filling.length)
      for (const text of [
        `${long}\n`,
        `--- a/x${long}x\n+++ b/x\n${hunk}`,
        `--- "${long}\n+++ b/x\n${hunk}`,
        `--- a/x\n+++ b/${long}\n${hunk}`,
        `--- a/x\n+++ b/x\t${long}\n${hunk}`,
        `diff --git ${long}\nnew file mode 100644\n`,
        `diff --git "${long}\nnew file mode 100644\n`,
        `diff --git a/x b/y\nrename from ${long}\nrename to ${long}x\n`,
        `diff --git a/x b/x\nindex ${long}\n--- a/x\n+++ b/x\n${hunk}`,
        `Binary files ${long}\n`,
        `*** ${long}\n--- ${long}\n`,
        `--- a/x\n+++ b/x\n@@ -1 +1 @@${long}\n-${long}\n+${long}\n`,
        `--- a/x\n+++ b/x\n@@ -1${long} +1 @@\n-a\n+b\n`,
      ])
        codeOf(text)
    })
})

test('a line of source that is too long for source is refused where it stands', () => {
  const [long, longest] = ['x'.repeat(10_001), 'x'.repeat(10_000)]
  expect(codeOf(`--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+${long}\n`)).toBe('line-too-long')
  expect(codeOf(`--- a/x\n+++ b/x\n@@ -1 +1 @@\n-${long}\n+b\n`)).toBe('line-too-long')
  expect(codeOf(`--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n ${long}\n-a\n+b\n`)).toBe('line-too-long')
  expect(codeOf(`--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+${longest}\n`)).toBe('read')
})

test('a path that no file system has is refused where it stands', () => {
  const long = 'x'.repeat(256)
  const deep = 'd/'.repeat(2100)
  const utf8 = Buffer.from('é'.repeat(128)).toString('latin1')
  for (const name of [long, `${long}/f.c`, `fs/${long}/f.c`, deep, utf8]) {
    expect(codeOf(`--- a/${name}\n+++ b/x\n${hunk}`)).toBe('path-too-long')
    expect(codeOf(`--- "a/${name}"\n+++ b/x\n${hunk}`)).toBe('path-too-long')
    expect(codeOf(`diff --git a/${name} b/${name}\ndeleted file mode 100644\n`)).toBe('path-too-long')
  }
  expect(codeOf(`--- a/${'x'.repeat(255)}\n+++ b/x\n${hunk}`)).toBe('read')
})

describe('a hunk in a file of repeated lines', () => {
  const line = '\tx();\n'
  const context = (count: number) => `${' \tx();\n'.repeat(count)}`
  beforeAll(() => {
    writeFileSync(path.join(tree, 'same.c'), line.repeat(many))
    writeFileSync(path.join(tree, 'two.c'), `${line}\ty();\n`.repeat(many / 2))
  })

  test('is found where it stands', async () => {
    const half = many / 2
    const text = `--- a/same.c\n+++ b/same.c\n@@ -1,${half} +1,${half + 1} @@\n${context(half)}+new\n`
    expect(await applied(text)).toBeUndefined()
  })

  test('that fits everywhere but at its own line is ambiguous, in a short sentence', async () => {
    for (const count of [3, 1000, many / 2]) {
      const fault = await applied(
        `--- a/same.c\n+++ b/same.c\n@@ -${many} +${many} @@\n${context(count)}+new\n`.replace(
          '@@ -300000 +300000 @@',
          `@@ -${many},${count} +${many},${count + 1} @@`,
        ),
      )
      expect(fault?.code).toBe('hunk-ambiguous')
      expect(fault?.message.length).toBeLessThan(300)
      expect(fault?.message).toContain('lines 1, 2, 3, 4, 5 and ')
    }
  })

  test('that fits nowhere is told with the lines around the first that differs', async () => {
    for (const file of ['same.c', 'two.c']) {
      const count = many / 2
      const fault = await applied(
        `--- a/${file}\n+++ b/${file}\n@@ -1,${count} +1,${count + 1} @@\n${context(count - 1)} z();\n+new\n`,
      )
      expect(fault?.code).toBe('hunk-does-not-apply')
      expect(fault?.detail?.length).toBeLessThan(10_000)
    }
    const fault = await applied(`--- a/same.c\n+++ b/same.c\n@@ -1,101 +1,102 @@\n${context(100)} z();\n+new\n`)
    expect(fault?.detail).toContain('- 101 | z();')
  })
})

test('a patch with very many parts and hunks ends in a result or a refusal', async () => {
  const numbers = Array.from({ length: 50_000 }, (_, i) => `${i}\n`)
  writeFileSync(path.join(tree, 'numbers.c'), numbers.join(''))
  const header = '--- a/numbers.c\n+++ b/numbers.c\n'
  const part = (at: number, stated: number) => `@@ -${stated} +${stated} @@\n-${at}\n+${at}\n`
  const hunks = Array.from({ length: 12_000 }, (_, i) => part(i * 4, i % 2 === 0 ? 1 : 49_000)).join('')
  expect((await applied(header + hunks))?.code).toBe('too-much-to-search')
  const parts = Array.from({ length: 5_000 }, (_, i) => header + part(i, i + 1)).join('')
  expect((await applied(parts))?.code).toBe('too-much-to-search')
  const files = Array.from({ length: 5_000 }, (_, i) => {
    const name = `${'d/'.repeat(30)}${i}.c`
    return `--- a/${name}\n+++ b/${name}\n${hunk}`
  }).join('')
  expect((await applied(files))?.code).toBe('file-missing')
})

test('what is spent is counted', () => {
  const effort = new Effort(10)
  effort.spend(10, 'fix.patch:1')
  expect(() => effort.spend(1, 'fix.patch:1')).toThrow(/^fix\.patch:1: too many hunks/)
})

test('lines are found wherever a plain search finds them', () => {
  const lines = (letters: string) => [...letters].map((text) => ({ text }))
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 30 })
  fc.assert(
    fc.property(
      letters,
      fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 5 }),
      fc.nat(30),
      (file, side, from) => {
        const plain = Array.from(file, (_, at) => at).filter((at) => at >= from && file.startsWith(side, at))
        expect(new Numbered(lines(file)).places(lines(side), from)).toEqual(plain)
      },
    ),
    { numRuns: 500 },
  )
})
