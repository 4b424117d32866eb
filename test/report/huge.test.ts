// SPDX-License-Identifier: GPL-3.0-or-later
// A report about what nobody would review: texts of tens of thousands of lines that have nothing in common, hundreds of
// thousands of samples, numbers out of all bounds. It comes soon, or is refused in a sentence; with a loop in a loop
// each of these tests would take minutes, which its time limit ends.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parsePatch } from '../../src/patch/parse.ts'
import { align } from '../../src/report/facts/align.ts'
import type { Facts } from '../../src/report/facts/facts.ts'
import { type ProofRecord, readProof } from '../../src/report/facts/proof-file.ts'
import { highlightC } from '../../src/report/html/highlight.ts'
import { reportPage } from '../../src/report/page.ts'
import { someFacts } from './facts.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-huge-'))
afterAll(() => rmSync(work, { recursive: true }))

const numbered = (count: number, word: string) => Array.from({ length: count }, (_, at) => `${word} ${at}`)

describe('lines side by side', () => {
  test('are all there when nothing is alike', () => {
    const rows = align(numbered(60_000, 'old'), numbered(60_000, 'new'))
    expect(rows).toHaveLength(60_000)
    expect(rows.every(({ same }) => !same)).toBe(true)
    expect(rows.at(-1)).toEqual({ before: 59_999, after: 59_999, same: false })
  })

  test('begin and end alike where they do, whatever is between', () => {
    const shared = numbered(3, 'shared')
    const rows = align(
      [...shared, ...numbered(20_000, 'old'), ...shared],
      [...shared, ...numbered(10_000, 'new'), ...shared],
    )
    expect(rows).toHaveLength(20_006)
    expect(rows.slice(0, 3).map(({ same }) => same)).toEqual([true, true, true])
    expect(rows.at(-1)).toEqual({ before: 20_005, after: 10_005, same: true })
  })

  test('are told apart as ever where a few of many differ', () => {
    const before = numbered(60_000, 'line')
    const after = before.map((line, at) => (at % 1000 === 500 ? 'other' : line))
    const rows = align(before, after)
    expect(rows.filter(({ same }) => !same).map((row) => row.before)).toEqual(
      Array.from({ length: 60 }, (_, at) => at * 1000 + 500),
    )
  })
})

describe('a report', () => {
  const withFacts = (change: (facts: Facts) => Partial<Facts>) => {
    const facts = someFacts('text')
    return reportPage({ ...facts, ...change(facts) })
  }
  const withSource = (before: string, after: string) =>
    withFacts(({ functions: [one] }) => ({
      functions: [
        {
          ...one!,
          source: {
            object: 'vmlinux',
            name: 'f',
            unit: 'mm/some.c',
            file: 'mm/some.c',
            before: { line: 1, text: before },
            after: { line: 1, text: after },
          },
        },
      ],
    }))

  test('of a function with 60,000 unlike lines a side says what it left out', () => {
    const page = withSource(numbered(60_000, 'old').join('\n'), numbered(60_000, 'new').join('\n'))
    expect(page).toContain('further lines left out')
  })

  test('of equal lines around a difference, hundreds of thousands of them', () => {
    const lines = numbered(200_000, 'line')
    const page = withSource(lines.join('\n'), [...lines.slice(0, 100_000), 'x', ...lines.slice(100_000)].join('\n'))
    expect(page).toContain('equal lines left out')
  })

  test.each(['a', ' ', '(', '"', "'", '/*', 'operator', 'int f(', 'a *', '\\', '#define a\\\n'])(
    'of a text that is nothing but %j, in long lines and short ones',
    (piece) => {
      const long = piece.repeat(Math.ceil(100_000 / piece.length))
      const short = `${piece.repeat(Math.ceil(80 / piece.length))}\n`.repeat(1000)
      for (const text of [long, short]) withSource(text, `${text}x`)
      const marked = highlightC(long, 0).map(({ text }) => text)
      if (marked.length === 1) expect(marked.join('')).not.toContain('<i class')
    },
  )

  test('of a proof with 300,000 samples has a picture of an ordinary size', () => {
    const page = withFacts(({ proof }) => {
      const [order] = proof!.orders
      const samples = Array.from({ length: 300_000 }, (_, ms) => ({ ms, left: (ms * 7) % 40, total: 40 }))
      const steps = order!.steps.map((step) => ({ ...step, samples, ms: 300_000 }))
      return { proof: { ...proof!, orders: [{ ...order!, steps }] } }
    })
    expect(page).toContain('class="line"')
    expect(page.length).toBeLessThan(500_000)
  })

  test('of a patch of thousands of files, for functions of thousands of units', () => {
    const files = numbered(2000, 'f').map((name) => `mm/${name.replace(' ', '')}.h`)
    const text = files.map((file) => `--- a/${file}\n+++ b/${file}\n@@ -1 +1 @@\n-a\n+b\n`).join('')
    const page = withFacts(({ functions: [one] }) => ({
      inputs: [{ file: 'fix.patch', sha256: '', patch: parsePatch(Buffer.from(text), 'fix.patch') }],
      functions: files.map((unit, at) => ({
        ...one!,
        unit,
        name: `f${at}`,
        touches: [{ of: `module${at}`, name: `symbol${at}` }],
      })),
    }))
    expect(page).toContain('2000 files')
    expect(page).toContain('2000 functions of 2000 units')
  })

  test('of a message that looks like a list of files and is none', () => {
    const preamble = `fix\n---\n${' '.repeat(200_000)}\n${' a\n'.repeat(50_000)}end`
    const patch = parsePatch(Buffer.from(`${preamble}\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n`), 'fix.patch')
    const page = withFacts(() => ({ inputs: [{ file: 'fix.patch', sha256: '', patch }] }))
    expect(page).toContain('end</pre>')
    const subjects = `${'Subject: [\n'.repeat(100_000)}\n`
    const other = parsePatch(Buffer.from(`${subjects}--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n`), 'fix.patch')
    withFacts(() => ({ inputs: [{ file: 'fix.patch', sha256: '', patch: other }] }))
  })
})

describe('a proof file with a number out of bounds is refused', () => {
  const proof = someFacts('text').proof!
  const hash = proof.module.sha256
  const read = (change: (record: ProofRecord) => unknown, spelled = '"number"') => {
    const file = path.join(work, 'proof.json')
    writeFileSync(file, JSON.stringify(change(structuredClone(proof))).replaceAll('"number"', spelled))
    return readProof(file, hash)
  }

  test('and one without is read', async () => {
    expect(await read((record) => record)).toMatchObject({ verdict: 'failed' })
  })

  test.each(['1e308', '1e999', '-1', '3e9', 'null', '"1"', '[]'])('%s', async (number) => {
    const changes: ((record: ProofRecord) => unknown)[] = [
      (record) => ({ ...record, ms: 'number' }),
      (record) => ({ ...record, bootMs: ['number'] }),
      (record) => {
        const [order] = record.orders
        return { ...record, orders: [{ ...order, steps: [{ ...order!.steps[0], ms: 'number' }] }] }
      },
      (record) => {
        const [order] = record.orders
        const samples = [{ ms: 'number', left: 1, total: 1 }]
        return { ...record, orders: [{ ...order, steps: [{ ...order!.steps[0], samples }] }] }
      },
    ]
    for (const change of changes)
      await expect(read(change, number)).rejects.toMatchObject({ kind: 'usage', code: 'bad-proof' })
  })
})
