// SPDX-License-Identifier: GPL-3.0-or-later
// Changes to headers of the real kernel, and a patch of vmlinux and two modules at once, whose units call
// each other's new functions: built, and the last one proven in a virtual machine.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentJournal } from '../../src/ground/job.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { selectKernel } from '../../src/kernel/select.ts'
import type { Manifest } from '../../src/module/manifest/manifest.ts'
import { writePatch } from './change.ts'
import { buildCommand, inarch, type Outcome } from './inarch.ts'

let kernel: Kernel
let dir: string

beforeAll(async () => {
  buildCommand()
  // Its fscache is a module of several files.
  kernel = await selectKernel({ signal: new AbortController().signal, journal: silentJournal() }, 'bookworm')
  dir = mkdtempSync(path.join(os.tmpdir(), 'inarch-headers-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

type Edit = readonly [file: string, from: string, to: string]

/** Builds one live patch of several edits, each to a file of its own. */
async function build(name: string, edits: readonly Edit[], ...files: string[]): Promise<Outcome> {
  const patches = edits.map(([file, from, to], i) => writePatch(dir, `${name}-${i}`, kernel, file, from, to))
  const args = ['--kernel', kernel.release, '--name', name, '--output', dir, '--json']
  return await inarch(['build', ...patches, ...files, ...args], { cwd: dir })
}

function manifest(name: string): Manifest {
  return JSON.parse(readFileSync(path.join(dir, `livepatch-${name}.json`), 'utf8')) as Manifest
}

function findings({ stdout }: Outcome): { rule: string; severity: string; symbol?: string; message: string }[] {
  const document = JSON.parse(stdout)
  return document.error?.findings ?? document.manifest.findings
}

/** The replaced functions, as `object:function`, sorted. */
function replaced({ objects }: Manifest): string[] {
  return objects.flatMap(({ name, functions }) => functions.map((one) => `${name}:${one.name}`)).sort()
}

describe('a patch to a header', () => {
  test('that changes a macro reaches those that expand it', async () => {
    const outcome = await build('macro', [['fs/proc/internal.h', '#define PROC_NUMBUF 13', '#define PROC_NUMBUF 21']])
    expect(outcome.code, outcome.stdout + outcome.stderr).toBe(0)
    const { units } = manifest('macro')
    expect(units?.considered).toBeGreaterThan(20)
    expect(units?.compiled).toBeLessThan(5)
    expect(replaced(manifest('macro'))).toContain('vmlinux:oom_adj_read')
  })

  test('that changes only a comment, or what nobody uses, changes nothing', async () => {
    const outcome = await build('nothing', [
      ['fs/proc/internal.h', 'struct pde_opener {', '/* who\n * opened it */\nstruct pde_opener {'],
      ['include/linux/pipe_fs_i.h', 'struct pipe_buffer {', '#define INARCH 1\nstruct pipe_buffer {'],
    ])
    expect(outcome.code).toBe(4)
    expect(JSON.parse(outcome.stdout).error.code).toBe('no-functional-change')
  })

  test('that adds a member to a struct is refused, by the struct’s name', async () => {
    const outcome = await build('member', [
      ['fs/proc/internal.h', 'struct pde_opener {', 'struct pde_opener {\n\tlong inarch_first;'],
    ])
    expect(findings(outcome)).toContainEqual(
      expect.objectContaining({ rule: 'type-layout', severity: 'error', symbol: 'struct pde_opener' }),
    )
  })

  test.each([
    [
      'of a C file that the patch changes',
      'struct pipe_inode_info',
      [
        ['include/linux/pipe_fs_i.h', 'struct pipe_inode_info {', 'struct pipe_inode_info {\n\tlong inarch_first;'],
        ['fs/pipe.c', 'pipe->readers = pipe->writers', 'pipe->inarch_first = pipe->readers = pipe->writers'],
      ],
    ],
    [
      'of others, where it changes only the header',
      'enum kobj_ns_type',
      [['include/linux/kobject_ns.h', 'KOBJ_NS_TYPE_NET,', 'KOBJ_NS_TYPE_INARCH,\n\tKOBJ_NS_TYPE_NET,']],
    ],
  ] as [string, string, Edit[]][])(
    'that refuses it for thousands of units is known by a few %s',
    async (_, type, edits) => {
      const outcome = await build('wide', edits)
      expect(outcome.code, outcome.stdout + outcome.stderr).toBe(4)
      const [early, ...others] = findings(outcome).filter(({ rule }) => rule === 'not-all-compiled')
      expect(others).toEqual([])
      expect(early).toMatchObject({ severity: 'error', message: expect.stringContaining(type) })
    },
  )

  test('whose numbers are built into assembly is refused', async () => {
    const outcome = await build('offsets', [
      [
        'arch/x86/include/asm/ptrace.h',
        'struct pt_regs {\n/*\n * C ABI says these regs are callee-preserved.',
        'struct pt_regs {\n\tunsigned long inarch_first;\n/*\n * C ABI says these regs are callee-preserved.',
      ],
    ])
    expect(outcome.code, outcome.stdout).toBe(4)
    expect(findings(outcome)).toContainEqual(
      expect.objectContaining({ rule: 'generated-constants', severity: 'error' }),
    )
  })

  test('that is generated is refused', async () => {
    const outcome = await build('generated', [
      ['include/generated/uapi/linux/version.h', '#define LINUX_VERSION_MAJOR 6', '#define LINUX_VERSION_MAJOR 7'],
    ])
    expect(outcome.code, outcome.stdout).toBe(4)
    expect(findings(outcome)).toContainEqual(expect.objectContaining({ rule: 'header-changed' }))
  })
})

const newHeader = `--- /dev/null
+++ b/include/linux/inarch_graft.h
@@ -0,0 +1,11 @@
+/* SPDX-License-Identifier: GPL-2.0 */
+#ifndef _LINUX_INARCH_GRAFT_H
+#define _LINUX_INARCH_GRAFT_H
+
+int inarch_answer(int question);
+
+static inline int inarch_twice(int value)
+{
+	return value * 2;
+}
+#endif
`

const include = '#include <linux/inarch_graft.h>\n'

/** A function of vmlinux that another unit of vmlinux and two modules call; one of a module that another unit calls. */
const across: readonly Edit[] = [
  [
    'fs/proc/meminfo.c',
    'static int meminfo_proc_show(struct seq_file *m, void *v)\n{\n',
    `${include}int inarch_answer(int question)\n{\n\treturn inarch_twice(question) + 1;\n}\n
static int meminfo_proc_show(struct seq_file *m, void *v)\n{\n\tseq_printf(m, "Answer: %d\\n", inarch_answer(10));\n`,
  ],
  [
    'fs/proc/version.c',
    'static int version_proc_show(struct seq_file *m, void *v)\n{\n',
    `${include}static int version_proc_show(struct seq_file *m, void *v)\n{\n\tseq_printf(m, "Answer: ` +
      `%d\\n", inarch_answer(20));\n`,
  ],
  [
    'drivers/net/dummy.c',
    'static void dummy_get_stats64(struct net_device *dev,\n\t\t\t      struct rtnl_link_stats64 *stats)\n{\n',
    `${include}static void dummy_get_stats64(struct net_device *dev,\n\t\t\t      struct ` +
      `rtnl_link_stats64 *stats)\n{\n\tstats->tx_dropped = inarch_answer(30);\n`,
  ],
  [
    'fs/fscache/internal.h',
    'int fscache_stats_show(struct seq_file *m, void *v);\n',
    'int fscache_stats_show(struct seq_file *m, void *v);\nvoid fscache_graft(struct seq_file *m);\n',
  ],
  [
    'fs/fscache/io.c',
    '#include "internal.h"\n',
    `#include "internal.h"\n#include <linux/seq_file.h>\n${include}\nvoid fscache_graft(struct seq_file ` +
      `*m)\n{\n\tseq_printf(m, "Answer: %d\\n", inarch_answer(40));\n}\n`,
  ],
  [
    'fs/fscache/stats.c',
    '\tseq_puts(m, "FS-Cache statistics\\n");\n',
    '\tseq_puts(m, "FS-Cache statistics\\n");\n\tfscache_graft(m);\n',
  ],
]

describe('a patch to vmlinux and two modules', () => {
  test('with a new header and calls from unit to unit works in the running kernel', async () => {
    const added = path.join(dir, 'header.patch')
    writeFileSync(added, newHeader)
    const outcome = await build('across', across, added)
    expect(outcome.code, outcome.stdout + outcome.stderr).toBe(0)
    const made = manifest('across')
    expect(replaced(made)).toEqual([
      'dummy:dummy_get_stats64',
      'fscache:fscache_stats_show',
      'vmlinux:meminfo_proc_show',
      'vmlinux:version_proc_show',
    ])
    expect(made.carried.map(({ name }) => name)).toEqual(expect.arrayContaining(['inarch_answer', 'fscache_graft']))
    // The other units of fscache see only a new prototype.
    expect(made.units).toMatchObject({ compiled: 5 })
    const checks = [
      ['grep -h Answer /proc/meminfo /proc/version || echo none', '/^none$/m', '/^Answer: 21\\nAnswer: 41$/m'],
      [
        'modprobe -a dummy fscache; grep Answer /proc/fs/fscache/stats; cat ' +
          '/sys/class/net/dummy0/statistics/tx_dropped',
        '/^0$/',
        '/^Answer: 81\\n61$/m',
      ],
    ]
    const runs = checks.flatMap(([run, before, after]) => ['--run', run!, '--before', before!, '--after', after!])
    const proof = await inarch(['prove', 'livepatch-across.ko', '--json', ...runs], { cwd: dir })
    expect(proof.code, proof.stdout + proof.stderr).toBe(0)
  })
})
