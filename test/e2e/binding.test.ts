// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch takes no image but its own, reaches what is private there, and lets a patched module come again. Two
// boots for each series, and one of a neighbour. Other flavours: flavours/other-image.test.ts.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readObject } from '../../src/elf/read.ts'
import { silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { findModule, readModule } from '../../src/kernel/modules.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import type { BindMode } from '../../src/module/bind/distance.ts'
import { distancesIn } from '../../src/module/link/kernel-references.ts'
import { makeLivePatch } from '../../src/module/make.ts'
import { readPatches } from '../../src/patch/read.ts'
import { runInGuest } from './guest.ts'
import { root } from './inarch.ts'
import { loadedOn, olderThan } from './other-image.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
let dir: string
beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-binding-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

async function built(
  kernel: Kernel,
  patch: string,
  name: string,
  { bind = 'distance', replace = true }: { bind?: BindMode; replace?: boolean } = {},
) {
  const patches = await readPatches([path.join(root, patch)])
  const made = await makeLivePatch(job, kernel, { patches, name, bind, replace, output: dir })
  return { ...made.manifest, bytes: await readModule(made.module) }
}

async function moduleOf(kernel: Kernel, name: string): Promise<Buffer> {
  const found = await findModule(kernel, name)
  return await readModule(found!.file)
}

/** The module with another byte in place of the one that `text` begins with, or of the one `at` bytes behind. */
function withByte(bytes: Buffer, text: Buffer | string, at = 0): Buffer {
  const changed = Buffer.from(bytes)
  const place = changed.indexOf(text)
  expect(place).toBeGreaterThan(0)
  changed[place + at]! ^= 1
  return changed
}

const insmod = (name: string) =>
  `echo "${name} $(insmod /${name}.ko >/dev/null 2>&1; echo $?) $(ls /sys/kernel/livepatch | tr '\\n' ' ')"\n`
/** Waits until a live patch is all there. */
const settled = (name: string) =>
  `while [ "$(cat /sys/kernel/livepatch/${name}/transition)" != 0 ]; do usleep 50000; done\n`

/** Whether the new code runs. */
const shows = (name: string) => `echo "${name} shows $(grep -c 'live patched' /proc/meminfo)"\n`

describe.each(['bookworm', 'trixie'])('on %s', (suite) => {
  let kernel: Kernel
  const files: Record<string, Buffer> = {}

  beforeAll(async () => {
    kernel = await selectKernel(job, suite)
    const meminfo = await built(kernel, 'examples/meminfo.patch', 'meminfo')
    const over = await built(kernel, 'examples/meminfo.patch', 'over')
    const byName = await built(kernel, 'examples/meminfo.patch', 'by-name', { bind: 'klp' })
    const dummy = await built(kernel, 'test/cases/module-reload.patch', 'dummy', { replace: false })
    const { image, symbols } = meminfo.binding!
    // As many references as there are symbols that are reached by distance, and none that is looked up.
    expect(symbols.filter(({ distance }) => distance !== undefined).length).toBeGreaterThan(4)
    expect(distancesIn(readObject(meminfo.bytes, 'meminfo.ko')).map(({ bytes }) => bytes)).toEqual(
      symbols.flatMap(({ distance }) => distance ?? []).sort((a, b) => a - b),
    )
    expect(byName.binding!.symbols.every(({ distance, byName: looked }) => distance === undefined && looked)).toBe(true)
    Object.assign(files, {
      'version.ko': withByte(meminfo.bytes, image.version, 1),
      'rebuilt.ko': withByte(meminfo.bytes, Buffer.from(image.buildId!, 'hex'), 19),
      'rebuilt-by-name.ko': withByte(byName.bytes, Buffer.from(image.buildId!, 'hex'), 0),
      'moved.ko': withByte(meminfo.bytes, 'si_swapinfo\0\0'),
      'meminfo.ko': meminfo.bytes,
      'over.ko': over.bytes,
      'by-name.ko': byName.bytes,
      'patch-dummy.ko': dummy.bytes,
      'dummy.ko': await moduleOf(kernel, 'dummy'),
    })
  })

  describe.each([
    ['moved at boot (KASLR)', []],
    ['where it was linked (nokaslr)', ['nokaslr']],
  ])('whose image is %s', (_, parameters) => {
    let lines: readonly string[]
    let log: string

    beforeAll(async () => {
      const mtu = 'ip link add agc type dummy; cat /sys/class/net/agc/mtu; ip link del agc'
      const script =
        ['version', 'rebuilt', 'rebuilt-by-name', 'moved', 'meminfo'].map(insmod).join('') +
        settled('livepatch_meminfo') +
        shows('meminfo') +
        insmod('by-name') +
        settled('livepatch_by_name') +
        // Another live patch is at work, and the wrong ones are no more right for that.
        ['rebuilt', 'moved', 'over'].map(insmod).join('') +
        settled('livepatch_over') +
        shows('over') +
        // It stays.
        insmod('patch-dummy') +
        settled('livepatch_dummy') +
        'for again in 1 2 3; do insmod /dummy.ko numdummies=$again && echo "mtu $(' +
        mtu +
        ')"; rmmod dummy; done\necho "stext $(grep -w _stext /proc/kallsyms)"\n'
      lines = await runInGuest(kernel.image, files, script, { parameters })
      log = lines.filter((line) => line.startsWith('log: ')).join('\n')
    })

    test('the image is where the test wants it', () => {
      const linked = /^([0-9a-f]{16}) . _stext$/m.exec(readFileSync(kernel.systemMap, 'latin1'))?.[1]
      const isThere = lines.includes(`stext ${linked} T _stext`)
      expect(isThere).toBe(parameters.length > 0)
    })

    test.each([
      ['of another version', 'version', /livepatch_meminfo: made for \S+ .* and this kernel is/],
      [
        'of another build of the version',
        'rebuilt',
        /livepatch_meminfo: made for the build [0-9a-f]{40} of this kernel, and this is [0-9a-f]{40}$/m,
      ],
      ['of another build, bound by name', 'rebuilt-by-name', /livepatch_by_name: made for the build/],
      [
        'in which a symbol lies elsewhere',
        'moved',
        /livepatch_meminfo: where ri_swapinfo should be, this kernel has si_swapinfo\+0x0/,
      ],
    ])('an image %s is refused in one clear line', (_, name, line) => {
      expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^${name} [1-9]\\d*$`)))
      expect(log).toMatch(line)
    })

    test('its own image is taken, by distance and by name, and a live patch replaces the other', () => {
      expect(lines).toContain('meminfo 0 livepatch_meminfo')
      expect(lines).toContain('meminfo shows 1')
      expect(lines).toContain('by-name 0 livepatch_by_name')
    })

    test('over another live patch that is at work, the wrong images are refused and its own is taken', () => {
      for (const name of ['rebuilt', 'moved'])
        expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^${name} [1-9]\\d* livepatch_by_name$`)))
      expect(lines).toContain('over 0 livepatch_over')
      expect(lines).toContain('over shows 1')
    })

    test('a patched module comes again under its live patch, with what it has now', () => {
      expect(lines).toContain('patch-dummy 0 livepatch_dummy livepatch_over')
      expect(lines.filter((line) => line.startsWith('mtu '))).toEqual(['mtu 1401', 'mtu 1402', 'mtu 1403'])
      expect(log).not.toMatch(/invalid relocation|refusing to load/i)
    })

    test('the kernel has nothing to complain of', () => {
      expect(log).not.toMatch(/WARNING|BUG|Call Trace|duplicate/)
    })
  })
})

test('the neighbouring kernel, which has the same checksums, refuses it in one clear line', async ({ skip }) => {
  const kernel = await selectKernel(job, 'bookworm')
  const older = await olderThan(kernel)
  if (older === undefined) return skip('the archive has one kernel of the series')
  const { outcomes, log } = await loadedOn(older, kernel)
  expect(outcomes).toEqual(['by distance: refused', 'by name: refused'])
  const words = `made for ${kernel.release} #1 .*, and this kernel is ${older.release} #1 `
  const said = [...log.matchAll(new RegExp(`livepatch_by_(distance|name): ${words}`, 'g'))]
  expect([...new Set(said.map(([, how]) => how))].sort()).toEqual(['distance', 'name'])
})
