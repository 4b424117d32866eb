// SPDX-License-Identifier: GPL-3.0-or-later
// Makes the pictures in docs/images: builds and proves a live patch, writes its report, and takes the browser's picture
// of some places of it. `npm run screenshots`; with a report's path as an argument, of that report.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { openBrowser } from '../test/report/browser.ts'

const root = process.cwd()
const images = path.join(root, 'docs/images')

interface Shot {
  readonly name: string
  /** What begins at the top of the picture. */
  readonly at: string
  readonly width: number
  readonly height: number
  readonly scheme: 'light' | 'dark'
}

const shots: readonly Shot[] = [
  { name: 'report-head', at: 'header', width: 1120, height: 760, scheme: 'light' },
  { name: 'report-code', at: '#functions', width: 1120, height: 820, scheme: 'light' },
  { name: 'report-proof', at: '#proof', width: 1120, height: 700, scheme: 'dark' },
]

function inarch(...args: readonly string[]): void {
  const program = path.join(root, 'dist/inarch.js')
  const { status } = spawnSync(process.execPath, [program, ...args], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

async function shoot(report: string): Promise<void> {
  mkdirSync(images, { recursive: true })
  const browser = await openBrowser()
  for (const { name, at, width, height, scheme } of shots) {
    const context = await browser.newContext({
      javaScriptEnabled: false,
      viewport: { width, height },
      colorScheme: scheme,
      deviceScaleFactor: 1.5,
    })
    const page = await context.newPage()
    await page.goto(`file://${path.resolve(report)}`)
    const top = (await page.locator(at).boundingBox())?.y ?? 0
    await page.screenshot({
      path: path.join(images, `${name}.png`),
      fullPage: true,
      clip: { x: 0, y: Math.max(0, top - 24), width, height },
    })
    await context.close()
  }
  await browser.close()
}

const [given] = process.argv.slice(2)
if (given !== undefined) await shoot(given)
else {
  const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-screenshots-'))
  try {
    inarch('demo', '-o', work, '-k', '6.1', 'dummy-count-drops')
    await shoot(path.join(work, 'livepatch-dummy-count-drops.html'))
  } finally {
    rmSync(work, { recursive: true })
  }
}
