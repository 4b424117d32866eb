// SPDX-License-Identifier: GPL-3.0-or-later
// A build directory that lacks something: each time the message says what makes it.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import { openBuildDir } from '../../src/kernel/local.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
let dir: string
const before = process.env['XDG_CACHE_HOME']
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-local-'))
  process.env['XDG_CACHE_HOME'] = path.join(dir, 'cache')
})
afterEach(() => {
  if (before === undefined) delete process.env['XDG_CACHE_HOME']
  else process.env['XDG_CACHE_HOME'] = before
  rmSync(dir, { recursive: true, force: true })
})

function put(name: string, text = ''): void {
  mkdirSync(path.dirname(path.join(dir, 'linux', name)), { recursive: true })
  writeFileSync(path.join(dir, 'linux', name), text)
}

const config = `CONFIG_CC_VERSION_TEXT="gcc-12 (Debian) 12"
CONFIG_X86_64=y
CONFIG_KALLSYMS=y
CONFIG_LIVEPATCH=y
`

/** What a build leaves, in the order in which it is asked for. */
const files = [
  ['.config', config, 'defconfig'],
  ['vmlinux', 'not an ELF file', 'vmlinux'],
  ['arch/x86/boot/bzImage', '', 'bzImage'],
  ['Module.symvers', '', 'modules'],
  ['include/config/kernel.release', '6.1.7\n', 'prepare'],
] as const

const open = () => openBuildDir(job, path.join(dir, 'linux'))

describe('a build directory', () => {
  test('that does not exist is a wrong use', async () => {
    await expect(open()).rejects.toMatchObject({ code: 'build-dir-missing', exitCode: 2 })
  })

  test.each(files.map(([name, , target], index) => [name, target, index] as const))(
    'without %s names the target %s',
    async (name, target, index) => {
      mkdirSync(path.join(dir, 'linux'))
      for (const [name, text] of files.slice(0, index)) put(name, text)
      await expect(open()).rejects.toMatchObject({
        code: 'build-incomplete',
        exitCode: 5,
        message: expect.stringContaining(`has no ${name}`),
        remedy: `Build it with \`make -C ${dir}/linux ${target}\``,
      })
    },
  )

  test.each(['X86_64', 'KALLSYMS', 'LIVEPATCH'])('without CONFIG_%s is refused', async (option) => {
    put('.config', config.replace(`CONFIG_${option}=y`, `# CONFIG_${option} is not set`))
    await expect(open()).rejects.toMatchObject({ code: 'build-unsuitable', exitCode: 5 })
  })

  test('whose boot image is older than its kernel is refused', async () => {
    for (const [name, text] of files) put(name, text)
    utimesSync(path.join(dir, 'linux/arch/x86/boot/bzImage'), 1e9, 1e9)
    await expect(open()).rejects.toThrow('is older than its vmlinux')
  })

  test.each(['', '..\n', '6.1.7/../../x\n', 'six\n'])('whose release is %j is refused', async (release) => {
    for (const [name, text] of files) put(name, text)
    put('include/config/kernel.release', release)
    await expect(open()).rejects.toThrow('holds no release')
  })

  test('whose kernel is not readable is refused, and nothing half-made stays', async () => {
    for (const [name, text] of files) put(name, text)
    put('Kbuild')
    await expect(open()).rejects.toMatchObject({ code: 'kallsyms-unreadable' })
    expect(readdirSync(path.join(dir, 'cache/inarch/tmp'))).toEqual([])
    expect(existsSync(path.join(dir, 'cache/inarch/local'))).toBe(false)
  })
})
