// SPDX-License-Identifier: GPL-3.0-or-later
// Which kernel is chosen where archives can't be read: nothing listens at the proxy, and one archive's lists are known.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Fault } from '../../src/ground/fault.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { allArchives, archiveOf, suiteOf } from '../../src/kernel/apt.ts'
import type { ArchiveKernel } from '../../src/kernel/archive.ts'
import { distributionCalled } from '../../src/kernel/distributions.ts'
import { chooseKernel, selectKernel } from '../../src/kernel/select.ts'
import { putKernel } from './stored-kernel.ts'

let cache: string
let notes: string[]
let job: Job
beforeEach(() => {
  cache = mkdtempSync(path.join(os.tmpdir(), 'inarch-select-'))
  vi.stubEnv('XDG_CACHE_HOME', cache)
  for (const name of ['http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy']) {
    vi.stubEnv(name, 'http://127.0.0.1:9')
    vi.stubEnv(name.toUpperCase(), undefined)
  }
  for (const name of ['no_proxy', 'NO_PROXY']) vi.stubEnv(name, undefined)
  notes = []
  const note = (message: string) => notes.push(message)
  job = { signal: new AbortController().signal, journal: { ...silentJournal(), note } }
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(cache, { recursive: true, force: true })
})

const flavour = 'cloud-amd64'
const archives = allArchives()
const [last, others] = [archives.at(-1)!, archives.slice(0, -1)]

/** The lists of the archive that is asked last are known. */
function remember(version: string): ArchiveKernel {
  const distribution = last.distribution!
  const release = `${version}+deb${distribution.number}-${flavour}`
  const series = version.split('.').slice(0, 2).join('.')
  const kernel = {
    release,
    version: `${version}-1`,
    series,
    flavour,
    distribution: distribution.codename,
    packages: [],
  }
  mkdirSync(archiveOf(distribution).dir, { recursive: true })
  writeFileSync(path.join(archiveOf(distribution).dir, 'kernels.json'), JSON.stringify([kernel]))
  return kernel
}

test('the archives that can’t be read are noted, and the others are asked', async () => {
  const kernel = remember('9.9.3')
  expect(await chooseKernel(job, { series: '9.9', flavour }, '9.9')).toEqual(kernel)
  expect(notes).toEqual(others.map((one) => expect.stringMatching(new RegExp(`: ${suiteOf(one)} is left out$`))))
})

test('where nothing is found, those that could not be read are told, and why', async () => {
  remember('9.9.3')
  const fault: Fault = await selectKernel(job, '9.8').then(
    () => expect.unreachable(),
    (error: Fault) => error,
  )
  expect(fault).toMatchObject({ kind: 'environment', code: 'archive-unread' })
  expect(fault.message).toBe(`No kernel for 9.8 was found, and not read: ${others.map(suiteOf).join(', ')}`)
  for (const one of others) expect(fault.detail).toMatch(new RegExp(`^${suiteOf(one)}: The Debian archive can’t`, 'm'))
  expect(fault.detail).not.toContain(`${suiteOf(last)}:`)
})

test('where none can be read for the same reason, that is told', async () => {
  await expect(selectKernel(job, '9.8')).rejects.toMatchObject({ code: 'archive-unreachable' })
  expect(notes).toHaveLength(archives.length)
})

test('a fetched kernel of an archive that can’t be read stands in its place, before the other archives’', async () => {
  remember('9.9.3')
  const { number } = distributionCalled('stable')!
  const fetched = await putKernel(`9.9.1+deb${number}-${flavour}`, '9.9.1-1')
  expect(await chooseKernel(job, { series: '9.9', flavour }, '9.9')).toMatchObject({ release: fetched.release })
  expect(notes.at(-1)).toContain(
    `${suiteOf(archiveOf(distributionCalled('stable')))} is left out; using ${fetched.release}`,
  )
})

test('a release that no mark assigns to a distribution is looked for in all of them', async () => {
  const [kernel] = [remember('9.9.3')]
  // Not `last.dir`, which is the place of this machine's own.
  const { dir } = archiveOf(last.distribution)
  writeFileSync(path.join(dir, 'kernels.json'), JSON.stringify([{ ...kernel, release: '9.9.3-cloud-amd64' }]))
  // It is found, and then can't be downloaded.
  await expect(selectKernel(job, '9.9.3-cloud-amd64')).rejects.not.toMatchObject({ code: 'archive-unreachable' })
  expect(notes).toHaveLength(others.length)
  const fault: Fault = await selectKernel(job, '9.9.2-cloud-amd64').then(
    () => expect.unreachable(),
    (error: Fault) => error,
  )
  expect(fault.message).toBe(
    `No kernel for 9.9.2-cloud-amd64 was found, and not read: ${others.map(suiteOf).join(', ')}`,
  )
})
