// SPDX-License-Identifier: GPL-3.0-or-later
// Boot images in every compression that a kernel can be built with, made by the real programs.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { extractVmlinux, payloadOf } from '../../../src/kernel/image/image.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-image-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Any ELF file will do for a kernel; QEMU's own start is long enough to be compressed in several blocks. */
const elf = readFileSync('/usr/bin/qemu-system-x86_64').subarray(0, 3 << 20)

function bzImage(payload: Buffer, setupSectors = 27): Buffer {
  const setup = Buffer.alloc(((setupSectors || 4) + 1) * 512)
  setup[0x1f1] = setupSectors
  setup.write('HdrS', 0x202, 'latin1')
  setup.writeUInt16LE(0x20f, 0x206)
  setup.writeUInt32LE(64, 0x248)
  setup.writeUInt32LE(payload.length, 0x24c)
  return Buffer.concat([setup, Buffer.alloc(64, 0x90), payload, Buffer.alloc(100, 0xcc)])
}

/** As the kernel's build does it: the size of what was compressed follows. */
function withSize(compressed: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32LE(elf.length)
  return Buffer.concat([compressed, size])
}

async function extract(image: Buffer): Promise<Buffer> {
  const file = path.join(dir, 'image')
  writeFileSync(file, image)
  const vmlinux = await extractVmlinux(file, path.join(dir, 'vmlinux'))
  expect(readFileSync(path.join(dir, 'vmlinux')).equals(vmlinux)).toBe(true)
  return vmlinux
}

const programs = [
  ['xz', '--check=crc32', '-0'],
  ['zstd', '-1'],
  ['lz4', '-l', '-1'],
  ['bzip2', '-1'],
  ['lzma', '-0'],
  ['lzop', '-1'],
] as const

describe('a boot image', () => {
  test('is unpacked when its kernel is compressed with gzip', async () => {
    // gzip ends with the size by itself.
    expect((await extract(bzImage(gzipSync(elf)))).equals(elf)).toBe(true)
  })

  for (const [program, ...options] of programs) {
    const there = spawnSync(program, ['--version']).error === undefined
    test.runIf(there)(`is unpacked when its kernel is compressed with ${program}`, async () => {
      const { stdout } = spawnSync(program, ['-c', ...options], { input: elf, maxBuffer: 1 << 26 })
      expect((await extract(bzImage(withSize(stdout)))).equals(elf)).toBe(true)
    })
  }

  test('is read where its kernel is not compressed, and where it has the default number of setup sectors', async () => {
    expect((await extract(bzImage(elf, 0))).equals(elf)).toBe(true)
  })

  test('that is cut off, damaged or something else is refused with what is wrong', async () => {
    const whole = bzImage(gzipSync(elf))
    await expect(extract(whole.subarray(0, 50_000))).rejects.toThrow('its payload lies outside of the file')
    await expect(extract(whole.subarray(0, 100))).rejects.toThrow('it is not an x86 boot image')
    await expect(extract(elf)).rejects.toThrow('it is not an x86 boot image')
    await expect(extract(bzImage(Buffer.alloc(4096, 7)))).rejects.toThrow('compression is not known')
    await expect(extract(bzImage(gzipSync(Buffer.alloc(5000, 1))))).rejects.toThrow('not an ELF file')
    const damaged = Buffer.from(whole)
    damaged.fill(0, 40_000, 41_000)
    await expect(extract(damaged)).rejects.toMatchObject({ code: 'image-unreadable', kind: 'environment' })
  })

  test('whose compressed kernel ends too early is refused', async () => {
    const { stdout } = spawnSync('xz', ['-c', '-0'], { input: elf, maxBuffer: 1 << 26 })
    const short = withSize(stdout.subarray(0, stdout.length >> 1))
    await expect(extract(bzImage(short))).rejects.toThrow(/damaged|could not decompress/)
  })

  test('with a payload length of nothing is refused', () => {
    expect(() => payloadOf(bzImage(Buffer.alloc(0)))).toThrow('its payload lies outside of the file')
  })
})
