// SPDX-License-Identifier: GPL-3.0-or-later
// Boots a kernel with some files and a script of a test's own, for what a proof would not do: load a module that the
// kernel should refuse, count what loading one costs.
import path from 'node:path'
import { type Job, silentJournal } from '../../src/ground/job.ts'
import { withScratch } from '../../src/ground/scratch.ts'
import type { Entry } from '../../src/vm/guest/cpio.ts'
import { findBusybox, writeInitramfs } from '../../src/vm/guest/initramfs.ts'
import { type Machine, runMachine } from '../../src/vm/guest/qemu.ts'

const job: Job = { signal: new AbortController().signal, journal: silentJournal() }

/** The guest's init: what the script prints, and then the kernel's log, goes to the control channel. */
const init = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
stty -F /dev/ttyS1 raw -echo
export PATH=/bin
exec >/dev/ttyS1 2>&1 </dev/null
dmesg -c >/dev/null
sh /script
dmesg | sed 's/^/log: /'
echo done
exec >/dev/null 2>&1
sync
reboot -f
`

/**
 * @param image the boot image
 * @param files by their paths in the guest, without the first slash
 * @returns the lines that the script printed, and behind them the kernel's log from its start on, with `log: ` before
 * each
 *   line
 */
export async function runInGuest(
  image: string,
  files: Readonly<Record<string, Buffer>>,
  script: string,
  machine: Partial<Machine> = {},
): Promise<string[]> {
  return await withScratch(async (dir) => {
    const initramfs = path.join(dir, 'initramfs')
    const entries = Object.entries({ ...files, script: Buffer.from(script) }).map(
      ([name, bytes]): Entry => ({ kind: 'file', path: name, bytes, mode: 0o755 }),
    )
    await writeInitramfs(initramfs, await findBusybox(), init, entries)
    const lines: string[] = []
    const whole: Machine = {
      image,
      initramfs,
      accelerator: 'tcg',
      cpus: 1,
      memory: 512,
      consoleFile: path.join(dir, 'console'),
      timeout: 180_000,
      ...machine,
    }
    await runMachine(whole, (line) => lines.push(line.trimEnd()), job.signal)
    if (lines.at(-1) !== 'done') throw new Error(`the guest broke off: ${lines.slice(-5).join(' | ')}`)
    return lines.slice(0, -1)
  })
}
