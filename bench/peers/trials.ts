// SPDX-License-Identifier: GPL-3.0-or-later
// The patches that both builders get: four kinds that both should make, and some that one of them should refuse. All
// are edits of the kernel's own source, with what is to be seen of them in a guest.
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { Change, Edit } from '../../test/changes/change.ts'
import { changes } from '../../test/changes/changes.ts'
import { diffOf } from '../../test/changes/prove.ts'

export interface Trial {
  readonly name: string
  readonly what: string
  readonly edits: readonly Edit[]
  /** What is seen of it; of those that should be refused, nothing. */
  readonly checks: readonly Pick<Change, 'name' | 'run' | 'before' | 'after' | 'reverted' | 'expected'>[]
  readonly allow: readonly string[]
}

function chosen(...names: readonly string[]): Pick<Trial, 'edits' | 'checks' | 'allow'> {
  const those = names.map((name) => {
    const change = changes.find((one) => one.name === name)
    if (change === undefined) throw new Error(`there is no change ${name} in test/changes`)
    return change
  })
  return {
    edits: those.flatMap(({ edits }) => edits),
    checks: those,
    allow: [...new Set(those.flatMap(({ allow = [] }) => allow))],
  }
}

const unseen = { checks: [], allow: [] }

export const trials: readonly Trial[] = [
  { name: 'function', what: 'one function of vmlinux', ...chosen('overcommit-limit') },
  { name: 'module', what: 'one function of a module', ...chosen('tun-flags') },
  { name: 'header', what: 'an inline function of a header', ...chosen('semaphore-limit') },
  {
    name: 'units',
    what: 'ten functions in ten files of vmlinux and of a module',
    ...chosen(
      'filesystems-notes',
      'readdir-hides',
      'crypto-reads',
      'overcommit-limit',
      'secure-bits',
      'shmem-names',
      'echo-sizes',
      'unix-types',
      'driver-and-kernel',
    ),
  },
  { name: 'syscall', what: 'the body of a system call', ...chosen('uname-version') },
  {
    name: 'lib',
    what: 'a function of lib/',
    edits: [
      { file: 'lib/uuid.c', from: "\t\t\tif (uuid[i] != '-')\n", to: "\t\t\tif (uuid[i] != '-' && uuid[i] != '_')\n" },
    ],
    ...unseen,
  },
  {
    name: 'data',
    what: 'the initial value of data: an entry more in a table of operations',
    edits: [
      {
        file: 'drivers/net/dummy.c',
        from: '\t.get_ts_info\t\t= ethtool_op_get_ts_info,\n',
        to: '\t.get_ts_info\t\t= ethtool_op_get_ts_info,\n\t.get_link\t\t= ethtool_op_get_link,\n',
      },
    ],
    ...unseen,
  },
  {
    name: 'layout',
    what: 'a member more at the end of a structure, which is written to',
    edits: [
      {
        file: 'fs/eventfd.c',
        from: '\tunsigned int flags;\n\tint id;\n',
        to: '\tunsigned int flags;\n\tint id;\n\tu64 reads[8];\n',
      },
      { file: 'fs/eventfd.c', from: '\tctx->count -= *cnt;\n', to: '\tctx->count -= *cnt;\n\tctx->reads[7]++;\n' },
    ],
    ...unseen,
  },
  {
    name: 'boot',
    what: 'a function that ran when the kernel booted',
    edits: [
      {
        file: 'fs/proc/meminfo.c',
        from: 'proc_create_single("meminfo", 0, NULL,',
        to: 'proc_create_single("meminfo", 0400, NULL,',
      },
    ],
    ...unseen,
  },
]

export function patchOf(kernel: Kernel, trial: Trial): Buffer {
  return diffOf(kernel, trial)
}
