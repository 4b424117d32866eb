// SPDX-License-Identifier: GPL-3.0-or-later
// The cache of kernels: what counts as fetched, which kernel is chosen, and what is removed.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import { type ArchiveKernel, deliverable, withdraw } from '../../src/kernel/archive.ts'
import { distributionCalled } from '../../src/kernel/distributions.ts'
import { defaultOf } from '../../src/kernel/list.ts'
import { prune } from '../../src/kernel/prune.ts'
import { defaultAmong } from '../../src/kernel/select.ts'
import { kernelDir, readStored, storedKernels, storedSize, writeStored } from '../../src/kernel/store.ts'
import { toolchainDir } from '../../src/kernel/toolchain.ts'
import { putKernel } from './stored-kernel.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
let cache: string
const before = process.env['XDG_CACHE_HOME']
beforeEach(() => {
  cache = mkdtempSync(path.join(os.tmpdir(), 'inarch-store-'))
  process.env['XDG_CACHE_HOME'] = cache
})
afterEach(() => {
  if (before === undefined) delete process.env['XDG_CACHE_HOME']
  else process.env['XDG_CACHE_HOME'] = before
  rmSync(cache, { recursive: true, force: true })
})

const bookworm = distributionCalled('bookworm')

describe('a stored kernel', () => {
  test('is read back as it was written', async () => {
    const kernel = await putKernel('6.1.0-56-cloud-amd64', '6.1.192-2')
    expect(await readStored(kernel.dir)).toEqual(kernel)
    expect(await storedSize(kernel.dir)).toBeGreaterThanOrEqual(5_100_000)
  })

  test('is the same by each name that its directory has, and is gone when the name it was stored by is', async () => {
    const { dir, release } = await putKernel('6.1.0-56-cloud-amd64', '6.1.192-2')
    const other = path.join(cache, 'other')
    mkdirSync(other)
    for (const [name, to] of [
      ['inarch', path.join(cache, 'inarch')],
      ['kernels', path.dirname(dir)],
      [release, dir],
    ] as const) {
      const link = path.join(other, name)
      symlinkSync(to, link)
      const by = path.join(link, path.relative(to, dir))
      expect(await readStored(by)).toMatchObject({ release, dir })
    }
    renameSync(dir, path.join(other, 'moved'))
    expect(await readStored(path.join(other, 'moved'))).toBeUndefined()
  })

  test.each([
    ['is of another format', (text: string) => text.replace(/"format": \d+/, '"format": 999')],
    ['is cut off', (text: string) => text.slice(0, 100)],
    ['lacks a field', (text: string) => text.replace('"vmlinux"', '"other"')],
    ['was moved from elsewhere', (text: string) => text.replace(/"dir": "/, '"dir": "/elsewhere')],
  ])('counts as absent when its description %s', async (_what, damage) => {
    const { dir } = await putKernel('6.1.0-56-cloud-amd64', '6.1.192-2')
    const file = path.join(dir, 'kernel.json')
    writeFileSync(file, damage(readFileSync(file, 'utf8')))
    expect(await readStored(dir)).toBeUndefined()
    expect(await storedKernels()).toEqual([])
  })
})

describe('the default kernel', () => {
  const candidate = (release: string, version: string, series: string, flavour = 'cloud-amd64') => ({
    ...{ release, version, series, flavour },
  })
  const all = [
    candidate('6.12.9-amd64', '6.12.9-1', '6.12', 'amd64'),
    candidate('6.12.8-cloud-amd64', '6.12.8-1', '6.12'),
    candidate('6.1.0-9-cloud-amd64', '6.1.99-1', '6.1'),
    candidate('6.1.0-56-cloud-amd64', '6.1.192-2', '6.1'),
    candidate('6.1.0-57-amd64', '6.1.193-1', '6.1', 'amd64'),
  ]
  test('is the running one', () => {
    expect(defaultAmong(all, '6.1.0-9-cloud-amd64')?.release).toBe('6.1.0-9-cloud-amd64')
  })
  test('is otherwise the newest cloud kernel of 6.1, then of any series, then whatever there is', () => {
    expect(defaultAmong(all, '5.4.0', bookworm)?.release).toBe('6.1.0-56-cloud-amd64')
    expect(defaultAmong(all.slice(0, 2), '5.4.0', bookworm)?.release).toBe('6.12.8-cloud-amd64')
    expect(defaultAmong(all.slice(0, 1), '5.4.0', bookworm)?.release).toBe('6.12.9-amd64')
    expect(defaultAmong([], '5.4.0')).toBeUndefined()
    // Of stable's kernels those of its own series come first, and what it has as backports only where nothing else is.
    const stable = [
      candidate('7.3.4+deb13-cloud-amd64', '7.3.4-1~bpo13+1', '7.3'),
      candidate('6.12.118+deb13-cloud-amd64', '6.12.118-1', '6.12'),
    ]
    expect(defaultAmong(stable, '5.4.0', bookworm)?.release).toBe('6.12.118+deb13-cloud-amd64')
    expect(defaultAmong(stable.slice(0, 1), '5.4.0', bookworm)?.release).toBe('7.3.4+deb13-cloud-amd64')
    // A machine of Debian 13 is served by its own kernels first.
    expect(defaultAmong(all, '5.4.0', distributionCalled('stable'))?.release).toBe('6.12.8-cloud-amd64')
  })
  test('in a list of another distribution is marked only where it runs', () => {
    const [trixie, debian12] = [distributionCalled('trixie'), distributionCalled('bookworm')]
    const served = [{ ...candidate('6.12.118+deb13-cloud-amd64', '6.12.118-1', '6.12'), distribution: 'trixie' }]
    expect(defaultOf(served, [], trixie, debian12, '6.1.0-9-amd64')).toBeUndefined()
    expect(defaultOf(served, [], trixie, debian12, '6.12.118+deb13-cloud-amd64')).toBe('6.12.118+deb13-cloud-amd64')
    expect(defaultOf(served, [], trixie, trixie, '6.1.0-9-amd64')).toBe('6.12.118+deb13-cloud-amd64')
    expect(defaultOf(served, [], undefined, debian12, '6.1.0-9-amd64')).toBe('6.12.118+deb13-cloud-amd64')
  })
})

describe('pruning', () => {
  const names = (pruned: readonly { name: string }[]) => pruned.map(({ name }) => name).sort()

  test('keeps the newest kernel of each series and flavour, and removes the rest and what is broken', async () => {
    await putKernel('6.1.0-9-cloud-amd64', '6.1.99-1')
    await putKernel('6.1.0-56-cloud-amd64', '6.1.192-2')
    await putKernel('6.1.0-55-amd64', '6.1.192-1', 'amd64')
    await putKernel('6.12.8-cloud-amd64', '6.12.8-1')
    mkdirSync(kernelDir('half-made'))
    const would = await prune(job, { dryRun: true })
    expect(names(would)).toEqual(['6.1.0-9-cloud-amd64', 'half-made'])
    expect(existsSync(kernelDir('6.1.0-9-cloud-amd64'))).toBe(true)
    const removed = await prune(job)
    expect(removed).toEqual(would)
    expect(removed.find(({ name }) => name.startsWith('6'))!.bytes).toBeGreaterThan(5_000_000)
    expect((await storedKernels()).map(({ release }) => release).sort()).toEqual([
      '6.1.0-55-amd64',
      '6.1.0-56-cloud-amd64',
      '6.12.8-cloud-amd64',
    ])
  })

  test('keeps the newest of each distribution, and a toolchain as long as one of its kernels is left', async () => {
    await putKernel('6.12.9+deb12-cloud-amd64', '6.12.9-1~deb12u1')
    const toolchain = 'trixie-gcc-14-14.2.0-19'
    for (const minor of [9, 10]) {
      const kernel = await putKernel(`6.12.${minor}+deb13-cloud-amd64`, `6.12.${minor}-1`)
      await writeStored(kernel.dir, { ...kernel, toolchain }, 5_000_000)
    }
    const older = 'trixie-gcc-14-14.2.0-16'
    const first = await putKernel('6.12.8+deb13-cloud-amd64', '6.12.8-1')
    await writeStored(first.dir, { ...first, toolchain: older }, 5_000_000)
    for (const name of [toolchain, older]) mkdirSync(toolchainDir(name), { recursive: true })
    const superseded = ['6.12.8+deb13-cloud-amd64', '6.12.9+deb13-cloud-amd64', older]
    expect(names(await prune(job, { dryRun: true }))).toEqual(superseded)
    expect(names(await prune(job))).toEqual(superseded)
    expect([toolchain, older].map((name) => existsSync(toolchainDir(name)))).toEqual([true, false])
    const last = { releases: ['6.12.10+deb13-cloud-amd64'] }
    const would = await prune(job, { ...last, dryRun: true })
    expect(names(would)).toEqual(['6.12.10+deb13-cloud-amd64', toolchain])
    expect(names(await prune(job, last))).toEqual(names(would))
    expect(existsSync(toolchainDir(toolchain))).toBe(false)
  })

  test('removes exactly the named kernels', async () => {
    await putKernel('6.1.0-9-cloud-amd64', '6.1.99-1')
    await putKernel('6.1.0-56-cloud-amd64', '6.1.192-2')
    expect(names(await prune(job, { releases: ['6.1.0-56-cloud-amd64'] }))).toEqual(['6.1.0-56-cloud-amd64'])
    expect((await storedKernels()).map(({ release }) => release)).toEqual(['6.1.0-9-cloud-amd64'])
  })

  test('of a kernel that is not there removes nothing', async () => {
    await putKernel('6.1.0-56-cloud-amd64', '6.1.192-2')
    for (const release of ['6.1.0-1-amd64', '..', '../kernels', ''])
      await expect(prune(job, { releases: ['6.1.0-56-cloud-amd64', release] })).rejects.toMatchObject({
        code: 'kernel-not-fetched',
      })
    expect(await storedKernels()).toHaveLength(1)
  })

  test('of all leaves an empty cache', async () => {
    await putKernel('6.1.0-56-cloud-amd64', '6.1.192-2')
    mkdirSync(path.join(cache, 'inarch/objects'))
    writeFileSync(path.join(cache, 'inarch/objects/a.o'), Buffer.alloc(5000))
    expect(names(await prune(job, { all: true }))).toEqual(['6.1.0-56-cloud-amd64', 'objects'])
    expect(await storedKernels()).toEqual([])
    expect(existsSync(path.join(cache, 'inarch/objects'))).toBe(false)
  })
})

test('what the archive could not deliver is passed over for a day', async () => {
  const of = (release: string): ArchiveKernel => ({
    ...{ release, version: '6.1.192-2', series: '6.1', flavour: 'rt-amd64' },
    ...{ distribution: 'bookworm', packages: [], feature: 'rt' },
  })
  const kernels = [of('6.1.0-56-rt-amd64'), of('6.1.0-53-rt-amd64')]
  expect(deliverable(kernels)).toEqual(kernels)
  await withdraw('6.1.0-56-rt-amd64')
  expect(deliverable(kernels)).toEqual([kernels[1]])
  const noted = path.join(cache, 'inarch/archive/withdrawn/6.1.0-56-rt-amd64')
  const yesterday = Date.now() / 1000 - 25 * 3600
  utimesSync(noted, yesterday, yesterday)
  expect(deliverable(kernels)).toEqual(kernels)
  // The clock was wrong when it was noted: that must not hold for years.
  utimesSync(noted, new Date('2040-01-01'), new Date('2040-01-01'))
  expect(deliverable(kernels)).toEqual(kernels)
})
