// SPDX-License-Identifier: GPL-3.0-or-later
// The page of the real fixes and what it is made from belong together.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { patchOf, readChoice } from '../../bench/fixes/choice.ts'
import { fixesPage } from '../../bench/fixes/page.ts'
import { readCompared, readResults, readViews } from '../../bench/fixes/results.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import { reversed } from '../fixes/reversed.ts'

const { fixes } = readChoice()

test('docs/fixes.md is the page that follows from what was found', () => {
  const page = fixesPage(readChoice(), readResults(), readViews(), readCompared())
  expect(readFileSync('docs/fixes.md', 'utf8')).toBe(page)
})

test('each fix has a patch with its hunks, and a reader’s view', () => {
  const views = readViews()
  for (const { id, titles, files } of fixes) {
    const { preamble, files: changed } = parsePatch(readFileSync(patchOf(id)), `${id}.patch`)
    for (const title of titles) expect(preamble).toContain(title)
    expect(changed.map(({ newPath }) => newPath)).toEqual(Object.keys(files).map((file) => `b/${file}`))
    expect(views[id], id).toBeDefined()
  }
})

test('a patch that is turned around twice is the patch', () => {
  for (const { id } of fixes) {
    const text = readFileSync(patchOf(id), 'latin1')
    const once = reversed(text)
    const { files } = parsePatch(Buffer.from(once, 'latin1'), `${id}.patch`)
    expect(files.flatMap(({ hunks }) => hunks).length).toBe(text.match(/^@@ /gm)?.length)
    expect(reversed(once)).toBe(text.slice(text.indexOf('\n--- a/') + 1))
  }
})
