// SPDX-License-Identifier: GPL-3.0-or-later
// What programs say when the disk is full, and what they only quote.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { command } from '../../src/ground/command.ts'
import { diskFullLine } from '../../src/ground/disk-full.ts'

const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-full-'))
afterAll(() => rmSync(dir, { recursive: true }))

test.each([
  'fs/proc/meminfo.c:173:8: fatal error: error closing /tmp/x.s: No space left on device',
  'kernel/sys.c:2873:1: fatal error: error writing to /tmp/ccX.s: No space left on device',
  "/usr/bin/as: x.o: can't write 12 bytes to section .text: 'No space left on device'",
  'tar: linux-source-6.1/mm/memory.c: Cannot write: No space left on device',
  'cp: error writing x: Disk quota exceeded',
  "E: You don't have enough free space in /x/archives/.",
])('%s', (line) => {
  expect(diskFullLine(`first\n${line}\nlast`)).toBe(line)
})

test('what a source says is not what the system says', async () => {
  const file = path.join(dir, 'a.c')
  const text = 'No space left on device'
  writeFileSync(file, `#error ${text}\nint f(void) { return "${text}" + unknown; }\n_Static_assert(0, "${text}");\n`)
  for (const compiler of ['gcc', 'clang']) {
    const { status, stderr } = spawnSync(compiler, ['-fsyntax-only', file], { encoding: 'utf8' })
    if (status === null) continue
    expect(stderr).toContain(text)
    expect(diskFullLine(stderr)).toBeUndefined()
  }
})

test('a program that fails for it fails for nothing else, whoever asks', async () => {
  const run = command('dd', ['if=/dev/zero', 'of=/dev/full', 'bs=1', 'count=1'], { allowFailure: true })
  await expect(run).rejects.toMatchObject({ kind: 'environment', code: 'disk-full' })
})
