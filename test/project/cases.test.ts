// SPDX-License-Identifier: GPL-3.0-or-later
// The table of cases names tests that exist, and no test file about objects is missing in it.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { compilers } from '../objects.ts'

const root = path.resolve(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')

interface Row {
  readonly file: string
  readonly title: string
}

const rows: readonly Row[] = read('docs/cases.md')
  .split('\n')
  .flatMap((line) => {
    const [, file, title] = /\| ([\w/-]+\.test\.ts): (.+) \|$/.exec(line) ?? []
    return file === undefined || title === undefined ? [] : [{ file, title }]
  })

/** True when the source has it as a title, or as the end of one that is put together. */
function hasTitle(source: string, title: string): boolean {
  const text = source.replaceAll("\\'", "'").replaceAll(/' \+\s*'/g, '')
  for (let at = text.indexOf(title); at >= 0; at = text.indexOf(title, at + 1)) {
    const begins = /(['"`]|\}:? )$/.test(text.slice(Math.max(0, at - 3), at))
    if (begins && /['"`:]/.test(text[at + title.length] ?? '')) return true
  }
  return false
}

test('every row of the table of cases names a test', () => {
  const table = read('docs/cases.md')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (case|---)/.test(line))
  expect(table.filter((line) => !/\.test\.ts: .+ \|$/.test(line))).toEqual([])
  expect(rows.length).toBe(table.length)
})

test('every test that the table of cases names exists', () => {
  const sources = new Map<string, string>()
  const missing = rows.filter(({ file, title }) => {
    const source = sources.get(file) ?? read(path.join('test', file))
    sources.set(file, source)
    return !hasTitle(source, title)
  })
  expect(missing).toEqual([])
})

test('the table of cases leaves out no file with pairs of objects', () => {
  const named = new Set(rows.map(({ file }) => file))
  for (const room of ['diff', 'extract'])
    for (const name of readdirSync(path.join(root, 'test', room), { recursive: true, encoding: 'utf8' }))
      if (name.endsWith('.test.ts') && /cases\.ts'|\bchangeOf\(/.test(read(path.join('test', room, name))))
        expect(named).toContain(`${room}/${name}`)
})

test('the cases are compiled by several versions of gcc and of clang', () => {
  for (const family of ['gcc', 'clang'])
    expect(compilers.filter((name) => name.startsWith(`${family}-`)).length).toBeGreaterThan(1)
})
