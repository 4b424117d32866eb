// SPDX-License-Identifier: GPL-3.0-or-later
// A live patch as the kernel's own builder makes it: the module's code is the kernel's scripts/livepatch/init.c, and
// the tables are those of <linux/livepatch_external.h>. There is no manifest; what is known of it stands in the module.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { command } from '../../src/ground/command.ts'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import { readSubject } from '../../src/vm/plan/subject.ts'
import { readCheck } from '../../src/vm/plan/suite.ts'
import { prove } from '../../src/vm/proof.ts'
import { buildCommand, inarch } from '../e2e/inarch.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const work = mkdtempSync(path.join(os.tmpdir(), 'inarch-klp-built-'))
let kernel: Kernel
let module: string

/** What objtool would have cut out: the new code, and the tables that tell what it replaces. */
const code = `#include <linux/livepatch_external.h>
#include <linux/netdevice.h>
#include <linux/seq_file.h>
#define IN(where) static __used __section(where)
static int cmdline_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "grafted\\n");
	return 0;
}
static void dummy_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	dev_lstats_read(dev, &stats->tx_packets, &stats->tx_bytes);
	stats->tx_dropped = 7;
}
IN(".init.klp_funcs") struct klp_func_ext funcs[] = {
	{ "cmdline_proc_show", cmdline_proc_show, 1 }, { "dummy_get_stats64", dummy_get_stats64, 0 },
};
IN(".init.klp_objects") struct klp_object_ext objects[] = {
	{ .funcs = funcs, .nr_funcs = 1 }, { .name = "dummy", .funcs = funcs + 1, .nr_funcs = 1 },
};
`

beforeAll(async () => {
  buildCommand()
  kernel = await selectKernel(job, 'testing')
  const dir = path.join(work, 'module')
  mkdirSync(dir)
  writeFileSync(path.join(dir, 'init.c'), readFileSync(path.join(kernel.source, 'scripts/livepatch/init.c')))
  writeFileSync(path.join(dir, 'code.c'), code)
  writeFileSync(path.join(dir, 'Makefile'), 'obj-m := livepatch-klp.o\nlivepatch-klp-y := init.o code.o\n')
  const known = ['-o', 'prepare', `KERNELRELEASE=${kernel.release}`, `CC=${kernel.compiler.program}`]
  await command('make', [...known, `M=${dir}`, 'modules'], { cwd: kernel.source })
  module = path.join(dir, 'livepatch-klp.ko')
}, 600_000)
afterAll(() => rmSync(work, { recursive: true }))

test('is proven in both orders, with what it replaces by its own tables', async () => {
  const subject = await readSubject(module)
  expect(subject).toMatchObject({ name: 'livepatch_klp', release: kernel.release, targets: ['dummy'] })
  const checks = [
    readCheck({ run: 'cat /proc/cmdline', before: '/^console/', after: 'grafted' }),
    readCheck({ run: 'modprobe dummy; cat /sys/class/net/dummy0/statistics/tx_dropped', before: '0', after: '7' }),
  ]
  const proof = await prove(job, kernel, { subject, checks, modules: ['dummy'], requireCoverage: true, timeout: 600 })
  expect(proof.failures).toEqual([])
  expect(proof.verdict).toBe('proven')
  expect(proof.orders.map(({ order }) => order)).toEqual(['module-first', 'patch-first'])
  expect(proof.coverage.functions.map(({ object, name }) => `${object} ${name}`)).toEqual([
    'vmlinux cmdline_proc_show',
    'dummy dummy_get_stats64',
  ])
  expect(proof.coverage.functions.every(({ ran = 0 }) => ran > 0)).toBe(true)
})

test('is read without a manifest by `inarch report`, which says what is not known', async () => {
  const { code: exit, stderr } = await inarch(['report', module], { cwd: work })
  expect(stderr).not.toContain('error')
  expect(exit).toBe(0)
  const page = readFileSync(module.replace(/ko$/, 'html'), 'utf8')
  expect(page).toContain('dummy_get_stats64')
  expect(page).toContain('There is no manifest')
})

test('is held against the kernel’s image by `inarch verify`, as far as that can be', async () => {
  const { code: exit, stdout } = await inarch(['verify', '--json', module], { cwd: work })
  expect(JSON.parse(stdout)).toMatchObject({
    format: 'inarch-verify-listed-1',
    verdict: 'unknown',
    functions: [
      { object: 'vmlinux', name: 'cmdline_proc_show', place: 'there' },
      { object: 'dummy', name: 'dummy_get_stats64', place: 'there' },
    ],
  })
  expect(exit).toBe(5)
})
