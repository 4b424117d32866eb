// SPDX-License-Identifier: GPL-3.0-or-later
// The patch of which faulty live patches are made, for the audit to refuse: functions that use private data of the
// kernel, one of several of a name, and new variables and a new helper.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { parsePatch } from '../../src/patch/parse.ts'
import type { Patch } from '../../src/patch/patch.ts'
import { diffOf } from '../changes/prove.ts'

export const secure = 'net/core/secure_seq.c'
export const consoles = 'fs/proc/consoles.c'
export const random = 'drivers/char/random.c'
export const pipe = 'fs/pipe.c'

const helper =
  'static unsigned int audit_asked;\nstatic unsigned int audit_told;\nstatic noinline void ' +
  'audit_count(void)\n{\n\taudit_asked++;\n\tif (audit_asked > 7)\n\t\taudit_told += audit_asked;\n}\n'
const counts = 'audit_count();\n\tpr_debug("asked %u\\n", audit_told);\n\t'

/** A function that uses private data of the kernel, and gets two new counters and a new helper. */
export const patched = {
  // What net_get_random_once() makes can't be bound by C text.
  binary: {
    edit: (kernel: Kernel) => {
      const text = readFileSync(path.join(kernel.source, secure), 'latin1')
      const head = text.slice(text.indexOf('secure_ipv6_port_ephemeral(const')).split('\n')[0]!
      const start = text.lastIndexOf('\n', text.indexOf(head)) + 1
      const body = text.slice(start, text.indexOf('net_secret_init();', start))
      return {
        file: secure,
        from: `${body}net_secret_init();`,
        to: `${helper}${body}${counts}net_secret_init();`,
      }
    },
    /** What siphash() calls, as the processor allows. */
    callee: /^__siphash_(un)?aligned$/,
    datum: 'net_secret',
    other: /^___done\.\d+$/,
  },
  source: {
    edit: (kernel: Kernel) => {
      const text = readFileSync(path.join(kernel.source, pipe), 'latin1')
      const start = text.indexOf('struct pipe_inode_info *alloc_pipe_info(void)')
      const end = text.indexOf('pipe = kzalloc', start)
      const body = text.slice(start, end)
      return {
        file: pipe,
        from: `${body}pipe = kzalloc`,
        to: `${helper}${body}${counts}pipe = kzalloc`,
      }
    },
    callee: /^free_uid$/,
    datum: 'pipe_user_pages_soft',
    other: /^pipe_user_pages_hard$/,
  },
} as const

/** Such a function, and one of three functions of a name; further ones when they are asked for. */
function edits(kernel: Kernel, further: boolean, engine: 'binary' | 'source') {
  return [
    patched[engine].edit(kernel),
    {
      file: consoles,
      from: 'static void *c_next(struct seq_file *m, void *v, loff_t *pos)\n{\n',
      to: 'static void *c_next(struct seq_file *m, void *v, loff_t *pos)\n{\n\tm->pad_until = 0;\n',
    },
    ...(further
      ? [
          {
            file: consoles,
            from: 'static int show_console_dev(struct seq_file *m, void *v)\n{\n',
            to: 'static int show_console_dev(struct seq_file *m, void *v)\n{\n\tm->pad_until = 1;\n',
          },
          {
            file: random,
            from: 'put_user(input_pool.init_bits, p)',
            to: 'put_user(input_pool.init_bits | 1, p)',
          },
        ]
      : []),
  ]
}

/** @param further whether the further edits belong to it, too */
export function auditedPatch(kernel: Kernel, further: boolean, engine: 'binary' | 'source'): Patch {
  const change = {
    name: 'audited',
    exercises: '',
    edits: edits(kernel, further, engine),
    replaces: [],
    run: '',
    before: '',
    after: '',
  }
  return parsePatch(diffOf(kernel, change), 'audited.patch')
}
