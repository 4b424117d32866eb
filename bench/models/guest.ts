// SPDX-License-Identifier: GPL-3.0-or-later
// A guest with the core and with modules that try it (kernel/trial/), in which a script of the shell runs.
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { makeCore } from '../../src/core/core-module.ts'
import { makeOwnModule } from '../../src/core/own-module.ts'
import { command } from '../../src/ground/command.ts'
import { shippedFile } from '../../src/ground/installation.ts'
import type { Job } from '../../src/ground/job.ts'
import { withScratch } from '../../src/ground/scratch.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { coreModule } from '../../src/kernel/model.ts'
import type { Entry } from '../../src/vm/guest/cpio.ts'
import { findBusybox, writeInitramfs } from '../../src/vm/guest/initramfs.ts'
import { consoleTail, type Machine, qemuArguments } from '../../src/vm/guest/qemu.ts'

/** Modules by their names. */
export type Modules = ReadonlyMap<string, Buffer>

/** The core, and those of kernel/trial that are named. */
export async function makeModules(job: Job, kernel: Kernel, trials: readonly string[]): Promise<Modules> {
  const root = path.dirname(path.dirname(shippedFile('kernel/trial')))
  const headersIn = async (folder: string) =>
    (await readdir(path.join(root, folder))).filter((name) => name.endsWith('.h')).map((name) => `${folder}/${name}`)
  const headers = [...(await headersIn('kernel/trial')), ...(await headersIn('kernel/include'))]
  const made = new Map<string, Buffer>([[coreModule, (await makeCore(job, kernel)).bytes]])
  for (const name of trials) {
    const sources = { name, root, code: [`kernel/trial/${name}.c`], headers }
    made.set(name, (await makeOwnModule(job, kernel, sources)).bytes)
  }
  return made
}

export interface Run {
  readonly cpus: number
  /** The guest's clock counts instructions; one processor only. */
  readonly counting?: boolean
  readonly memory?: number
  /** Seconds. */
  readonly timeout: number
}

const init = `#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
stty -F /dev/ttyS1 raw -echo
exec >/dev/ttyS1 2>&1 </dev/null
dmesg -c >/dev/null
cd /work
sh ./script
dmesg -r | sed 's/^/log: /'
echo done
exec >/dev/null 2>&1
sync
reboot -f
`

/**
 * Runs the script, which finds the modules beside it as NAME.ko.
 * @returns what it prints, and behind it the kernel's log, each line with `log: ` before it
 * @throws Error when the guest breaks off, with the end of its console
 */
export async function runInGuest(
  job: Job,
  kernel: Kernel,
  modules: Modules,
  script: string,
  { cpus, counting = false, memory = 512, timeout }: Run,
): Promise<string[]> {
  return await withScratch(async (dir) => {
    const initramfs = path.join(dir, 'initramfs')
    const consoleFile = path.join(dir, 'console')
    const files = [...modules].map(
      ([name, bytes]): Entry => ({ kind: 'file', path: `work/${name}.ko`, bytes, mode: 0o644 }),
    )
    await writeInitramfs(initramfs, await findBusybox(), init, [
      { kind: 'directory', path: 'work' },
      { kind: 'file', path: 'work/script', bytes: Buffer.from(script), mode: 0o755 },
      ...files,
    ])
    const machine: Machine = {
      image: kernel.image,
      initramfs,
      accelerator: 'tcg',
      // Several threads of QEMU before 8.1 may keep a translation of code that is written to, for ever.
      inTurn: true,
      cpus,
      memory,
      parameters: [],
      consoleFile,
      timeout: timeout * 1000,
    }
    const lines: string[] = []
    await command('qemu-system-x86_64', [...qemuArguments(machine), ...(counting ? ['-icount', 'shift=0'] : [])], {
      signal: job.signal,
      timeout: machine.timeout,
      allowFailure: true,
      guarded: true,
      onLine: (line) => lines.push(line.trimEnd()),
    })
    if (lines.at(-1) === 'done') return lines.slice(0, -1)
    throw new Error(
      ['the guest broke off', ...lines.slice(-20), '', ...(await consoleTail(consoleFile, 40))].join('\n'),
    )
  })
}
