// SPDX-License-Identifier: GPL-3.0-or-later
// The rules about code, with fixes of a real kernel: what each finds, and the like of it that is no danger.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pLimit from 'p-limit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Job, silentJournal } from '../../../src/ground/job.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import { selectKernel } from '../../../src/kernel/select.ts'
import { type Judgement, judgeFix } from '../../../src/module/judgement.ts'
import { readPatches } from '../../../src/patch/read.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const two = pLimit(2)
let kernel: Kernel
let dir: string

beforeAll(async () => {
  kernel = await selectKernel(job)
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-code-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

type Edit = readonly [file: string, from: string, to: string]

/** Judges one fix made of edits to the kernel's files. */
async function judge(name: string, edits: readonly Edit[]): Promise<Judgement> {
  const texts = new Map<string, string>()
  for (const [file, from, to] of edits) {
    const text = texts.get(file) ?? readFileSync(path.join(kernel.source, file), 'latin1')
    if (!text.includes(from)) throw new Error(`${file} does not have ${from}`)
    texts.set(
      file,
      text.replace(from, () => to),
    )
  }
  let diff = ''
  for (const [file, text] of texts) {
    const changed = path.join(dir, `${name}.changed`)
    writeFileSync(changed, text, 'latin1')
    const labels = ['--label', `a/${file}`, '--label', `b/${file}`]
    diff += spawnSync('diff', ['-u', ...labels, path.join(kernel.source, file), changed], {
      encoding: 'latin1',
    }).stdout
  }
  const patch = path.join(dir, `${name}.patch`)
  writeFileSync(patch, diff, 'latin1')
  const patches = await readPatches([patch])
  return await two(() => judgeFix(job, kernel, { patches, replace: true, output: '.' }))
}

/** The findings as `severity rule symbol`. */
function told({ findings }: Judgement): string[] {
  return findings.map(({ severity, rule, symbol }) => [severity, rule, symbol].join(' ').trim())
}

const systems = 'fs/filesystems.c'
const helper = 'kernel/umh.c'

describe.concurrent('locks and references of a real kernel', () => {
  test('a lock in place of another one waits for consent', async () => {
    const judgement = await judge('swap', [
      [
        systems,
        'static DEFINE_RWLOCK(file_systems_lock);',
        'static DEFINE_RWLOCK(file_systems_lock);\nstatic DEFINE_MUTEX(other_lock);',
      ],
      [
        systems,
        'write_lock(&file_systems_lock);\n\tp = find_filesystem',
        'mutex_lock(&other_lock);\n\tp = find_filesystem',
      ],
      [systems, '\twrite_unlock(&file_systems_lock);\n\treturn res;', '\tmutex_unlock(&other_lock);\n\treturn res;'],
    ])
    expect(judgement.verdict).toBe('consent')
    expect(told(judgement)).toEqual(['warning lock-balance register_filesystem'])
  })

  test('a reference that is taken in one function and dropped in another one waits for consent', async () => {
    const judgement = await judge('references', [
      [systems, '__module_get(fs->owner);', '__module_get(fs->owner);\n\t__module_get(THIS_MODULE);'],
      [systems, 'module_put(fs->owner);', 'module_put(fs->owner);\n\tmodule_put(THIS_MODULE);'],
    ])
    expect(judgement.verdict).toBe('consent')
    expect(told(judgement)).toEqual(['warning refcount-balance get_filesystem'])
  })

  test('a reference that was forgotten on one path is possible', async () => {
    const judgement = await judge('leak', [
      [
        systems,
        'fs = __get_fs_type(name, len);\n',
        'fs = __get_fs_type(name, len);\n\tif (fs && len > 77) {\n\t\tmodule_put(fs->owner);\n\t\tfs = NULL;\n\t}\n',
      ],
    ])
    expect(judgement.verdict).toBe('possible')
    expect(told(judgement)).toEqual([])
  })
})

describe.concurrent('what is handed on, and where code runs', () => {
  test('a work item with another function waits for consent', async () => {
    const judgement = await judge('work', [
      [helper, 'INIT_WORK(&sub_info->work, call_usermodehelper_exec_work)', 'INIT_WORK(&sub_info->work, other_work)'],
      [
        helper,
        'struct subprocess_info *call_usermodehelper_setup(',
        'static void other_work(struct work_struct ' +
          '*work)\n{\n\tcall_usermodehelper_exec_work(work);\n}\n\nstruct subprocess_info *call_usermodehelper_setup(',
      ],
    ])
    expect(judgement.verdict).toBe('consent')
    expect(told(judgement)).toContain('warning live-pointer call_usermodehelper_setup')
    expect(told(judgement)).toContain('warning address-of-new-function other_work')
  })

  test('a work item’s function that itself changes is no danger of this kind', async () => {
    const judgement = await judge('body', [
      [helper, 'if (sub_info->wait & UMH_WAIT_PROC) {', 'if ((sub_info->wait & UMH_WAIT_PROC) && sub_info->path) {'],
    ])
    expect(judgement.functions.map(({ name }) => name)).toContain('call_usermodehelper_exec_work')
    expect(told(judgement).filter((one) => /live-pointer|address-of/.test(one))).toEqual([])
  })

  test('a function that is given to what sorts with it is only noted', async () => {
    const judgement = await judge('at-once', [
      [systems, '#include <linux/fs.h>', '#include <linux/fs.h>\n#include <linux/sort.h>'],
      [
        systems,
        'void put_filesystem(struct file_system_type *fs)\n{',
        'static int turned(const void *a, const void *b)\n{\n\treturn *(char *)b - *(char ' +
          '*)a;\n}\n\nvoid put_filesystem(struct file_system_type *fs)\n{\n\tchar ' +
          'name[4];\n\n\tstrscpy(name, fs->name, 4);\n\tsort(name, 4, 1, turned, NULL);\n\tif (!name[3])\n\t\treturn;',
      ],
    ])
    expect(told(judgement)).toContain('note address-of-new-function turned')
    expect(judgement.verdict).toBe('possible')
  })

  test('a handler of NMIs waits for consent, with the way to it', async () => {
    const judgement = await judge('nmi', [
      ['arch/x86/kernel/apic/hw_nmi.c', 'if (nmi_cpu_backtrace(regs))', 'if (regs && nmi_cpu_backtrace(regs))'],
    ])
    expect(told(judgement)).toEqual(['warning unsafe-context nmi_cpu_backtrace_handler'])
    expect(judgement.findings[0]?.message).toContain('NMI')
  })

  test('a function that only code of the start calls waits for consent', async () => {
    const judgement = await judge('at-start', [
      [
        'kernel/delayacct.c',
        '\tdelayacct_tsk_init(&init_task);\n',
        '\tif (delayacct_cache)\n\t\tdelayacct_tsk_init(&init_task);\n',
      ],
    ])
    expect(judgement.functions.map(({ name }) => name)).toEqual(['delayacct_init'])
    expect(told(judgement)).toEqual(['warning runs-only-at-start delayacct_init'])
  })

  test('the code that switches tasks is refused', async () => {
    const judgement = await judge('transition', [
      [
        'kernel/livepatch/transition.c',
        'bool klp_try_switch_task(struct task_struct *task)\n{',
        'bool klp_try_switch_task(struct task_struct *task)\n{\n\tif (!task)\n\t\treturn false;',
      ],
    ])
    expect(judgement.verdict).toBe('refused')
    expect(told(judgement)).toContain('error unsafe-context klp_try_switch_task')
  })

  test('a function that the compiler put into others is told with them', async () => {
    const judgement = await judge('inlined', [
      [systems, 'strncmp((*p)->name, name, len) == 0', 'strncmp((*p)->name, name, len) <= 0'],
    ])
    expect(judgement.functions.map(({ name }) => name).sort()).toEqual(['__get_fs_type', 'register_filesystem'])
    // What is no longer found by equality is found, and put, elsewhere in the list.
    expect(told(judgement)).toEqual(['warning placed-otherwise find_filesystem', 'note inlined-copy find_filesystem'])
  })
})

describe.concurrent('what no function carries', () => {
  test('is refused, each kind of file under its own name', async () => {
    const judgement = await judge('files', [
      ['arch/x86/platform/ce4100/falconfalls.dts', '/dts-v1/;', '/dts-v1/;\n/* more */'],
      ['fs/Kconfig', 'menu "File systems"', '# more\nmenu "File systems"'],
      ['fs/Makefile', 'obj-y :=', '# more\nobj-y :='],
      ['arch/x86/boot/main.c', '#include "boot.h"', '#include "boot.h"\nint more;'],
      ['arch/x86/entry/vdso/vclock_gettime.c', '#include <linux/time.h>', '#include <linux/time.h>\nint more;'],
      ['arch/x86/kernel/vmlinux.lds.S', 'OUTPUT_ARCH', '/* more */\nOUTPUT_ARCH'],
      ['arch/x86/lib/memmove_64.S', '#include', '#define MORE 1\n#include'],
    ])
    expect(judgement.verdict).toBe('refused')
    const kinds = judgement.findings.map(({ rule, unit }) => `${rule} ${unit}`)
    expect(kinds.sort()).toEqual([
      'assembly-changed arch/x86/lib/memmove_64.S',
      'build-rules-changed fs/Kconfig',
      'build-rules-changed fs/Makefile',
      'device-tree-changed arch/x86/platform/ce4100/falconfalls.dts',
      'linker-script-changed arch/x86/kernel/vmlinux.lds.S',
      'unreachable-code arch/x86/boot/main.c',
      'unreachable-code arch/x86/entry/vdso/vclock_gettime.c',
    ])
    for (const { hint } of judgement.findings) expect(hint).toBeTruthy()
  })

  test('is refused in a C file as well: initial values, initcalls, code of the start', async () => {
    const judgement = await judge('start', [
      [
        helper,
        'static enum umh_disable_depth usermodehelper_disabled = UMH_DISABLED;',
        'static enum umh_disable_depth usermodehelper_disabled = UMH_FREEZING;',
      ],
      [
        helper,
        'struct subprocess_info *call_usermodehelper_setup(',
        'static int __init at_start(void)\n{\n\treturn ' +
          'usermodehelper_disabled;\n}\nlate_initcall(at_start);\n\nstruct subprocess_info *call_usermodehelper_setup(',
      ],
    ])
    expect(judgement.verdict).toBe('refused')
    const rules = new Set(judgement.findings.map(({ rule }) => rule))
    expect([...rules].sort()).toEqual(expect.arrayContaining(['data-changed', 'init-code', 'registration-added']))
  })

  test('is left out where the kernel does without: an export that the fix itself uses, code for the end', async () => {
    const judgement = await judge('left-out', [
      [
        systems,
        'void put_filesystem(struct file_system_type *fs)\n{',
        'static void __exit at_end(void)\n{\n\tpr_info("end\\n");\n}\n__exitcall(at_end);\n\nint ' +
          'noinline fs_told(const char *name)\n{\n\treturn printk("%s\\n", ' +
          'name);\n}\nEXPORT_SYMBOL_GPL(fs_told);\n\nvoid put_filesystem(struct file_system_type ' +
          '*fs)\n{\n\tfs_told(fs->name);',
      ],
    ])
    const told = judgement.findings.filter(({ rule }) => /init-code|registration/.test(rule))
    expect(told.map(({ severity, rule }) => `${severity} ${rule}`).sort()).toEqual([
      'note init-code',
      'note registration-added',
    ])
    expect(judgement.verdict).not.toBe('refused')
  })

  test('is not confused with new data that only new code uses', async () => {
    const judgement = await judge('new-data', [
      [
        systems,
        'void put_filesystem(struct file_system_type *fs)\n{',
        'static unsigned long dropped = 3;\n\nvoid put_filesystem(struct file_system_type *fs)\n{\n\tif ' +
          '(!(++dropped % 1024))\n\t\tpr_debug("%lu\\n", dropped);',
      ],
    ])
    expect(judgement.verdict).toBe('possible')
  })
})
