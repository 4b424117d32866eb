// SPDX-License-Identifier: GPL-3.0-or-later
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { buildSync } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownerMark } from '../../src/ground/owner-mark.ts'
import { makeOutputDirectory, writeAllWhole, writeWhole } from '../../src/ground/whole-file.ts'

let work: string
beforeAll(() => {
  work = mkdtempSync(path.join(os.tmpdir(), 'inarch-whole-'))
})
afterAll(() => rmSync(work, { recursive: true, force: true }))

const refused = (says: string) => ({
  kind: 'usage',
  code: 'output-place',
  message: expect.stringContaining(says),
})

describe('a file that somebody wants', () => {
  test('takes the place of an older one, also where a link leads to it, and leaves nothing else', async () => {
    const dir = path.join(work, 'plain')
    mkdirSync(dir)
    writeFileSync(path.join(dir, 'old'), 'old')
    symlinkSync('old', path.join(dir, 'link'))
    await writeWhole(path.join(dir, 'link'), 'new')
    expect(readFileSync(path.join(dir, 'old'), 'utf8')).toBe('new')
    expect(lstatSync(path.join(dir, 'link')).isSymbolicLink()).toBe(true)
    expect(readdirSync(dir).sort()).toEqual(['link', 'old'])
  })

  test('never takes the place of a device or a pipe', async () => {
    const device = path.join(work, 'device')
    symlinkSync('/dev/null', device)
    await writeWhole(device, 'x')
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true)
    const pipe = path.join(work, 'pipe')
    execFileSync('mkfifo', [pipe])
    await expect(writeWhole(pipe, 'x')).rejects.toMatchObject(refused('nobody reads from it'))
    const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'ignore'] })
    const got = new Promise((resolve) => reader.stdout.once('data', (chunk) => resolve(String(chunk))))
    // The reader may need a moment.
    for (let tries = 0; tries < 100; tries++) {
      const written = await writeWhole(pipe, 'told').then(
        () => true,
        () => false,
      )
      if (written) break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(await got).toBe('told')
    expect(lstatSync(pipe).isFIFO()).toBe(true)
  })

  test('is refused in a sentence where it can not be', async () => {
    const file = path.join(work, 'file')
    writeFileSync(file, '')
    symlinkSync('circle', path.join(work, 'circle'))
    await expect(writeWhole(work, 'x')).rejects.toMatchObject(refused('it is a directory'))
    await expect(writeWhole(path.join(file, 'x'), 'x')).rejects.toMatchObject(refused('is a file'))
    await expect(writeWhole(path.join(work, 'no', 'x'), 'x')).rejects.toMatchObject(refused('does not exist'))
    await expect(writeWhole(path.join(work, 'circle', 'x'), 'x')).rejects.toMatchObject(refused('in a circle'))
    expect(readdirSync(work).filter((name) => name.startsWith('.'))).toEqual([])
  })
})

test('a directory that somebody wants is made with those above it, or refused in a sentence', async () => {
  const dir = path.join(work, 'a', 'b', 'c')
  await makeOutputDirectory(dir)
  await makeOutputDirectory(dir)
  // Several at once, of which each may find that another one has just made a part of it.
  for (let round = 0; round < 40; round++) {
    const same = path.join(work, `round${round}`, 'b', 'c', 'd')
    await Promise.all(Array.from({ length: 8 }, () => makeOutputDirectory(same)))
    expect(lstatSync(same).isDirectory()).toBe(true)
  }
  expect(lstatSync(dir).isDirectory()).toBe(true)
  writeFileSync(path.join(work, 'taken'), '')
  await expect(makeOutputDirectory(path.join(work, 'taken'))).rejects.toMatchObject(refused('of this name'))
  await expect(makeOutputDirectory(path.join(work, 'taken', 'x'))).rejects.toMatchObject(refused('is a file'))
  // Nothing can be made there, and the system says that something is missing.
  for (const place of ['/proc/inarch/x', '/proc/inarch', '/sys/kernel/inarch'])
    await expect(makeOutputDirectory(place)).rejects.toMatchObject({ kind: 'usage', code: 'output-place' })
  await expect(writeWhole('/proc/inarch', 'x')).rejects.toMatchObject(refused('nothing can be made'))
})

describe('files that belong together', () => {
  const together = (dir: string, ...names: string[]) =>
    writeAllWhole(names.map((name) => ({ file: path.join(dir, name), content: `new ${name}` })))

  test('come with their directories, and take the places of older ones', async () => {
    const dir = path.join(work, 'together/deep')
    await together(dir, 'a', 'b', 'c/d')
    await together(dir, 'b')
    expect(readdirSync(dir).sort()).toEqual(['a', 'b', 'c'])
    expect(readdirSync(path.join(dir, 'c'))).toEqual(['d'])
  })

  test('are all as they were when one of them can’t be written', async () => {
    const dir = path.join(work, 'torn')
    mkdirSync(path.join(dir, 'taken'), { recursive: true })
    writeFileSync(path.join(dir, 'a'), 'old')
    await expect(together(dir, 'a', 'b', 'taken')).rejects.toMatchObject(refused('it is a directory'))
    expect(readdirSync(dir).sort()).toEqual(['a', 'taken'])
    expect(readFileSync(path.join(dir, 'a'), 'utf8')).toBe('old')
  })

  test('leave no directory when they can’t be written, but one that was there', async () => {
    const dir = path.join(work, 'bare')
    mkdirSync(dir)
    await expect(together(dir, 'new/a', 'new/er/b', '../bare')).rejects.toMatchObject(refused('it is a directory'))
    expect(readdirSync(dir)).toEqual([])
  })
})

test('what a killed process had not finished is swept by the next that writes the same, nothing else is', async () => {
  const dir = path.join(work, 'killed')
  mkdirSync(dir)
  const { pid } = spawnSync('true')
  const here = ownerMark().replace(/^\d+/, '')
  const mine = ['.x.ko.2024-backup', '.x.ko.1-old', `.x.ko.${pid}${here}copy`, `.y.ko.${pid}${here}`]
  for (const name of [`.x.ko.${pid}${here}`, ...mine]) writeFileSync(path.join(dir, name), 'half')
  await writeWhole(path.join(dir, 'x.ko'), 'whole')
  expect(readdirSync(dir).sort()).toEqual([...mine, 'x.ko'].sort())
})

test.runIf(process.getuid?.() === 0)('a full disk is told with the file that it has no room for', () => {
  const place = path.join(work, 'disk')
  mkdirSync(place)
  const script = `
    import { writeWhole } from ${JSON.stringify(path.resolve('src/ground/whole-file.ts'))}
    import { readdirSync } from 'node:fs'
    const { code, message } = await writeWhole(process.argv[2] + '/page', 'x'.repeat(9000)).catch((error) => error)
    console.log(code, message, readdirSync(process.argv[2]).length)`
  const made = buildSync({
    stdin: { contents: script, resolveDir: work, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
  })
  const run = spawnSync(
    'unshare',
    ['-m', 'sh', '-c', 'mount -t tmpfs -o size=8k tmpfs "$0" && exec "$@"', place, process.execPath].concat(
      '--input-type=module',
      '-',
      place,
    ),
    { encoding: 'utf8', input: made.outputFiles[0]!.text },
  )
  expect(run.stdout).toBe(`disk-full ${place}/page can't be written: its disk is full 0\n`)
})
