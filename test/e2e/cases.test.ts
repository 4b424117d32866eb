// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's own macros, compiled with the kernel's own headers and flags: lines that move are no change in any
// of them, and what does change is found. Before objtool and after it; with the configuration as it is, and with
// the debugging of sleeping and locking.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openUnits, type Unit } from '../../src/build/kbuild/units.ts'
import { type Change, compareObjects } from '../../src/diff/change.ts'
import { readObject } from '../../src/elf/read.ts'
import { type Extraction, extract } from '../../src/extract/extraction.ts'
import { command } from '../../src/ground/command.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-cases-'))
afterAll(() => rmSync(work, { recursive: true }))

/** What a function does with `a`, a long, by the macro that it shows. */
const macros: Readonly<Record<string, string>> = {
  WARN_ON: 'WARN_ON(a > 3);',
  WARN_ON_ONCE: 'WARN_ON_ONCE(a > 4);',
  WARN: 'WARN(a > 5, "too much: %ld", a);',
  WARN_ONCE: 'WARN_ONCE(a > 6, "too much: %ld", a);',
  BUG_ON: 'BUG_ON(a > 7);',
  might_sleep: 'might_sleep();',
  lockdep_assert_held: 'lockdep_assert_held(&case_lock);',
  mutex_init: 'mutex_init(&case_lock);',
  rcu_dereference: 'a += *rcu_dereference(case_pointer);',
  pr_debug: 'pr_debug("value %ld", a);',
  dev_dbg: 'dev_dbg(case_device, "value %ld", a);',
  printk: 'printk(KERN_INFO "value %ld\\n", a);',
  printk_once: 'pr_info_once("once %ld\\n", a);',
  printk_ratelimited: 'pr_info_ratelimited("often %ld\\n", a);',
  ASSERT_RTNL: 'ASSERT_RTNL();',
  static_branch: 'if (static_branch_unlikely(&case_key)) a *= 3;',
  static_call: 'a += static_call(case_call)(a);',
  tracepoint: 'trace_napi_poll(case_napi, a, 1);',
  alternative: 'a += static_cpu_has(X86_FEATURE_SMAP); mb(); clflushopt((void *)a);',
  get_user: 'if (get_user(a, (long __user *)case_user)) return -EFAULT;',
  put_user: 'if (put_user(a, (long __user *)case_user)) return -EFAULT;',
  __get_user_asm: '{ unsigned long v; if (copy_from_user(&v, case_user, sizeof(v))) return -EFAULT; a += v; }',
  atomic: 'atomic_inc(&case_count);',
  paravirt: 'local_irq_disable(); a++; local_irq_enable();',
  indirect_call: 'a += case_indirect(a);',
  this_cpu: 'a += this_cpu_inc_return(case_percpu);',
  cond_resched: 'cond_resched();',
  switch:
    'switch (a) { case 0: return 1; case 1: case_indirect(2); break; case 2: a = 7; break; case 3: ' +
    'case_indirect(9); a = 2; break; case 4: return 77; case 5: a = 12; break; }',
  func: 'case_text(__func__);',
}

const headers = `
#include <linux/module.h>
#include <linux/device.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/static_call.h>
#include <linux/uaccess.h>
#include <trace/events/napi.h>
extern struct mutex case_lock;
extern long __rcu *case_pointer;
extern struct device *case_device;
extern struct napi_struct *case_napi;
extern void *case_user;
extern atomic_t case_count;
extern long (*case_indirect)(long);
void case_text(const char *);
DECLARE_STATIC_KEY_FALSE(case_key);
long case_default(long a);
DECLARE_STATIC_CALL(case_call, case_default);
DECLARE_PER_CPU(long, case_percpu);
`

/** Each macro in a function that stays and in one that changes. */
function unitText(after: boolean): string {
  const functions = Object.entries(macros).map(([name, code], index) => {
    const [add, other] = [1000 + index, 2000 + index]
    return `long same_${name}(long a)\n{\n\ta ^= ${other};\n\t${code}\n\treturn a;\n}\n
long real_${name}(long a)\n{\n\t${code}\n\treturn a + ${after ? add + 500 : add};\n}\n`
  })
  // New code in front renumbers all that compilers number, and moves all lines.
  const front = after
    ? `#line 40 "drivers/net/cases.c"\nlong front(long a)\n{\n\tWARN_ON_ONCE(a > 1);\n\tpr_debug("front ` +
      `%ld", a);\n\tmutex_init(&case_lock);\n\tpr_info_ratelimited("front\\n");\n\treturn a;\n}\n`
    : ''
  return (
    `#line 1 "drivers/net/cases.c"\n${headers}\n${front}#line ${after ? 400 : 100} ` +
    `"drivers/net/cases.c"\n${functions.join('')}MODULE_LICENSE("GPL");\n`
  )
}

const debugging = ['DEBUG_ATOMIC_SLEEP', 'LOCKDEP', 'PROVE_LOCKING', 'PROVE_RCU', 'DEBUG_LOCK_ALLOC', 'DEBUG_MUTEXES']
const variants = [
  ['as configured', []],
  [
    'with the debugging of sleeping and locking',
    // Locks become larger, which the kernel asserts against where it was configured without.
    [...debugging.map((name) => `-DCONFIG_${name}=1`), '-D_Static_assert(...)='],
  ],
] as const

describe.each(['bookworm', 'trixie'])('the kernel of %s', (suite) => {
  let kernel: Kernel
  let unit: Unit
  beforeAll(async () => {
    kernel = await selectKernel(job, suite)
    const typical = (await openUnits(job, kernel)).typicalOfModules()
    if (typical === undefined) throw new Error('no modules')
    unit = typical
  })

  /** Compiles one side. @returns the object's file */
  async function compile(side: 'before' | 'after', options: readonly string[]): Promise<string> {
    const base = path.join(work, `${suite}-${options.length}-${side}`)
    writeFileSync(`${base}.c`, unitText(side === 'after'))
    const flags = (unit.flags ?? []).filter((flag) => !flag.startsWith('-g'))
    await command(
      kernel.compiler.program,
      [...flags, ...options, '-ffunction-sections', '-fdata-sections', '-c', '-o', `${base}.o`, `${base}.c`],
      { cwd: kernel.source },
    )
    return `${base}.o`
  }

  const read = (file: string) => readObject(readFileSync(file), path.basename(file))

  function check(change: Change, extraction: Extraction): void {
    const names = change.changed.map(({ after }) => after.name).filter((name) => !name.includes('.cold'))
    expect(names.sort()).toEqual(
      Object.keys(macros)
        .map((name) => `real_${name}`)
        .sort(),
    )
    expect(change.added.map(({ name }) => name)).toEqual(['front'])
    const errors = [...change.findings, ...extraction.findings].filter(({ severity }) => severity === 'error')
    expect(errors).toEqual([])
    // What the functions have is theirs; what they use of the kernel is the kernel's.
    const carried = extraction.carried.map(({ name }) => name)
    expect(carried.filter((name) => name.startsWith('same_'))).toEqual([])
    const referred = [...extraction.references.values()].map(({ name }) => name)
    for (const name of ['case_lock', 'case_key', 'case_percpu', '__tracepoint_napi_poll'])
      expect(referred).toContain(name)
    for (const name of referred) expect(name).not.toMatch(/__already_done|__warned|__func__|_entry|ddebug|__key|_rs/)
  }

  describe.each(variants)('%s', (_, options) => {
    let files: readonly [string, string]
    beforeAll(async () => {
      const [before, after] = await Promise.all([compile('before', options), compile('after', options)])
      files = [before, after]
    })

    test('only what changes is found, though all lines move', () => {
      const change = compareObjects(read(files[0]), read(files[1]), 'cases.c', { linesMoved: true })
      check(change, extract([{ change, object: 'cases' }], { has: () => true }))
    })

    test('the same holds for what objtool has made of the objects', async () => {
      const objtool = path.join(kernel.source, 'tools/objtool/objtool')
      for (const file of files)
        await command(objtool, [...unit.objtool, file], { cwd: kernel.source, env: { SRCARCH: 'x86' } })
      const [before, after] = [read(files[0]), read(files[1])]
      expect(after.sections.map(({ name }) => name)).toContain('.orc_unwind')
      const change = compareObjects(before, after, 'cases.c', { linesMoved: true })
      check(change, extract([{ change, object: 'cases' }], { has: () => true }))
    })
  })
})
