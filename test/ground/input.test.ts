// SPDX-License-Identifier: GPL-3.0-or-later
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBytes } from '../../src/elf/open.ts'
import { readPairList } from '../../src/extract/pairs/pair-list.ts'
import { type InputKind, readInput, readInputIfAny, readInputSync } from '../../src/ground/input.ts'
import { readModule } from '../../src/kernel/modules.ts'
import { readPatches } from '../../src/patch/read.ts'
import { readProof } from '../../src/report/facts/proof-file.ts'
import { readSourceDirectory } from '../../src/source/directory/layout.ts'
import { readSubject } from '../../src/vm/plan/subject.ts'
import { readSuite } from '../../src/vm/plan/suite.ts'

let work: string
beforeAll(() => {
  work = mkdtempSync(path.join(os.tmpdir(), 'inarch-input-'))
})
afterAll(() => rmSync(work, { recursive: true, force: true }))

const kind: InputKind = { what: 'a small file', largest: 1_000_000 }

async function refusal(reading: Promise<unknown>): Promise<unknown> {
  return await reading.then(
    () => 'read',
    (error: unknown) => error,
  )
}

/** A named pipe. */
function pipe(name: string): string {
  const file = path.join(work, name)
  execFileSync('mkfifo', [file])
  return file
}

/** A file of zeros that takes no space. */
function sparse(name: string, size: number): string {
  const file = path.join(work, name)
  writeFileSync(file, '')
  truncateSync(file, size)
  return file
}

/** What every file that is named may turn out to be, with a part of what is then said. */
async function oddities(): Promise<readonly (readonly [file: string, says: string])[]> {
  const dir = mkdtempSync(path.join(work, 'odd-'))
  const circle = path.join(dir, 'circle')
  symlinkSync('circle', circle)
  const socket = path.join(dir, 'socket')
  await new Promise<void>((resolve) => createServer().listen(socket, resolve).unref())
  return [
    ['/dev/zero', 'is a device'],
    ['/dev/null', 'is a device'],
    [socket, 'is a socket'],
    [circle, 'its symbolic links lead in a circle'],
    [path.join(work, 'nothing'), 'There is no file'],
    [path.join(work, 'nothing', 'below'), 'There is no file'],
    [sparse('huge', 5 * 1024 ** 3), 'is larger than'],
  ]
}

describe('a file that somebody names', () => {
  test('is read whole, whatever its size', async () => {
    for (const size of [0, 1, 4096, 300_000, 1_000_000]) {
      const content = Buffer.alloc(size, 'inarch ')
      const file = path.join(work, `${size}`)
      writeFileSync(file, content)
      expect((await readInput(file, kind)).equals(content)).toBe(true)
      expect(readInputSync(file, kind).equals(content)).toBe(true)
    }
    // The kernel says of its own files that they have no size.
    expect((await readInput('/proc/self/status', kind)).toString()).toContain('Name:')
  })

  test('may be one byte too large', async () => {
    const file = sparse('large', 1_000_001)
    const fault = await refusal(readInput(file, kind))
    expect(fault).toMatchObject({
      kind: 'usage',
      code: 'too-large',
      message: `${file} is larger than a small file may be, which is 977 kB`,
    })
    expect(() => readInputSync(file, kind)).toThrow('is larger than a small file may be')
  })

  test('may be what comes through a pipe, slowly and with pauses', async () => {
    const file = pipe('slow')
    const writer = spawn('sh', ['-c', `{ printf 'a'; sleep 0.3; head -c 200000 /dev/zero; } >'${file}'`])
    const content = await readInput(file, kind)
    expect(content.length).toBe(200_001)
    expect(content[0]).toBe(0x61)
    writer.kill()
  })

  test('may be a pipe without an end, or one into which nobody writes', async () => {
    const endless = pipe('endless')
    const writer = spawn('sh', ['-c', `exec cat /dev/zero >'${endless}'`])
    expect(await refusal(readInput(endless, kind))).toMatchObject({ code: 'too-large' })
    writer.kill('SIGKILL')
    // Nobody has it open: there is nothing in it.
    expect((await readInput(pipe('unused'), kind)).length).toBe(0)
    const silent = pipe('silent')
    const holder = spawn('sh', ['-c', `exec sleep 60 >'${silent}'`])
    expect(await refusal(readInput(silent, kind))).toMatchObject({
      code: 'unreadable',
      message: `${silent} can't be read: it is a pipe into which nobody writes`,
    })
    holder.kill('SIGKILL')
  }, 30_000)

  test('is missing, or can only be missing where that is allowed', async () => {
    const file = path.join(work, 'absent')
    expect(await readInputIfAny(file, kind)).toBeUndefined()
    expect(await refusal(readInputIfAny(work, kind))).toMatchObject({ code: 'no-such-file' })
  })

  test('is refused in a sentence by everybody who is handed one', async () => {
    const readers: readonly ((file: string) => unknown)[] = [
      (file) => readPatches([file]),
      openBytes,
      readPairList,
      (file) => readProof(file, '0'.repeat(64)),
      readSubject,
      readSuite,
      readModule,
    ]
    for (const [file, says] of [...(await oddities()), [work, 'is a directory'] as const])
      for (const reader of readers) {
        const fault = await refusal((async () => reader(file))())
        expect(fault).toMatchObject({ name: 'Fault', message: expect.stringContaining(file) })
        expect(fault).toMatchObject({ message: expect.stringContaining(says) })
      }
  })

  test('stands in a directory with source', async () => {
    for (const [index, [file, says]] of (await oddities()).entries()) {
      const dir = path.join(work, `source-${index}`)
      mkdirSync(dir)
      symlinkSync(file, path.join(dir, 'inarch.json'))
      const message = says.startsWith('There') ? 'without inarch.json' : says
      expect(await refusal(readSourceDirectory(dir))).toMatchObject({
        name: 'Fault',
        message: expect.stringContaining(message),
      })
    }
  })

  test('and many a mistake in one is told once', async () => {
    const file = path.join(work, 'proofs.json')
    writeFileSync(file, JSON.stringify({ format: 'inarch-proofs-2', proofs: new Array(500_000).fill(1) }))
    expect(await refusal(readProof(file, '0'.repeat(64)))).toMatchObject({ code: 'bad-proof' })
  })
})

test('a compressed module that unpacks to more than a module can be is refused', async () => {
  const plain = sparse('bomb.ko', 32 * 1024 * 1024)
  for (const [program, suffix] of [
    ['xz', 'xz'],
    ['gzip', 'gz'],
    ['zstd', 'zst'],
  ] as const) {
    const file = `${plain}.${suffix}`
    const packed = execFileSync(program, ['-1', '-c', plain])
    // What follows is unpacked, too.
    writeFileSync(file, Buffer.concat(new Array(9).fill(packed)))
    expect(await refusal(readModule(file))).toMatchObject({ kind: 'environment' })
    // A part of it is none either.
    writeFileSync(file, packed.subarray(0, packed.length - 100))
    expect(await refusal(readModule(file))).toMatchObject({
      kind: 'environment',
      code: 'module-unreadable',
      message: expect.stringContaining(`${file} can't be unpacked`),
    })
  }
}, 120_000)
