// SPDX-License-Identifier: GPL-3.0-or-later
// Debian 13's kernel on whatever Debian this machine runs: its archive, its compiler, a live patch by both engines.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { command } from '../../src/ground/command.ts'
import { silentJournal } from '../../src/ground/job.ts'
import { distributionCalled, hostDistribution } from '../../src/kernel/distributions.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { toolchainDir } from '../../src/kernel/toolchain.ts'
import { buildCommand, inarch, root } from './inarch.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
let kernel: Kernel
let dir: string
beforeAll(async () => {
  buildCommand()
  kernel = await selectKernel(job, 'trixie')
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-trixie-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const built = async (example: string, ...more: readonly string[]) => {
  const patch = path.join(root, 'examples', `${example}.patch`)
  const args = ['build', patch, '--kernel', kernel.release, '--output', dir, ...more]
  return inarch(args, { cwd: dir })
}

describe('the newest cloud kernel of Debian 13', () => {
  test('is compiled by the very compiler that Debian used, which this machine need not have', async () => {
    expect(kernel.release).toMatch(/^6\.12\.\d+\+deb13/)
    const { stdout } = await command(kernel.compiler.program, ['--version'])
    expect(stdout.split('\n')[0]).toBe(kernel.compiler.versionText)
    if (hostDistribution() === distributionCalled('trixie')) return
    expect(kernel.compiler.program).toContain(toolchainDir(kernel.toolchain!))
  })

  test('gets live patches of the kernel proper and of a module, which both engines make alike, proven', async () => {
    for (const example of ['meminfo', 'dummy-count-drops']) {
      const outcome = await built(example, '--engine', 'both')
      expect([outcome.code, outcome.stderr]).toEqual([0, expect.anything()])
    }
    const modules = ['meminfo', 'dummy-count-drops'].map((name) => path.join(dir, `livepatch-${name}.ko`))
    const proven = await inarch(['prove', ...modules], { cwd: dir })
    expect(proven.stdout + proven.stderr).toContain('proven')
    expect(proven.code).toBe(0)
    // Where the toolchain lies is not told to anybody.
    for (const file of modules) expect(readFileSync(file).includes(os.homedir())).toBe(false)
  })
})
