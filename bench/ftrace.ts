// SPDX-License-Identifier: GPL-3.0-or-later
// What ftrace costs for each function into which a hook is put, without any live patch: a module registers the hooks
// one by one, as the kernel's livepatch core does. The guest counts instructions.
// node scripts/run.mjs bench/ftrace.ts [SERIES…]
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { command } from '../src/ground/command.ts'
import { silentJournal } from '../src/ground/job.ts'
import { withScratch } from '../src/ground/scratch.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import { selectKernel } from '../src/kernel/select.ts'
import { runInGuest } from '../test/e2e/guest.ts'

/** Exported functions that both series have; the hooks' flags are those of klp_patch_func. */
const hooked = (
  'vfs_fsync vfs_create vfs_mkdir vfs_rmdir vfs_unlink vfs_rename dentry_open path_put kern_path d_path ' +
  'd_find_alias iget_locked iput simple_lookup'
).split(' ')
const source = `
#include <linux/module.h>
#include <linux/ftrace.h>
#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/dcache.h>
static void *const functions[] = { ${hooked.join(', ')} };
static struct ftrace_ops ops[ARRAY_SIZE(functions)];
static void hook(unsigned long ip, unsigned long parent, struct ftrace_ops *op, struct ftrace_regs *regs) { }
static int __init begin(void)
{
	int i, error = 0;
	for (i = 0; i < ARRAY_SIZE(ops) && !error; i++) {
		ops[i].func = hook;
		ops[i].flags = FTRACE_OPS_FL_DYNAMIC | FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT;
		pr_info("hook %d\\n", i);
		error = ftrace_set_filter_ip(&ops[i], (unsigned long)functions[i], 0, 0);
		pr_info("chosen %d\\n", i);
		error = error ?: register_ftrace_function(&ops[i]);
		pr_info("registered %d: %d\\n", i, error);
	}
	while (--i >= 0)
		unregister_ftrace_function(&ops[i]);
	return error;
}
static void __exit end(void) { }
module_init(begin);
module_exit(end);
MODULE_LICENSE("GPL");
`

async function makeModule(kernel: Kernel): Promise<Buffer> {
  return await withScratch(async (dir) => {
    await writeFile(path.join(dir, 'Makefile'), 'obj-m := hooks.o\n')
    await writeFile(path.join(dir, 'hooks.c'), source)
    const known = ['-o', 'prepare', `KERNELRELEASE=${kernel.release}`, `CC=${kernel.compiler.program}`]
    await command('make', [...known, `M=${dir}`, 'modules'], { cwd: kernel.source })
    return await readFile(path.join(dir, 'hooks.ko'))
  })
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

const wanted = process.argv.slice(2)
for (const series of wanted.length > 0 ? wanted : ['6.1', '6.12']) {
  const kernel = await selectKernel({ signal: new AbortController().signal, journal: silentJournal() }, series)
  const script =
    'mkdir /t; mount -t tracefs t /t; echo "records: $(cat /t/dyn_ftrace_total_info)"; insmod /hooks.ko ' +
    '|| echo failed\n'
  const files = { 'hooks.ko': await makeModule(kernel) }
  const lines = await runInGuest(kernel.image, files, script, { counting: true, timeout: 900_000 })
  const time = (mark: string) =>
    Number(lines.flatMap((line) => new RegExp(`^log: \\[ *([\\d.]+)\\] ${mark}$`).exec(line)?.[1] ?? [])[0])
  const million = (from: string, to: string) =>
    median(hooked.map((_, i) => (time(`${to.replace('N', `${i}`)}`) - time(`${from.replace('N', `${i}`)}`)) * 1000))
  if (Number.isNaN(million('hook N', 'registered N: 0'))) throw new Error(lines.join('\n'))
  const records = lines.flatMap((line) => /^records: (\d+)/.exec(line)?.[1] ?? [])[0]
  process.stdout.write(
    `${kernel.release}\t${records} records\tto choose a function ` +
      `${million('hook N', 'chosen N').toFixed(2)}, to register the hook ` +
      `${million('chosen N', 'registered N: 0').toFixed(2)} million instructions\n`,
  )
}
