// SPDX-License-Identifier: GPL-3.0-or-later
// A kernel from a build directory. Building one takes too long for a test, so Debian's kernel is laid out
// as `make O=DIR` would leave it; what comes out must be Debian's kernel again.
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { openBuildDir } from '../../src/kernel/local.ts'
import { findModule, openModule } from '../../src/kernel/modules.ts'
import { selectKernel } from '../../src/kernel/select.ts'

const job = { signal: new AbortController().signal, journal: silentJournal() }
let built: string
let debian: Kernel
const before = process.env['XDG_CACHE_HOME']
beforeAll(async () => {
  debian = await selectKernel(job, '6.1')
  // Who builds a kernel has its compiler on the path; this machine may have it in the cache only.
  if (debian.toolchain !== undefined)
    vi.stubEnv('PATH', `${path.dirname(debian.compiler.program)}:${process.env['PATH']}`)
  built = mkdtempSync(path.join(os.tmpdir(), 'inarch-built-'))
  process.env['XDG_CACHE_HOME'] = path.join(built, '.git')
  for (const dir of ['arch/x86/boot', 'include', 'lib', 'scripts'])
    mkdirSync(path.join(built, dir), { recursive: true })
  symlinkSync(debian.source, path.join(built, 'source'))
  writeFileSync(path.join(built, 'Makefile'), 'include source/Makefile\n')
  for (const name of ['.config', 'Module.symvers']) copyFileSync(path.join(debian.source, name), path.join(built, name))
  cpSync(path.join(debian.source, 'include/config'), path.join(built, 'include/config'), { recursive: true })
  writeFileSync(path.join(built, 'include/config/kernel.release'), `${debian.release}\n`)
  copyFileSync(debian.vmlinux, path.join(built, 'vmlinux'))
  copyFileSync(debian.image, path.join(built, 'arch/x86/boot/bzImage'))
  writeFileSync(path.join(built, 'lib/libcrc32c.ko'), await openModule(debian, 'libcrc32c'))
  writeFileSync(path.join(built, 'lib/stray.o'), 'an object')
  writeFileSync(path.join(built, 'modules.order'), 'kernel/lib/libcrc32c.ko\n')
})
afterAll(() => {
  vi.unstubAllEnvs()
  if (before === undefined) delete process.env['XDG_CACHE_HOME']
  else process.env['XDG_CACHE_HOME'] = before
  rmSync(built, { recursive: true, force: true })
})

test('a built tree gives the same kernel as its packages, and is left as it was', async () => {
  const configTime = statSync(path.join(built, 'include/config/auto.conf')).mtimeMs
  const kernel = await openBuildDir(job, built)
  expect(kernel).toMatchObject({
    release: debian.release,
    series: '6.1',
    origin: 'local',
    compiler: { program: 'gcc-12', versionText: debian.compiler.versionText },
  })
  expect(readFileSync(kernel.systemMap).equals(readFileSync(debian.systemMap))).toBe(true)
  expect(readFileSync(kernel.image).equals(readFileSync(debian.image))).toBe(true)
  expect(readFileSync(kernel.config, 'utf8')).toBe(readFileSync(debian.config, 'utf8'))
  expect((await findModule(kernel, 'libcrc32c'))?.file).toMatch(/\/kernel\/lib\/libcrc32c\.ko$/)
  expect(() => statSync(path.join(kernel.source, 'lib/stray.o'))).toThrow()
  const make = spawnSync(
    'make',
    ['-n', '-o', 'prepare', `KERNELRELEASE=${kernel.release}`, 'CC=gcc-12', 'fs/proc/meminfo.o'],
    {
      cwd: kernel.source,
      encoding: 'utf8',
    },
  )
  expect([make.stderr, make.stdout]).toEqual([
    '',
    expect.stringMatching(/gcc-12 .*-c -o fs\/proc\/meminfo\.o fs\/proc\/meminfo\.c/),
  ])
  expect(statSync(path.join(built, 'include/config/auto.conf')).mtimeMs).toBe(configTime)
  expect(readFileSync(path.join(debian.source, 'Makefile'), 'utf8')).toContain('KERNELRELEASE')
})

test('a tree that was built again is taken over again, and otherwise not', async () => {
  const first = await openBuildDir(job, built)
  const time = statSync(first.systemMap).mtimeMs
  expect(statSync((await openBuildDir(job, built)).systemMap).mtimeMs).toBe(time)
  const later = new Date(Date.now() + 5000)
  utimesSync(path.join(built, 'arch/x86/boot/bzImage'), later, later)
  expect(statSync((await openBuildDir(job, built)).systemMap).mtimeMs).toBeGreaterThan(time)
})

/** What a build in place leaves, with hardly any source: it is taken over in a moment. */
let small: string
beforeAll(async () => {
  small = path.join(built, 'small')
  for (const dir of ['arch/x86/boot', 'include/config', 'include/generated', 'lib'])
    mkdirSync(path.join(small, dir), { recursive: true })
  for (const name of ['.config', 'Module.symvers', 'vmlinux', 'modules.order', 'include/config/kernel.release'])
    copyFileSync(path.join(built, name), path.join(small, name))
  copyFileSync(debian.image, path.join(small, 'arch/x86/boot/bzImage'))
  copyFileSync(path.join(built, 'lib/libcrc32c.ko'), path.join(small, 'lib/libcrc32c.ko'))
  for (const name of [
    'Kbuild',
    'Makefile',
    'modules.builtin',
    'include/config/auto.conf',
    'include/generated/autoconf.h',
  ])
    writeFileSync(path.join(small, name), '')
  writeFileSync(path.join(small, 'include/generated/here.h'), 'int a;')
})

/** Another file takes the place of one. */
function replace(name: string, text: string): void {
  writeFileSync(path.join(small, 'new'), text)
  renameSync(path.join(small, 'new'), path.join(small, name))
}

/** A file changes and keeps its inode and the time that `ls` shows. */
function inPlace(name: string, change: (file: string) => void): void {
  const file = path.join(small, name)
  const { atime, mtime } = statSync(file)
  change(file)
  utimesSync(file, atime, mtime)
}

test.each([
  ['a header is replaced by another one', () => replace('include/generated/here.h', 'int b;')],
  ['a header appears', () => writeFileSync(path.join(small, 'include/generated/there.h'), '')],
  [
    'vmlinux is written again, with its size and its time as before',
    () => inPlace('vmlinux', (file) => writeFileSync(file, readFileSync(file))),
  ],
  ['Module.symvers changes', () => inPlace('Module.symvers', (file) => appendFileSync(file, '\n'))],
  ['a module is built again', () => inPlace('lib/libcrc32c.ko', (file) => writeFileSync(file, readFileSync(file)))],
  ['an option changes', () => inPlace('.config', (file) => appendFileSync(file, '# CONFIG_INARCH is not set\n'))],
  ['what is built in changes', () => inPlace('modules.builtin', (file) => writeFileSync(file, 'kernel/x.ko\n'))],
])('%s: the tree is taken over again', async (_, change) => {
  const taken = async () => statSync((await openBuildDir(job, small)).systemMap).ino
  await taken()
  const first = await taken()
  expect(await taken()).toBe(first)
  change()
  expect(await taken()).not.toBe(first)
})

test.each(['.config', 'Module.symvers', 'include'])(
  'where the time of %s lies ahead, the tree is still taken over only once',
  async (name) => {
    const file = path.join(small, name)
    const { atime, mtime } = statSync(file)
    utimesSync(file, new Date('2040-01-01'), new Date('2040-01-01'))
    const taken = async () => statSync((await openBuildDir(job, small)).systemMap).ino
    const first = await taken()
    expect(await taken()).toBe(first)
    utimesSync(file, atime, mtime)
    expect(await taken()).not.toBe(first)
  },
)

test('a header that is written in its place is seen through the link', async () => {
  const { source } = await openBuildDir(job, small)
  writeFileSync(path.join(small, 'include/generated/here.h'), 'int c;')
  await openBuildDir(job, small)
  expect(readFileSync(path.join(source, 'include/generated/here.h'), 'utf8')).toBe('int c;')
})
