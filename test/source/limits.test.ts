// SPDX-License-Identifier: GPL-3.0-or-later
// A file that a compiler would work on until the machine is full is refused as such.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import { compileUnit } from '../../src/source/compare/compile-check.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-source-limits-'))
afterAll(() => rmSync(dir, { recursive: true }))

test('a unit whose object would fill the disk is refused', async () => {
  writeFileSync(path.join(dir, 'x.c'), 'char x[1UL << 36] = { 1 };\n')
  const compiled = compileUnit(job, { file: 'x.c', cwd: dir, compiler: 'gcc', flags: [] })
  await expect(compiled).rejects.toMatchObject({
    code: 'takes-too-much',
    message: 'gcc makes a file of more than 256 MB for x.c',
  })
})
