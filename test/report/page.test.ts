// SPDX-License-Identifier: GPL-3.0-or-later
// The report in a real browser, with what an enemy would write into a patch, a name or a console.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { reportPage } from '../../src/report/page.ts'
import { barriers, openBrowser, view } from './browser.ts'
import { someFacts } from './facts.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-report-'))
let browser: Browser

beforeAll(async () => {
  browser = await openBrowser()
}, 120_000)
afterAll(async () => {
  await browser.close()
  rmSync(work, { recursive: true })
})

function written(name: string, page: string): string {
  const file = path.join(work, `${name}.html`)
  writeFileSync(file, page)
  return file
}

const enemy =
  '</style></script><script>alert(1)</script><img src="http://192.0.2.1/x.png" onerror="alert(2)"><a ' +
  'href="javascript:alert(3)">&amp;"\' --> ]]> </td></table><style>*{display:none}</style>\u202e\x1b[2J'

describe('a hostile text in every place of a report', { timeout: 120_000 }, () => {
  const file = written('hostile', reportPage(someFacts(enemy)))

  test('is shown as text: nothing runs, nothing is fetched, nothing is restyled', async () => {
    await view(browser, file, { width: 1280, scheme: 'light', scripts: true }, async (page, sight) => {
      await page.waitForTimeout(200)
      expect(sight).toMatchObject({ requests: [], complaints: [] })
      expect(await page.locator('script, img, iframe, object, link, [onerror], [style]').count()).toBe(0)
      expect(await page.locator('style').count()).toBe(1)
      expect(await page.locator('a:not([href^="#"])').count()).toBe(0)
      const text = (await page.locator('body').textContent()) ?? ''
      expect(text).toContain('<script>alert(1)</script>')
      expect(text).toContain('\\u202e␛[2J')
      expect(text).not.toMatch(/[\u202e\x1b]/)
    })
  })

  test('a page that lets it through would be stopped by its own policy', async () => {
    const page = reportPage(someFacts('x')).replace(
      '<footer>',
      '<script>document.title = "run"</script><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" ' +
        'alt=""><style>body { display: none }</style><footer>',
    )
    const broken = written('broken', page)
    await view(browser, broken, { width: 1280, scheme: 'light', scripts: true }, async (opened, sight) => {
      await opened.waitForTimeout(200)
      expect(await opened.title()).not.toBe('run')
      expect(await opened.locator('body').isVisible()).toBe(true)
      expect(sight.complaints.length).toBeGreaterThanOrEqual(3)
    })
  })
})

describe('a report', { timeout: 120_000 }, () => {
  const small = written('small', reportPage(someFacts('a text', 2, 8)))
  const file = written('plain', reportPage(someFacts('a text', 3, 40)))

  test.each([
    { width: 1280, scheme: 'light' },
    { width: 400, scheme: 'dark' },
  ] as const)('fits and can be read without scripts: $width pixels, $scheme', async ({ width, scheme }) => {
    await view(browser, file, { width, scheme, scripts: false }, async (page, sight) => {
      expect(sight).toEqual({ requests: [], complaints: [], overflow: 0 })
      expect(await page.locator('h1').innerText()).toBe('fix: a text')
      // What is folded opens by itself, without a script.
      const fold = page.locator('.function details.fold').first()
      expect(await fold.locator('table').isVisible()).toBe(false)
      await fold.locator('summary').click()
      expect(await fold.locator('table').isVisible()).toBe(true)
    })
  })

  test.each(['light', 'dark'] as const)('has enough contrast and structure in %s', async (scheme) => {
    await view(browser, small, { width: 1280, scheme, scripts: true }, async (page) => {
      expect(await barriers(page)).toEqual([])
    })
  })

  test('prints everything, also what is folded on the screen', async () => {
    await view(browser, file, { width: 1280, scheme: 'dark', scripts: false }, async (page) => {
      await page.emulateMedia({ media: 'print' })
      expect(await page.locator('.function details.fold table').first().isVisible()).toBe(true)
      expect(await page.locator('details.console pre').first().isVisible()).toBe(true)
      const paper = await page.pdf({ preferCSSPageSize: true })
      expect(paper.subarray(0, 5).toString()).toBe('%PDF-')
    })
  })

  test('every entry of its contents leads somewhere', async () => {
    await view(browser, file, { width: 1280, scheme: 'light', scripts: false }, async (page) => {
      const places = await page
        .locator('a[href^="#"]')
        .evaluateAll((links) => links.map((link) => link.getAttribute('href')))
      expect(places.length).toBeGreaterThan(7)
      for (const place of new Set(places)) expect(await page.locator(place ?? '').count(), place ?? '').toBe(1)
    })
  })

  test('of 150 functions groups them in its picture and stays below 2 MB', async () => {
    const page = reportPage(someFacts('a text', 150, 400))
    expect(page.length).toBeLessThan(2_000_000)
    const large = written('large', page)
    await view(browser, large, { width: 1280, scheme: 'light', scripts: false }, async (opened, sight) => {
      expect(sight.overflow).toBe(0)
      expect(await opened.locator('details.function').count()).toBe(150)
      expect(await opened.locator('svg.graph g.function').count()).toBe(5)
      // In spite of what is left out, each function shows what differs.
      expect(await opened.locator('details.function:not(:has(td.add))').count()).toBe(0)
    })
  })
})
