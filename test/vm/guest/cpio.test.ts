// SPDX-License-Identifier: GPL-3.0-or-later
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { type Entry, writeCpio } from '../../../src/vm/guest/cpio.ts'
import { findBusybox, writeInitramfs } from '../../../src/vm/guest/initramfs.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-cpio-'))
afterAll(() => rmSync(work, { recursive: true }))

const list = (archive: Uint8Array) => execFileSync('cpio', ['-itv', '--quiet'], { input: archive, encoding: 'utf8' })

describe('the archive of an initramfs', () => {
  const entries: Entry[] = [
    { kind: 'directory', path: 'bin' },
    { kind: 'file', path: 'bin/odd', bytes: Buffer.from('12345'), mode: 0o755 },
    { kind: 'file', path: 'bin/empty', bytes: Buffer.alloc(0) },
    { kind: 'link', path: 'bin/sh', target: 'odd' },
  ]

  test('is unpacked by cpio to what it was made of', () => {
    const dir = mkdtempSync(path.join(work, 'out-'))
    execFileSync('cpio', ['-id', '--quiet'], { cwd: dir, input: writeCpio(entries) })
    expect(readFileSync(path.join(dir, 'bin/odd'), 'utf8')).toBe('12345')
    expect(statSync(path.join(dir, 'bin/odd')).mode & 0o777).toBe(0o755)
    expect(statSync(path.join(dir, 'bin/empty')).size).toBe(0)
    expect(readlinkSync(path.join(dir, 'bin/sh'))).toBe('odd')
  })

  test('holds device nodes without root', () => {
    const listed = list(writeCpio([{ kind: 'device', path: 'console', major: 5, minor: 1 }]))
    expect(listed).toMatch(/^crw------- .* 5, +1 .* console$/m)
  })

  test('has the same bytes each time', () => {
    expect(writeCpio(entries).equals(writeCpio(entries))).toBe(true)
  })

  test('keeps any content and any length of name', () => {
    const name = fc.stringMatching(/^[a-z0-9._-]{1,40}$/).filter((text) => text !== '.' && text !== '..')
    fc.assert(
      fc.property(name, fc.uint8Array({ maxLength: 300 }), (path, bytes) => {
        const archive = writeCpio([{ kind: 'file', path: `f${path}`, bytes }])
        const out = execFileSync('cpio', ['-i', '--quiet', '--to-stdout'], { input: archive })
        return archive.length % 4 === 0 && out.equals(Buffer.from(bytes))
      }),
      { numRuns: 25 },
    )
  })

  test.each(['/etc/passwd', '../x', 'a/../../x', ''])('refuses the path %j', (bad) => {
    expect(() => writeCpio([{ kind: 'directory', path: bad }])).toThrow(/can't stand in an initramfs/)
  })
})

describe('the initramfs', () => {
  test('holds busybox, a link for each of its programs, init, and what else is asked for', async () => {
    const busybox = await findBusybox()
    const file = path.join(work, 'initramfs')
    const extra: Entry[] = [{ kind: 'file', path: 'lib/modules/1/a.ko', bytes: Buffer.from('module') }]
    await writeInitramfs(file, busybox, '#!/bin/sh\n', extra)
    const first = readFileSync(file)
    const names = list(first)
      .trimEnd()
      .split('\n')
      .map((line) =>
        line
          .split(/\s+/)
          .slice(line.startsWith('c') ? 9 : 8)
          .join(' '),
      )
    expect(names).toContain('bin/busybox')
    expect(names).toContain('bin/insmod -> busybox')
    expect(names).toContain('init')
    expect(names.indexOf('lib/modules')).toBeLessThan(names.indexOf('lib/modules/1/a.ko'))
    await writeInitramfs(file, busybox, '#!/bin/sh\n', extra)
    expect(readFileSync(file).equals(first)).toBe(true)
  })
})
