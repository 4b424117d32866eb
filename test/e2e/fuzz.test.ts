// SPDX-License-Identifier: GPL-3.0-or-later
// Hostile objects as the user meets them: files given to the command. test/elf/fuzz.test.ts tries many more.
import { spawnSync } from 'node:child_process'
import { beforeAll, expect, test } from 'vitest'
import { buildCommand, root } from './inarch.ts'

beforeAll(buildCommand)

test('a file that is no good object ends in a sentence, the exit code says what it was, and nothing is left', () => {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['scripts/run.mjs', 'bench/fuzz.ts', '--command', '--cases', '200', '--alone', '10', '--seed', '8', '--json'],
    { cwd: root, encoding: 'utf8' },
  )
  expect(stderr).toBe('')
  const { outcomes, failures } = JSON.parse(stdout)
  expect(failures).toEqual([])
  expect(status).toBe(0)
  // All ends are met.
  expect(Object.keys(outcomes).sort()).toEqual(['change', 'error', 'none', 'refused'])
})
