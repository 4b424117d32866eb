// SPDX-License-Identifier: GPL-3.0-or-later
// The main job as a stranger sees it: every example, on a stock kernel of each series, from the diff to the
// reverted live patch.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readExamples } from '../../src/demo/example.ts'
import { openBrowser, view } from '../report/browser.ts'
import { buildCommand, inarch } from './inarch.ts'

let work: string

beforeAll(() => {
  buildCommand()
  work = mkdtempSync(path.join(os.tmpdir(), 'inarch-demo-'))
})

afterAll(() => rmSync(work, { recursive: true, force: true }))

/** What `inarch demo --json` tells of one case, as far as it is looked at here. */
interface Case {
  readonly example: { readonly name: string }
  readonly kernel: { readonly release: string; readonly series: string }
  readonly proof: {
    readonly verdict: string
    readonly failures: readonly unknown[]
    readonly orders: readonly { readonly order: string }[]
  }
  readonly manifest: { readonly sha256: string }
}

describe('the demo', () => {
  test('proves every example on Debian 12, and keeps the modules', async () => {
    const { code, stdout, stderr } = await inarch(['demo', '--json', '-k', 'bookworm', '-o', 'kept'], {
      cwd: work,
    })
    expect(code, stderr).toBe(0)
    const cases = JSON.parse(stdout) as Case[]
    for (const { proof } of cases) expect([proof.verdict, proof.failures]).toEqual(['proven', []])
    // An example whose own kernel has left the archive is left out, and said so.
    const leftOut = readExamples().filter(({ name }) => !cases.some(({ example }) => example.name === name))
    for (const { kernel } of leftOut) expect(kernel).toBeDefined()
    for (const { example } of cases) {
      const manifest = readFileSync(path.join(work, 'kept', `livepatch-${example.name}.json`), 'utf8')
      expect(JSON.parse(manifest).name).toBe(example.name)
    }
    // What is kept has a report, which people can read in a browser.
    const browser = await openBrowser()
    try {
      for (const { example, manifest } of cases) {
        const file = path.join(work, 'kept', `livepatch-${example.name}.html`)
        await view(browser, file, { width: 1280, scheme: 'light', scripts: false }, async (page, sight) => {
          expect(sight).toEqual({ requests: [], complaints: [], overflow: 0 })
          expect(await page.locator('.verdict').innerText()).toMatch(/^Proven on its kernel/)
          expect(await page.locator('.stamps').innerText()).toContain('instruction by instruction')
          expect(await page.locator('body').innerText()).toContain(manifest.sha256)
          // Of each function: its source and its machine code, with what differs.
          const functions = page.locator('details.function')
          expect(await functions.count()).toBeGreaterThan(0)
          for (const one of await functions.all()) {
            expect(await one.locator('h4', { hasText: 'Source' }).count()).toBe(1)
            expect(await one.locator('h4', { hasText: 'the kernel’s, after' }).count()).toBe(1)
            expect(await one.locator('td.add').count()).toBeGreaterThan(0)
          }
          expect(await page.locator('svg.timeline path.line').count()).toBeGreaterThan(0)
        })
      }
    } finally {
      await browser.close()
    }
    const ofModule = cases.find(({ example }) => example.name === 'dummy-count-drops')
    expect(ofModule?.proof.orders.map(({ order }) => order)).toEqual(['module-first', 'patch-first'])
  })

  test('names the examples when one is asked for that is not there', async () => {
    const { code, stderr } = await inarch(['demo', 'nothing-like-this'], { cwd: work })
    expect(code).toBe(2)
    expect(stderr).toContain('meminfo')
  })
})
