// SPDX-License-Identifier: GPL-3.0-or-later
// A report in a real browser: what it asks for, how it fits, and whether people can read it.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Debian's Chromium. Without its sandbox when root runs the tests, as it demands. */
export function openBrowser(): Promise<Browser> {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [...sandbox, '--disable-dev-shm-usage'],
  })
}

export interface Sight {
  /** Every address that the page asked for besides its own. */
  readonly requests: readonly string[]
  /** What the browser complained about: refused scripts and styles, errors. */
  readonly complaints: readonly string[]
  /** Pixels by which the page is wider than the window. */
  readonly overflow: number
}

export interface View {
  readonly width: number
  readonly scheme: 'light' | 'dark'
  readonly scripts: boolean
}

/** Opens a page and hands it to `look`. */
export async function view<T>(
  browser: Browser,
  file: string,
  { width, scheme, scripts }: View,
  look: (page: Page, sight: Sight) => Promise<T>,
): Promise<T> {
  const context = await browser.newContext({
    javaScriptEnabled: scripts,
    viewport: { width, height: 900 },
    colorScheme: scheme,
  })
  try {
    const page = await context.newPage()
    const own = pathToFileURL(file).href
    const requests: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => {
      if (request.url() !== own) requests.push(request.url())
    })
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('dialog', (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    await page.goto(own)
    const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
    return await look(page, { requests, complaints, overflow: Number(overflow) })
  } finally {
    await context.close()
  }
}

/** What a reader with weak eyes, a keyboard or a screen reader would stumble over; each with its place. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const found = await page.evaluate(`axe.run(document, { resultTypes: ['violations'] })`)
  const { violations } = found as {
    violations: { id: string; nodes: { target: string[]; failureSummary?: string }[] }[]
  }
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')} ${failureSummary ?? ''}`),
  )
}
