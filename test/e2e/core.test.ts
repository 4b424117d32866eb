// SPDX-License-Identifier: GPL-3.0-or-later
// The core is made for a kernel, loads in it, refuses another one, and carries live patches that are made for it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readObject } from '../../src/elf/read.ts'
import { silentJournal } from '../../src/ground/job.ts'
import { modelIn } from '../../src/kernel/model.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { runInGuest } from './guest.ts'
import { buildCommand, inarch, root } from './inarch.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
const meminfo = path.join(root, 'examples/meminfo.patch')

beforeAll(buildCommand)

async function run(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await inarch(args, { cwd: root })
  if (code !== 0) throw new Error(stderr)
}

describe.each(['6.1', '6.12'])('the core for %s', (series) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-core-'))
  const own = (name: string) => path.join(dir, name)
  afterAll(() => rmSync(dir, { recursive: true }))

  test('is the same each time, wherever it is made', async () => {
    for (const place of ['a', 'b']) await run('core', 'build', '-k', series, '-o', own(place))
    expect(readFileSync(own('a/inarch_core.ko')).equals(readFileSync(own('b/inarch_core.ko')))).toBe(true)
  })

  test('carries a live patch whose C calls it', async () => {
    const built = (...more: string[]) => run('build', '-k', series, '-o', dir, ...more)
    await built('--engine', 'source', '--model', 'kpatch', meminfo)
    const wrapper = own('livepatch-meminfo/livepatch.c')
    const text = readFileSync(wrapper, 'utf8')
    expect(text).toContain('return inarch_enable_patch(&inarch_patch, INARCH_KPATCH);')
    writeFileSync(wrapper, text.replace('INARCH_KPATCH', 'INARCH_HYBRID'))
    await run('build', '-o', dir, own('livepatch-meminfo'))
    const module = readFileSync(own('livepatch-meminfo.ko'))
    expect(modelIn(readObject(module, 'livepatch-meminfo.ko'))).toEqual({ model: 'hybrid' })
    expect(JSON.parse(readFileSync(own('livepatch-meminfo.json'), 'utf8'))).toMatchObject({ model: 'hybrid' })
    const kernel = await selectKernel(job, series)
    const at = '/sys/kernel/inarch/livepatch_meminfo'
    const lines = await runInGuest(
      kernel.image,
      { 'core.ko': readFileSync(own('a/inarch_core.ko')), 'patch.ko': module },
      `insmod /patch.ko 2>/dev/null || echo it needs the core
       insmod /core.ko && insmod /patch.ko && cat ${at}/model
       for i in 1 2 3 4 5 6 7 8; do [ "$(cat ${at}/transition)" = 0 ] && break; echo 1 2>/dev/null >${at}/wake; sleep 1; done
       grep -c "live patched" /proc/meminfo
       rmmod inarch_core 2>/dev/null || echo it is needed
       echo 0 >${at}/enabled
       for i in 1 2 3 4 5 6 7 8; do [ -d ${at} ] || break; echo 1 2>/dev/null >${at}/wake; sleep 1; done
       rmmod livepatch_meminfo && rmmod inarch_core && echo gone`,
      { cpus: 2 },
    )
    const log = lines.filter((line) => line.startsWith('log: '))
    expect(lines.filter((line) => !log.includes(line))).toEqual([
      'it needs the core',
      'hybrid',
      '1',
      'it is needed',
      'gone',
    ])
    expect(log.filter((line) => /WARNING|BUG|Oops/.test(line))).toEqual([])
  })
})

test('the core refuses a kernel that it was not made for', async () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-core-'))
  try {
    await run('core', 'build', '-k', '6.1', '-o', dir)
    const other = await selectKernel(job, '6.12')
    const core = { 'core.ko': readFileSync(path.join(dir, 'inarch_core.ko')) }
    const lines = await runInGuest(other.image, core, 'insmod /core.ko 2>/dev/null || echo refused')
    expect(lines[0]).toBe('refused')
  } finally {
    rmSync(dir, { recursive: true })
  }
})
