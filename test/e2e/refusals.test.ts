// SPDX-License-Identifier: GPL-3.0-or-later
// What `inarch build` says when it can't do what it was asked, as its user sees it: the message, the place,
// what to do next, and the exit code.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { buildCommand, inarch, type Outcome, root } from './inarch.ts'

let kernel: Kernel
let dir: string
const meminfo = 'fs/proc/meminfo.c'

beforeAll(async () => {
  buildCommand()
  kernel = await selectKernel({ signal: new AbortController().signal, journal: silentJournal() })
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-refusals-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function diff(file: string, before: string, after: string): string {
  writeFileSync(path.join(dir, 'before'), before, 'latin1')
  writeFileSync(path.join(dir, 'after'), after, 'latin1')
  const labels = ['--label', `a/${file}`, '--label', `b/${file}`]
  try {
    execFileSync('diff', ['-u', ...labels, path.join(dir, 'before'), path.join(dir, 'after')])
  } catch (error) {
    return (error as { stdout: Buffer }).stdout.toString('latin1')
  }
  throw new Error(`nothing changed in ${file}`)
}

/** A patch that replaces `from`, which must be there, by `to` in a file of the kernel. */
function edit(file: string, from: string, to: string): string {
  const text = readFileSync(path.join(kernel.source, file), 'latin1')
  if (!text.includes(from)) throw new Error(`${file} does not have ${from}`)
  return diff(
    file,
    text,
    text.replace(from, () => to),
  )
}

/** Builds one patch for the default kernel, into an empty directory that must stay empty. */
async function build(patch: string, ...options: string[]): Promise<Outcome> {
  const output = mkdtempSync(path.join(dir, 'out-'))
  writeFileSync(path.join(dir, 'fix.patch'), patch, 'latin1')
  const args = ['build', 'fix.patch', '--kernel', kernel.release, '--output', output, ...options]
  const outcome = await inarch(args, { cwd: dir })
  if (outcome.code !== 0) expect(readdirSync(output)).toEqual([])
  expect(outcome.stderr).not.toMatch(/^\s+at /m)
  expect(outcome.stdout + outcome.stderr).not.toContain('\x1b')
  return outcome
}

describe('a patch that can’t be read', () => {
  test('is refused when there is no diff in it', async () => {
    const { code, stderr } = await build('This is only a letter.\n')
    expect(code).toBe(3)
    expect(stderr).toMatch(/^error: .*fix\.patch/m)
  })

  test('is refused when it is empty', async () => {
    const { code, stderr } = await build('')
    expect(code).toBe(3)
    expect(stderr).toMatch(/^error: .*fix\.patch/m)
  })

  test('is refused when it is binary', async () => {
    const { code, stderr } = await build(
      'diff --git a/logo.ppm b/logo.ppm\nindex 1111111..2222222 100644\nGIT binary patch\nliteral ' +
        '4\nLcmZQzU|<FS0RRF30Rsa7\n\n',
    )
    expect(code).toBe(3)
    expect(stderr).toMatch(/^error: .*binary/im)
  })

  test.each(['../../etc/passwd', '/etc/passwd', 'fs/../../../etc/passwd'])(
    'is refused when a path leaves the tree: %s',
    async (file) => {
      const { code, stderr } = await build(`--- ${file}\n+++ ${file}\n@@ -1 +1 @@\n-a\n+b\n`, '-p0')
      expect(code).toBe(3)
      expect(stderr).toContain('passwd')
      expect(stderr).toMatch(/outside|leaves|has \.\. in it/)
    },
  )
})

describe('a patch that does not apply', () => {
  test('names the hunk and the file, and shows the lines that differ', async () => {
    const patch = edit(meminfo, 'si_meminfo(&i);', 'si_meminfo(&i); i.freeram = 0;').replace(
      /^-\tsi_meminfo\(&i\);/m,
      '-\tsi_meminfo(&other);',
    )
    const { code, stderr } = await build(patch)
    expect(code).toBe(3)
    expect(stderr).toContain(meminfo)
    expect(stderr).toMatch(/hunk 1|first hunk/i)
    expect(stderr).toContain('si_meminfo(&other);')
    expect(stderr).toContain('si_meminfo(&i);')
  })

  test('names a file that the kernel does not have', async () => {
    const { code, stderr } = await build('--- a/fs/nothing/here.c\n+++ b/fs/nothing/here.c\n@@ -1 +1 @@\n-a\n+b\n')
    expect(code).toBe(3)
    expect(stderr).toContain('fs/nothing/here.c')
  })
})

describe('a patch that does not compile', () => {
  test("shows the compiler's message with the line of the patch", async () => {
    const patch = edit(meminfo, 'si_meminfo(&i);', 'si_meminfo(&i);\n\tno_such_thing = 1;')
    const line = patch.split('\n').findIndex((text) => text.includes('no_such_thing')) + 1
    const { code, stderr } = await build(patch)
    expect(code).toBe(3)
    expect(stderr).toContain('no_such_thing')
    expect(stderr).toMatch(/undeclared/)
    expect(stderr).toContain(`fix.patch:${line}`)
  })
})

describe('a patch that can’t be applied live', () => {
  test.each([
    ['a comment', (): string => edit(meminfo, 'si_meminfo(&i);', 'si_meminfo(&i); /* how much memory */')],
    ['white space', (): string => edit(meminfo, 'si_meminfo(&i);', 'si_meminfo( &i );\n')],
  ])('has no functional change when it changes only %s', async (_what, patch) => {
    const { code, stderr } = await build(patch())
    expect(code).toBe(4)
    expect(stderr).toMatch(/no functional change/i)
  })

  const otherValue = () =>
    edit('kernel/panic.c', 'int panic_timeout = CONFIG_PANIC_TIMEOUT;', 'int panic_timeout = 42;')

  test('is refused when it changes the initial value of data', async () => {
    const { code, stderr } = await build(otherValue())
    expect(code).toBe(4)
    expect(stderr).toContain('data-changed')
    expect(stderr).toContain('panic_timeout')
    expect(stderr).toContain('kernel/panic.c')
  })

  test.each([
    ['a makefile', 'build-rules-changed', 'fs/proc/Makefile', 'obj-y   += proc.o', 'obj-y   += proc.o # fix'],
    ['assembly code', 'assembly-changed', 'arch/x86/lib/memmove_64.S', 'SYM_FUNC_START', '/* fix */\nSYM_FUNC_START'],
    ['a file that is not built', 'nothing-to-patch', 'fs/minix/dir.c', '#include', '/* fix */\n#include'],
  ])('is refused when it changes %s', async (_what, rule, file, from, to) => {
    const { code, stderr } = await build(edit(file, from, to))
    expect(code).toBe(4)
    expect(stderr).toContain(rule)
    expect(stderr).toContain(file)
  })

  test('gives the same facts to programs', async () => {
    const { code, stdout } = await build(otherValue(), '--json')
    expect(code).toBe(4)
    expect(JSON.parse(stdout)).toMatchObject({
      error: {
        kind: 'refused',
        findings: [{ severity: 'error', rule: 'data-changed', symbol: 'panic_timeout' }],
      },
    })
  })
})

describe('a patch in another spelling', () => {
  test('is refused by the source engine, also where macros hide it', async () => {
    const before = 'static int meminfo_proc_show('
    const more = '#define BEGIN <%\n#define END %>\nstatic noinline int odd(int a)\nBEGIN\n\treturn a + 1;\nEND\n\n'
    const used = edit(meminfo, before, more + before).concat(
      edit('fs/proc/version.c', 'seq_printf(m, ', 'seq_printf((m), '),
    )
    const { code, stderr } = await build(used, '--engine', 'source')
    expect(code).toBe(3)
    expect(stderr).toMatch(/^error: fs\/proc\/meminfo\.c is written with <%/m)
  })
})

describe('a machine that lacks something', () => {
  /** A compiler by the right name that is another one, first on the path. */
  async function buildWithCompiler(script: string): Promise<Outcome> {
    const bin = path.join(dir, 'bin')
    mkdirSync(bin, { recursive: true })
    writeFileSync(path.join(bin, kernel.compiler.program), script)
    chmodSync(path.join(bin, kernel.compiler.program), 0o755)
    const args = ['build', path.join(root, 'examples/meminfo.patch'), '--kernel', kernel.release]
    return await inarch(args, { cwd: dir, env: { PATH: `${bin}:${process.env['PATH']}` } })
  }

  test('is told which package brings the compiler of the kernel, when it has another', async () => {
    const { code, stderr } = await buildWithCompiler('#!/bin/sh\necho "gcc-99 (Elsewhere 99.1) 99.1"\n')
    expect(code).toBe(5)
    expect(stderr).toContain('gcc-99 (Elsewhere 99.1) 99.1')
    expect(stderr).toContain(kernel.compiler.versionText)
    expect(stderr).toMatch(/apt-get install .*gcc-\d+/)
  })

  test('is told what a build directory lacks', async () => {
    const empty = mkdtempSync(path.join(dir, 'empty-'))
    const args = ['build', path.join(root, 'examples/meminfo.patch'), '--build-dir', empty]
    const { code, stderr } = await inarch(args, { cwd: dir })
    expect(code).toBe(5)
    expect(stderr).toContain(empty)
    expect(stderr).toMatch(/^next: .*make/m)
  })
})

describe('wrong use', () => {
  test.each([
    ['an unknown command', ['graft']],
    ['an unknown option', ['build', '--frobnicate', 'fix.patch']],
    ['no patch', ['build']],
    ['a patch that is not there', ['build', 'none.patch', '--kernel', 'KERNEL']],
    ['a kernel that is none', ['build', 'fix.patch', '--kernel', 'windows-11']],
    ['a release that the archive never had', ['build', 'fix.patch', '--kernel', '6.1.0-1-cloud-amd64']],
    ['a number that is none', ['build', '-p', 'one', 'fix.patch']],
    ['two kernels', ['build', 'fix.patch', '--kernel', 'KERNEL', '--build-dir', '.']],
  ])('%s ends with exit code 2 and a message', async (_what, args) => {
    writeFileSync(path.join(dir, 'fix.patch'), readFileSync(path.join(root, 'examples/meminfo.patch')))
    const { code, stdout, stderr } = await inarch(
      args.map((arg) => (arg === 'KERNEL' ? kernel.release : arg)),
      { cwd: dir },
    )
    expect(stderr).toMatch(/^error: /m)
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(stdout).toBe('')
    expect(code).toBe(2)
  })
})
