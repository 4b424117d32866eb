// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, test } from 'vitest'
import { junitXml } from '../../src/vm/junit.ts'
import type { Proof } from '../../src/vm/proof.ts'

const check = 'module-first.check.after.0'
const proof: Proof = {
  format: 'inarch-proof-2',
  verdict: 'failed',
  failures: [{ code: 'check', message: 'did not print "<a & b>"', step: check, lines: ['\x1b[1m<x>\0', ']]>'] }],
  notes: [],
  over: [],
  module: { name: 'livepatch_fix', file: 'livepatch-fix.ko', sha256: '0'.repeat(64) },
  kernel: { release: '6.1.0', version: '6.1.1-1' },
  machine: { accelerator: 'tcg', cpus: 2, memory: 512, parameters: [] },
  boots: 1,
  bootMs: [3000],
  orders: [
    {
      order: 'module-first',
      title: 'load and revert',
      steps: [
        { id: 'module-first.load', title: 'load', ms: 250, outcome: 'done' },
        {
          id: check,
          title: "run: echo '<a>'",
          ms: 10,
          outcome: 'done',
          output: { exitCode: 0, text: 'a\x07<b>\ud800' },
        },
      ],
    },
  ],
  replaced: [],
  coverage: {
    functions: [{ object: 'vmlinux', name: 'f', sympos: 0, ran: 0 }],
    checked: true,
    exercises: [],
  },
  loads: [],
  log: [],
  consoles: [],
  ms: 5000,
}

describe('a proof as JUnit XML', () => {
  const xml = junitXml([proof])

  test('has a case for the way in and out and one for each check', () => {
    expect(xml.match(/<testcase [^>]*name="([^"]*)"/g)).toHaveLength(4)
    expect(xml).toContain('tests="2" failures="1"')
  })

  test('puts a failure on its check', () => {
    const cases = xml.split('<testcase').slice(1)
    expect(cases.filter((text) => text.includes('<failure'))).toHaveLength(1)
    expect(cases.at(-1)).toContain('<failure type="check" message="did not print &quot;&lt;a &amp; b&gt;&quot;">')
  })

  test('has no character that XML can’t hold', () => {
    expect(xml).not.toMatch(/[\x00-\x08\x0b\x0c\x0e-\x1f]/)
    expect(Buffer.from(xml).toString()).toBe(xml)
    expect(xml).not.toContain(']]>')
  })

  test('opens and closes its elements in turn', () => {
    const open: string[] = []
    for (const [, close, name = '', empty] of xml.matchAll(/<(\/?)([a-z-]+)(?:\s[^>]*?)?(\/?)>/g)) {
      if (close) expect(open.pop()).toBe(name)
      else if (!empty) open.push(name)
    }
    expect(open).toEqual([])
  })
})
