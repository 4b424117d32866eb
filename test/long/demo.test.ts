// SPDX-License-Identifier: GPL-3.0-or-later
// The demo on Debian 13.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildCommand, inarch } from '../e2e/inarch.ts'

interface Case {
  readonly example: { readonly name: string }
  readonly kernel: { readonly series: string }
  readonly proof: { readonly verdict: string }
}

let work: string
beforeAll(() => {
  buildCommand()
  work = mkdtempSync(path.join(os.tmpdir(), 'inarch-demo-'))
})
afterAll(() => rmSync(work, { recursive: true, force: true }))

test('the demo proves on Debian 13 what applies there', async () => {
  const args = ['demo', '--json', '-k', 'trixie', 'meminfo', 'dummy-count-drops']
  const { code, stdout, stderr } = await inarch(args, { cwd: work })
  expect(code, stderr).toBe(0)
  const cases = JSON.parse(stdout) as Case[]
  expect(cases.map(({ example, kernel, proof }) => [example.name, kernel.series, proof.verdict])).toEqual([
    ['meminfo', '6.12', 'proven'],
    ['dummy-count-drops', '6.12', 'proven'],
  ])
})
