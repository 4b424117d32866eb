// SPDX-License-Identifier: GPL-3.0-or-later
// What the documentation says of the house must be so: the files that it names are there, and each folder says what it
// is for.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')
const isThere = (...parts: readonly string[]) => existsSync(path.join(root, ...parts))

const rooms = readdirSync(path.join(root, 'src'))
const folders = readdirSync(path.join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)))

/** The names of files of ours in a text: in a room, or below the project's root. */
function filesNamed(text: string): string[] {
  const named = [...text.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|mjs))`/g)].map(([, name]) => name!)
  return named.filter((name) => rooms.includes(name.split('/')[0]!) || /^(?:src|test|bench|scripts)\//.test(name))
}

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(path.join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join('docs', name)),
]

test.each(pages)('%s names files that are there', (page) => {
  const named = filesNamed(read(page))
  expect(named.filter((name) => !isThere(name) && !isThere('src', name))).toEqual([])
})

test('docs/architecture.md names more than fifty of them, and every room', () => {
  const text = read('docs/architecture.md')
  expect(new Set(filesNamed(text)).size).toBeGreaterThan(50)
  for (const room of rooms) expect(text).toContain(`| \`${room}\` |`)
})

test.each(folders)('%s says what it is for, and names files that are there', (folder) => {
  const name = path.basename(folder)
  // A folder of a folder may be told about there.
  const page = [folder, path.dirname(folder)].map((one) => path.join(one, 'README.md')).find((one) => isThere(one))
  const text = page === undefined ? '' : read(page)
  expect(text).toMatch(new RegExp(`^# (?:[\\w-]+/)*${name}\\n|\`(?:[\\w-]+/)?${name}/?\``))
  const named = [...text.matchAll(/`([\w-]+(?:\/[\w-]+)*\.ts)`/g)].map(([, name]) => name!)
  const bases = [folder, path.dirname(folder), 'src', '']
  expect(named.filter((name) => !bases.some((base) => isThere(base, name)))).toEqual([])
})

test('no folder has more than about twenty files', () => {
  const sizes = folders.map((folder) => ({
    folder,
    files: readdirSync(path.join(root, folder)).filter((name) => name.endsWith('.ts')).length,
  }))
  expect(sizes.filter(({ files }) => files > 25)).toEqual([])
})
