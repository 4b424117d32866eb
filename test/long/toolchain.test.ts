// SPDX-License-Identifier: GPL-3.0-or-later
// The compiler of each suite, run from the cache: it calls itself as the kernels' configurations name it, also where
// the machine has it installed. One that somebody removed is fetched again; whatever else uses it meanwhile fails.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import { archiveOf } from '../../src/kernel/apt.ts'
import { compilerOf, compilerVersion } from '../../src/kernel/compiler.ts'
import { distributionOfRelease } from '../../src/kernel/distributions.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { fetchToolchain, toolchainDir, toolchainProgram } from '../../src/kernel/toolchain.ts'
import { buildCommand, inarch, root } from '../e2e/inarch.ts'

const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-toolchain-'))
beforeAll(buildCommand)
afterAll(() => rmSync(work, { recursive: true, force: true }))

test.each(['bookworm', 'trixie', 'testing'])(
  'the compiler of %s is what the kernels’ configuration says',
  async (suite) => {
    const job = { signal: new AbortController().signal, journal: silentJournal() }
    const { release, config } = await selectKernel(job, suite)
    const compiler = compilerOf(readFileSync(config, 'utf8'))
    const name = await fetchToolchain(job, archiveOf(distributionOfRelease(release)), compiler, [])
    expect(await compilerVersion(toolchainProgram(name, compiler.program))).toBe(compiler.versionText)
  },
)

test('a build of gcc that the archive no longer has is refused by name, and leaves another alone', async () => {
  const job = { signal: new AbortController().signal, journal: silentJournal() }
  const { release, config } = await selectKernel(job, 'trixie')
  const archive = archiveOf(distributionOfRelease(release))
  const compiler = compilerOf(readFileSync(config, 'utf8'))
  const name = await fetchToolchain(job, archive, compiler, [])
  // Debian's revision, which goes up with each build.
  const older = { ...compiler, versionText: compiler.versionText.replace(/-\d+\)/, '-0)') }
  expect(older.versionText).not.toBe(compiler.versionText)
  await expect(fetchToolchain(job, archive, older, [])).rejects.toMatchObject({
    code: 'compiler-mismatch',
    message: expect.stringContaining(older.versionText),
    detail: expect.stringMatching(/^the archive: gcc-\d+ \S+$/m),
  })
  expect(await compilerVersion(toolchainProgram(name, compiler.program))).toBe(compiler.versionText)
})

test('a kernel of Debian 13 gets its toolchain back when somebody removes it', async ({ skip }) => {
  const kernel = await selectKernel({ signal: new AbortController().signal, journal: silentJournal() }, 'trixie')
  if (kernel.toolchain === undefined) skip('this machine has the compiler')
  const build = async (name: string) => {
    const output = mkdtempSync(path.join(work, name))
    const patch = path.join(root, 'examples/meminfo.patch')
    const { code, stderr } = await inarch(['build', patch, '--kernel', kernel.release, '--output', output], {
      cwd: work,
    })
    expect(code, stderr).toBe(0)
    return { stderr, module: readFileSync(path.join(output, 'livepatch-meminfo.ko')) }
  }
  const before = await build('before-')
  rmSync(toolchainDir(kernel.toolchain!), { recursive: true })
  const after = await build('after-')
  expect(after.stderr).toContain('Unpacking gcc-')
  expect(after.module.equals(before.module)).toBe(true)
})
