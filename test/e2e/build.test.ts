// SPDX-License-Identifier: GPL-3.0-or-later
// From a patch to objects, with the default kernel from the archive and its real compiler.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { classifyChanges } from '../../src/build/classify-changes.ts'
import { compilePairs } from '../../src/build/compile.ts'
import { openUnits, type Units } from '../../src/build/kbuild/units.ts'
import type { Fault } from '../../src/ground/fault.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { openTemplate } from '../../src/module/structures/template.ts'
import { applyPatches } from '../../src/patch/apply.ts'
import { parsePatch } from '../../src/patch/parse.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-build-'))
const objectCache = process.env['XDG_CACHE_HOME']
let kernel: Kernel
let units: Units

beforeAll(async () => {
  kernel = await selectKernel(job)
  units = await openUnits(job, kernel)
})
afterAll(() => rmSync(work, { recursive: true }))

/** A patch that replaces `from` by `to` in a file of the kernel's source. */
function edit(file: string, from: string, to: string): Buffer {
  const text = readFileSync(path.join(kernel.source, file), 'latin1')
  if (!text.includes(from)) throw new Error(`${file} does not have ${from}`)
  const changed = path.join(work, 'edited')
  writeFileSync(
    changed,
    text.replace(from, () => to),
    'latin1',
  )
  const label = ['--label', `a/${file}`, '--label', `b/${file}`]
  try {
    return execFileSync('diff', ['-u', ...label, path.join(kernel.source, file), changed])
  } catch (error) {
    return (error as { stdout: Buffer }).stdout
  }
}

const apply = async (...patches: Buffer[]) =>
  (
    await applyPatches(
      kernel.source,
      patches.map((bytes) => parsePatch(bytes, 'fix.patch')),
    )
  ).changes

let number = 0
const compile = async (...patches: Buffer[]) =>
  await compilePairs(job, kernel, await apply(...patches), mkdtempSync(path.join(work, `out${++number}-`)))

/** Sections of an object with their contents as objdump shows them. */
const contents = (object: string) =>
  execFileSync('objdump', ['-rs', object], { encoding: 'latin1', maxBuffer: 1 << 28 })
    .split('\n')
    .slice(2)
    .join('\n')

async function refusal(work: Promise<unknown>): Promise<Fault> {
  try {
    await work
  } catch (error) {
    return error as Fault
  }
  throw new Error('it was not refused')
}

describe('the units of a kernel', () => {
  test('are told by what becomes of them', () => {
    expect(units.all().length).toBeGreaterThan(1000)
    expect(units.find('fs/proc/meminfo.c')).toMatchObject([{ home: 'vmlinux', modules: [], standard: true }])
    expect(units.find('drivers/net/dummy.c')).toMatchObject([{ home: 'module', modules: ['dummy'] }])
    expect(units.find('arch/x86/boot/compressed/string.c')).toMatchObject([{ home: 'elsewhere' }])
    expect(
      units
        .find('lib/cmdline.c')
        .map((unit) => unit.home)
        .sort(),
    ).toEqual(['elsewhere', 'vmlinux'])
    expect(units.find('fs/proc/none.c')).toEqual([])
  })

  test('are found in well under the time that reading the table takes from kbuild', async () => {
    const again = await openUnits(job, kernel)
    expect(again.find('fs/proc/meminfo.c')).toEqual(units.find('fs/proc/meminfo.c'))
    expect(job.journal.timings.filter(({ step }) => step.startsWith('Asking kbuild')).length).toBeLessThan(2)
  })

  test('know how objtool is run on a module', () => {
    const [unit] = units.find('fs/proc/meminfo.c')
    expect(unit!.objtool).toContain('--module')
    expect(unit!.objtool).toContain('--orc')
    expect(unit!.flags).toContain('-DKBUILD_MODNAME="proc"')
  })
})

describe('compiling a patch', () => {
  const patch = () => edit('fs/proc/meminfo.c', '"MemTotal:       "', '"MemTotal (all): "')

  test('gives an object for each side that differ where the patch is', async () => {
    const { pairs, findings } = await compile(patch())
    expect(findings).toEqual([])
    expect(pairs).toMatchObject([{ unit: 'fs/proc/meminfo.c' }])
    expect(contents(pairs[0]!.before!)).not.toBe(contents(pairs[0]!.after))
    expect(execFileSync('nm', [pairs[0]!.after], { encoding: 'utf8' })).toContain('meminfo_proc_show')
  })

  test('gives the same bytes wherever it is done, and no path of the place', async () => {
    const objects: Buffer[] = []
    for (const place of ['one', 'a-longer-name']) {
      process.env['XDG_CACHE_HOME'] = path.join(work, place)
      try {
        const { pairs } = await compile(patch())
        objects.push(readFileSync(pairs[0]!.after))
      } finally {
        if (objectCache === undefined) delete process.env['XDG_CACHE_HOME']
        else process.env['XDG_CACHE_HOME'] = objectCache
      }
    }
    expect(objects[0]!.equals(objects[1]!)).toBe(true)
    expect(objects[0]!.includes(work)).toBe(false)
    expect(objects[0]!.includes('shadow')).toBe(false)
  })

  test('gives the very same object when only lines have moved', async () => {
    const { pairs } = await compile(
      edit('fs/ext4/mballoc.c', '#include "ext4_jbd2.h"\n', '/*\n * Only\n * a comment\n */\n#include "ext4_jbd2.h"\n'),
    )
    expect(contents(pairs[0]!.after)).toBe(contents(pairs[0]!.before!))
  })

  test('names the module that holds a unit', async () => {
    const { pairs } = await compile(edit('drivers/net/dummy.c', 'return NETDEV_TX_OK;', 'return NETDEV_TX_BUSY;'))
    expect(pairs).toMatchObject([{ unit: 'drivers/net/dummy.c', module: 'dummy' }])
  })

  test('reaches a file through the unit that includes it', async () => {
    const { pairs } = await compile(
      edit('kernel/sched/rt.c', 'int sched_rr_timeslice = RR_TIMESLICE;', 'int sched_rr_timeslice = RR_TIMESLICE + 1;'),
    )
    expect(pairs).toMatchObject([{ unit: 'kernel/sched/build_policy.c' }])
    expect(contents(pairs[0]!.after)).not.toBe(contents(pairs[0]!.before!))
  })

  test('has kbuild generate what a unit includes', async () => {
    const { pairs } = await compile(
      edit('lib/crc32.c', '#include "crc32defs.h"', '/* moved */\n#include "crc32defs.h"'),
    )
    expect(contents(pairs[0]!.after)).toBe(contents(pairs[0]!.before!))
    expect(existsSync(path.join(kernel.source, 'lib/crc32table.h'))).toBe(false)
  })

  test('leaves the source tree as it was', async () => {
    const file = path.join(kernel.source, 'fs/proc/meminfo.c')
    const before = statSync(file).mtimeMs
    await compile(patch())
    expect(statSync(file).mtimeMs).toBe(before)
    expect(existsSync(path.join(kernel.source, 'fs/proc/meminfo.o'))).toBe(false)
  })

  test('that does not compile names the line of the patch and shows the message', async () => {
    const fault = await refusal(
      compile(
        edit('fs/proc/meminfo.c', 'si_meminfo(&i);\n', 'si_meminfo(&i);\n\n\tno_such_thing(&i);\n\tthis is wrong;\n'),
      ),
    )
    expect(fault).toMatchObject({ kind: 'patch', code: 'compile-error' })
    expect(fault.message).toMatch(/^fix\.patch:\d+: .*no_such_thing/)
    expect(fault.detail).toContain('fs/proc/meminfo.c:')
    const line = Number(/:(\d+):/.exec(fault.message)![1])
    const text = edit(
      'fs/proc/meminfo.c',
      'si_meminfo(&i);\n',
      'si_meminfo(&i);\n\n\tno_such_thing(&i);\n\tthis is wrong;\n',
    )
    expect(text.toString().split('\n')[line - 1]).toContain('no_such_thing')
  })
})

describe('a patch that does not compile', () => {
  const above = (file: string, line: string) => {
    const [first] = readFileSync(path.join(kernel.source, file), 'latin1').split('\n')
    return edit(file, `${first}\n`, `${first}\n${line}\n`)
  }

  test('has all its errors told, those of every unit, each with the line of the patch and its text', async () => {
    const fault = await refusal(
      compile(
        above('fs/proc/meminfo.c', 'int one = first_mistake;\nint two = second_mistake;'),
        above('fs/proc/uptime.c', 'int three = third_mistake;'),
      ),
    )
    expect(fault).toMatchObject({ kind: 'patch', code: 'compile-error' })
    expect(fault.message).toMatch(/^fix\.patch:5: .*first_mistake.* \(and 2 more errors\)$/)
    expect(fault.detail?.split('\n')).toEqual([
      expect.stringMatching(/^fs\/proc\/meminfo\.c:2 \(fix\.patch:5\): error: .*first_mistake/),
      '    int one = first_mistake;',
      expect.stringMatching(/^fs\/proc\/meminfo\.c:3 \(fix\.patch:6\): error: .*second_mistake/),
      '    int two = second_mistake;',
      expect.stringMatching(/^fs\/proc\/uptime\.c:2 \(fix\.patch:5\): error: .*third_mistake/),
      '    int three = third_mistake;',
    ])
  })

  test('has an error in a header told once, though many units have it', async () => {
    const fault = await refusal(compile(edit('fs/proc/internal.h', '#include', 'int x = no_such_name;\n#include')))
    expect(fault.message).toMatch(/no_such_name/)
    expect(fault.message).not.toMatch(/more error/)
  })

  test.each([['security/selinux/hooks.c'], ['crypto/asymmetric_keys/x509_cert_parser.c']])(
    'is told so where kbuild generates what %s includes',
    async (file) => {
      const fault = await refusal(compile(above(file, 'int x = no_such_name;')))
      expect(fault).toMatchObject({ kind: 'patch', code: 'compile-error' })
      expect(fault.message).toMatch(/^fix\.patch:5: .*no_such_name/)
    },
  )
})

describe('a patch that names a file of this machine', () => {
  const secret = path.join(work, 'secret')
  beforeAll(() => writeFileSync(secret, 'secretword words here;\n'))
  const spelled = '#define SPELL(x) #x\n#define SPELLED(x) SPELL(x)\n'

  test.each([
    ['plainly', (file: string) => `#include "${file}"`],
    ['through a macro', (file: string) => `${spelled}#include SPELLED(${file})`],
    [
      'through a macro, with an end that hides what was read',
      (file: string) => `${spelled}#include SPELLED(${file})\n#include "not-there.h"`,
    ],
    ['by the way up', (file: string) => `${spelled}#include SPELLED(../../../../../../../../../../../../../..${file})`],
    [
      'to the assembler',
      (file: string) => `#define A ".inc"\nasm(".pushsection .x; " A "bin \\"${file}\\"; .popsection");`,
    ],
    ['to the assembler, as its source', (file: string) => `#define A ".inc"\nasm(A "lude \\"${file}\\"");`],
    ['as the file that a line is of', (file: string) => `#line 1 "${file}"\nint x = no_such_name;`],
  ])('%s does not have its words shown', async (_, lines) => {
    const text = readFileSync(path.join(kernel.source, 'fs/proc/uptime.c'), 'latin1').split('\n')[0]!
    const patch = edit('fs/proc/uptime.c', `${text}\n`, `${text}\n${lines(secret)}\n`)
    const outcome = await compile(patch).catch((error: Fault) => error)
    expect(outcome.findings.map(({ rule }) => rule)).toContain('reads-outside')
    expect(JSON.stringify([outcome, (outcome as Fault).message, (outcome as Fault).detail])).not.toContain('secretword')
  })
})

describe('a file that is not a unit', () => {
  const rules = async (patch: Buffer) =>
    (await classifyChanges(job, kernel, units, await apply(patch))).findings.map(
      ({ severity, rule }) => `${severity} ${rule}`,
    )

  const whole = (file: string) => {
    const first = readFileSync(path.join(kernel.source, file), 'latin1').split('\n')[0]!
    return edit(file, `${first}\n`, `${first}\n\n`)
  }

  test.each([
    ['include/linux/mm.h', []],
    ['include/generated/autoconf.h', ['error header-changed']],
    ['fs/proc/Makefile', ['error build-rules-changed']],
    ['arch/x86/entry/entry_64.S', ['error assembly-changed']],
    ['arch/x86/kernel/vmlinux.lds.S', ['error linker-script-changed']],
    ['arch/x86/entry/vdso/vclock_gettime.c', ['error unreachable-code']],
    ['kernel/sched/rt.c', []],
    ['lib/xz/xz_dec_stream.c', []],
    ['fs/ufs/super.c', ['note not-built', 'error nothing-to-patch']],
    ['Documentation/livepatch/livepatch.rst', ['note not-in-kernel', 'error nothing-to-patch']],
    ['arch/arm64/kernel/setup.c', ['note not-in-kernel', 'error nothing-to-patch']],
    ['MAINTAINERS', ['note not-in-kernel', 'error nothing-to-patch']],
    ['lib/cmdline.c', ['note copy-not-patched']],
  ])('%s: %j', async (file, expected) => {
    expect(await rules(whole(file))).toEqual(expected)
  })

  test('a new file needs a makefile, a removed one is in the kernel still', async () => {
    expect(await rules(Buffer.from('--- /dev/null\n+++ b/fs/proc/new.c\n@@ -0,0 +1 @@\n+int x;\n'))).toEqual([
      'error file-added',
    ])
    const lines = readFileSync(path.join(kernel.source, 'fs/proc/uptime.c'), 'latin1').trimEnd().split('\n')
    const removal =
      `--- a/fs/proc/uptime.c\n+++ /dev/null\n@@ -1,${lines.length} +0,0 ` +
      `@@\n${lines.map((line) => `-${line}\n`).join('')}`
    expect(await rules(Buffer.from(removal, 'latin1'))).toEqual(['error file-removed'])
  })

  test('nothing is compiled when the patch is refused', async () => {
    const { pairs, findings } = await compile(whole('fs/proc/Makefile'), whole('fs/proc/meminfo.c'))
    expect(pairs).toEqual([])
    expect(findings).toMatchObject([{ severity: 'error', rule: 'build-rules-changed', unit: 'fs/proc/Makefile' }])
  })
})

test.each(['bookworm', 'trixie'])('the module skeleton for %s is compiled once', async (suite) => {
  const one = await selectKernel(job, suite)
  const compiled = async () => {
    const mine: Job = { signal: job.signal, journal: silentJournal() }
    await openTemplate(mine, one, await openUnits(mine, one))
    return mine.journal.timings.filter(({ step }) => step.startsWith('Compiling')).length
  }
  expect(await compiled()).toBeLessThan(2)
  expect(await compiled()).toBe(0)
})

test('Ctrl-C ends the compilers and leaves no object behind', async () => {
  const stopper = new AbortController()
  const out = mkdtempSync(path.join(work, 'stopped-'))
  const changes = await apply(edit('kernel/sched/core.c', 'int sched_fork(', `/* ${Date.now()} */ int sched_fork(`))
  const running = compilePairs({ signal: stopper.signal, journal: silentJournal() }, kernel, changes, out)
  setTimeout(() => stopper.abort(new Error('stopped')), 300)
  await expect(running).rejects.toThrow('stopped')
  expect(existsSync(path.join(out, 'after/kernel/sched/core.o'))).toBe(false)
  const left = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
  expect(left).not.toContain(out)
})
