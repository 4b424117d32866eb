// SPDX-License-Identifier: GPL-3.0-or-later
// A short run of the fuzzer (bench/fuzz.ts). The same seed gives the same cases, so what fails here can be
// repeated at once; long runs with other seeds are for whoever asks for them (npm run fuzz).
import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'

interface Summary {
  readonly cases: number
  readonly endings: { readonly compared: number; readonly refused: number }
  readonly failures: readonly { readonly number: number; readonly what: string }[]
  readonly slowest: readonly { readonly ms: number }[]
  /** Bytes. */
  readonly memory: number
}

interface ReadersSummary {
  readonly endings: Readonly<Record<string, { readonly read: number; readonly refused: number }>>
  readonly failures: readonly string[]
}

function fuzz(...args: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['scripts/run.mjs', 'bench/fuzz.ts', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let stdout = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout }))
  })
}

test('whatever is done to what a reader reads, there is an answer or one clear sentence', {
  timeout: 180_000,
}, async () => {
  const { code, stdout } = await fuzz('--readers', '--cases', '1500', '--seed', '3', '--json')
  const summary: ReadersSummary = JSON.parse(stdout)
  expect(summary.failures.slice(0, 5)).toEqual([])
  expect(code).toBe(0)
  // Each reader takes part, and most of them meet what they refuse.
  const endings = Object.entries(summary.endings)
  expect(endings.length).toBeGreaterThan(20)
  expect(endings.filter(([, { refused }]) => refused > 0).length).toBeGreaterThan(endings.length / 2)
})

test('whatever is done to a pair of objects, there is an answer or one clear sentence', {
  timeout: 180_000,
}, async () => {
  const cases = 4_000
  const { code, stdout } = await fuzz('--cases', String(cases), '--seed', '3', '--json')
  const summary: Summary = JSON.parse(stdout)
  expect(summary.failures.slice(0, 5)).toEqual([])
  expect(code).toBe(0)
  // Both ways are taken often, or the cases are too tame or too wild to find anything.
  expect(summary.endings.compared).toBeGreaterThan(cases / 8)
  expect(summary.endings.refused).toBeGreaterThan(cases / 8)
  expect(summary.endings.compared + summary.endings.refused).toBe(cases)
  expect(summary.memory).toBeLessThan(1024 ** 3)
})
