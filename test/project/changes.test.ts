// SPDX-License-Identifier: GPL-3.0-or-later
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { changes } from '../changes/changes.ts'
import { changesPage } from '../changes/page.ts'

test('the page about the changes says what they are (npm run changes -- --page writes it)', () => {
  expect(readFileSync('docs/changes.md', 'utf8')).toBe(changesPage())
})

test('every change has a name of its own and a check that can tell the live patch', () => {
  expect(new Set(changes.map(({ name }) => name)).size).toBe(changes.length)
  for (const { name, before, after } of changes) expect(before, name).not.toBe(after)
})
