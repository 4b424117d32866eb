// SPDX-License-Identifier: GPL-3.0-or-later
// Texts that a compiler would work on until the machine is full.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { exhaustion, parseDependencies, runCompiler } from '../../../src/build/compiler/compiler-run.ts'
import { silentJournal } from '../../../src/ground/job.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-limits-'))
afterAll(() => rmSync(dir, { recursive: true }))

async function compiled(text: string): Promise<string | undefined> {
  writeFileSync(path.join(dir, 'x.c'), text)
  const run = await runCompiler(job, 'gcc', ['-c', 'x.c', '-o', 'x.o'], { cwd: dir, temporary: dir })
  expect(run.ok).toBe(false)
  return exhaustion(run.messages)
}

test('an object that would fill the disk', async () => {
  expect(await compiled('char x[1UL << 36] = { 1 };')).toBe('makes a file of more than 256 MB')
})

test('an assembly that fills a section', async () => {
  expect(await compiled('asm(".fill 0x10000000, 8, 1");')).toMatch(/^(?:makes|needs)/)
})

test('macros that double thirty times', async () => {
  const doubling = Array.from({ length: 34 }, (_, i) => `#define A${i + 1} A${i} A${i}`)
  expect(await compiled(`#define A0 x++;\n${doubling.join('\n')}\nint f(int x) { A34 return x; }`)).toMatch(
    /^needs more than [\d.]+ GB of memory$/,
  )
}, 300_000)

test('a plain mistake is none of it', async () => {
  expect(await compiled('int x = memory exhausted;')).toBeUndefined()
})

test('the names of files in a list of dependencies are read as make would', () => {
  expect(parseDependencies('x.o: a.c ./b.h \\\n  c\\ d.h e$$f.h g\\#h.h ../up/i.h\n')).toEqual([
    'a.c',
    'b.h',
    'c d.h',
    'e$f.h',
    'g#h.h',
    '../up/i.h',
  ])
})
