// SPDX-License-Identifier: GPL-3.0-or-later
// What a manifest keeps for the reviewer: packed, unpacked, and not believed when somebody else packed it.
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import { evidenceFor, packEvidence, textsOf, unpackEvidence } from '../../../src/module/manifest/evidence.ts'
import { parsePatch } from '../../../src/patch/parse.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-evidence-'))
afterAll(() => rmSync(work, { recursive: true }))

test('each function has its source on both sides, also one that the patch does not touch', async () => {
  mkdirSync(path.join(work, 'mm'))
  writeFileSync(path.join(work, 'mm/b.c'), 'int other(void)\n{\n\treturn helper();\n}\n')
  const before = '\nstatic int one(void)\n{\n\treturn 1; /* \xe4 */\n}\n'
  const patch = parsePatch(Buffer.from('--- a/mm/a.c\n+++ b/mm/a.c\n@@ -1 +1 @@\n-a\n+b\n'), '/some/where/fix.patch')
  const entry = (name: string, unit: string) => ({ name, unit, sympos: 0, reasons: [] })
  const evidence = await evidenceFor(
    {
      kernel: { source: work } as Kernel,
      request: { patches: [patch], replace: true, output: '' },
      changes: [{ path: 'mm/a.c', before, after: before.replace('1', '2'), origins: new Map(), lineage: [] }],
    },
    {
      inputs: [],
      objects: [
        {
          name: 'vmlinux',
          functions: [entry('one.isra.0', 'mm/a.c'), entry('other', 'mm/b.c'), entry('lost', 'mm/c.c')],
          callbacks: [],
        },
      ],
    },
  )
  expect(evidence.inputs).toEqual([{ file: 'fix.patch', text: patch.text }])
  expect(evidence.functions).toEqual([
    {
      object: 'vmlinux',
      name: 'one.isra.0',
      unit: 'mm/a.c',
      file: 'mm/a.c',
      before: { line: 2, text: 'static int one(void)\n{\n\treturn 1; /* \ufffd */\n}' },
      after: { line: 2, text: 'static int one(void)\n{\n\treturn 2; /* \ufffd */\n}' },
    },
    {
      object: 'vmlinux',
      name: 'other',
      unit: 'mm/b.c',
      file: 'mm/b.c',
      before: { line: 1, text: 'int other(void)\n{\n\treturn helper();\n}' },
    },
  ])
  expect(unpackEvidence(packEvidence(evidence))).toEqual(evidence)
})

test.each([
  ['no base64', '####'],
  ['no gzip', Buffer.from('text').toString('base64')],
  ['no JSON', gzipSync('{').toString('base64')],
  ['something else', gzipSync('{"inputs":1}').toString('base64')],
  ['too much', gzipSync(Buffer.alloc(40 * 1024 * 1024)).toString('base64')],
])('%s is refused in one sentence', (_, packed) => {
  expect(() => unpackEvidence(packed)).toThrow('The evidence in the manifest can’t be understood')
})

test('a file of a live patch that is no longer as it was built is no evidence', async () => {
  const text = 'int f;\n'
  writeFileSync(path.join(work, 'unit.c'), text)
  const sha256 = createHash('sha256').update(text).digest('hex')
  expect(await textsOf(work, [{ file: 'unit.c', sha256 }])).toEqual([{ file: 'unit.c', text }])
  writeFileSync(path.join(work, 'unit.c'), 'int g;\n')
  expect(await textsOf(work, [{ file: 'unit.c', sha256 }])).toEqual([])
})
