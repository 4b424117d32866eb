// SPDX-License-Identifier: GPL-3.0-or-later
// The page of the real fixes and what it is made from belong together.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { patchDir, patchOf, readChoices, setNames } from '../../bench/fixes/choice.ts'
import { fittingFixes } from '../../bench/fixes/fit.ts'
import { fixesPage } from '../../bench/fixes/page.ts'
import { readFindings, readViews } from '../../bench/fixes/results.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import { reversed } from '../fixes/reversed.ts'

const patches = readChoices().flatMap(({ set, fixes }) =>
  fixes.map(({ id }) => ({ id, text: readFileSync(patchOf(set, id), 'latin1') })),
)

test('docs/fixes.md is the page that follows from what was found', () => {
  expect(readFileSync('docs/fixes.md', 'utf8')).toBe(fixesPage(setNames().map(readFindings)))
})

test('each fix has a patch with its hunks, and a reader’s view', () => {
  for (const { set, fixes } of readChoices()) {
    const views = readViews(set)
    for (const { id, titles, files } of fixes) {
      const { preamble, files: changed } = parsePatch(readFileSync(patchOf(set, id)), `${id}.patch`)
      for (const title of titles) expect(preamble).toContain(title)
      expect(changed.map(({ newPath }) => newPath)).toEqual(Object.keys(files).map((file) => `b/${file}`))
      expect(views[id], id).toBeDefined()
    }
    expect(readdirSync(patchDir(set)).sort(), set).toEqual(fixes.map(({ id }) => `${id}.patch`).sort())
  }
})

test('a patch that is turned around twice is the patch', () => {
  for (const { id, text } of patches) {
    const once = reversed(text)
    const { files } = parsePatch(Buffer.from(once, 'latin1'), `${id}.patch`)
    expect(files.flatMap(({ hunks }) => hunks).length).toBe(text.match(/^@@ /gm)?.length)
    expect(reversed(once)).toBe(text.slice(text.indexOf('\n--- a/') + 1))
  }
})

test('a fix fits a source that lacks it as it is, one that has it turned around, and no other', async () => {
  const [{ set, fixes } = { set: '', fixes: [] }] = readChoices()
  const fix = fixes.find(({ files }) => Object.keys(files).length === 1)!
  const [file = ''] = Object.keys(fix.files)
  const hunk = readFileSync(patchOf(set, fix.id), 'latin1')
    .split(/^@@.*\n/m)
    .slice(1)
    .join('')
  const side = (without: string) =>
    hunk
      .split('\n')
      .filter((line) => !line.startsWith(without))
      .map((line) => `${line.slice(1)}\n`)
      .join('')
  const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-fit-'))
  const fitting = async (text: string) => {
    writeFileSync(path.join(dir, file), text, 'latin1')
    return (await fittingFixes({ source: dir } as Kernel, set, [fix])).map(({ reversed }) => reversed)
  }
  try {
    mkdirSync(path.join(dir, path.dirname(file)), { recursive: true })
    expect(await fitting(side('+'))).toEqual([false])
    expect(await fitting(side('-'))).toEqual([true])
    expect(await fitting('nothing of it\n')).toEqual([])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
