// SPDX-License-Identifier: GPL-3.0-or-later
// A guest in which a script of the shell runs, with some files beside it in /work.
import { copyFile } from 'node:fs/promises'
import path from 'node:path'
import type { Job } from '../src/ground/job.ts'
import { withScratch } from '../src/ground/scratch.ts'
import type { Kernel } from '../src/kernel/kernel.ts'
import type { Entry } from '../src/vm/guest/cpio.ts'
import { findBusybox, writeInitramfs } from '../src/vm/guest/initramfs.ts'
import { consoleTail, type Machine, runMachine } from '../src/vm/guest/qemu.ts'

const init = `#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t debugfs debug /sys/kernel/debug
mount -t tracefs trace /sys/kernel/tracing
mount -t tmpfs tmp /tmp
stty -F /dev/ttyS1 raw -echo
exec >/dev/ttyS1 2>&1 </dev/null
dmesg -c >/dev/null
cd /work
sh /script
code=$?
dmesg -r | sed 's/^/log: /'
echo "done $code"
exec >/dev/null 2>&1
sync
reboot -f
`

export interface ScriptRun {
  readonly script: Buffer
  /** What lies in /work, by name. */
  readonly files: ReadonlyMap<string, Buffer>
  /** What the guest has besides. */
  readonly entries?: readonly Entry[]
  readonly cpus: number
  /** MiB. */
  readonly memory: number
  readonly parameters?: readonly string[]
  /** The guest's clock counts instructions; one processor only. */
  readonly counting: boolean
  /** Seconds. */
  readonly timeout: number
  /** Where to leave what the console said. */
  readonly console?: string | undefined
  /** Gets each line that the script prints, as it does; and behind it the kernel's log, each with `log: <LEVEL>`. */
  readonly onLine: (line: string) => void
}

/** The script's exit code, or the end of the console when the guest broke off. */
export type ScriptEnd = { readonly code: number } | { readonly console: readonly string[] }

export async function runScript(job: Job, kernel: Kernel, run: ScriptRun): Promise<ScriptEnd> {
  return await withScratch(async (dir) => {
    const initramfs = path.join(dir, 'initramfs')
    const consoleFile = path.join(dir, 'console')
    await writeInitramfs(initramfs, await findBusybox(), init, [
      { kind: 'file', path: 'script', bytes: run.script, mode: 0o755 },
      { kind: 'directory', path: 'work' },
      ...[...run.files].map(([name, bytes]): Entry => ({ kind: 'file', path: `work/${name}`, bytes, mode: 0o755 })),
      ...(run.entries ?? []),
    ])
    const machine: Machine = {
      image: kernel.image,
      initramfs,
      accelerator: 'tcg',
      counting: run.counting,
      cpus: run.cpus,
      memory: run.memory,
      parameters: run.parameters ?? [],
      consoleFile,
      timeout: run.timeout * 1000,
    }
    let code: number | undefined
    try {
      await runMachine(
        machine,
        (line) => {
          const end = /^done (\d+)$/.exec(line.trimEnd())
          if (end === null) run.onLine(line.trimEnd())
          else code = Number(end[1])
        },
        job.signal,
      )
    } finally {
      if (run.console !== undefined) await copyFile(consoleFile, run.console)
    }
    return code === undefined ? { console: await consoleTail(consoleFile, 60) } : { code }
  })
}
