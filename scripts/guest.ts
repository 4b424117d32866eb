// SPDX-License-Identifier: GPL-3.0-or-later
// Boots a kernel with some files and a shell script, for work on what runs in the kernel:
//
//   node scripts/run.mjs scripts/guest.ts [-k KERNEL] [--cpus N] [--modules a,b] [--console FILE] SCRIPT FILE…
//
// What the script prints comes on standard output as it is printed, and behind it the kernel's log of that time. The
// files lie in /work, where the script starts; the kernel's own modules with their dependencies are found by modprobe.
// A guest that breaks off shows the end of its console.
import { copyFile, readFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { command } from '../src/ground/command.ts'
import { type Job, silentJournal } from '../src/ground/job.ts'
import { withScratch } from '../src/ground/scratch.ts'
import { selectKernel } from '../src/kernel/select.ts'
import type { Entry } from '../src/vm/guest/cpio.ts'
import { findBusybox, writeInitramfs } from '../src/vm/guest/initramfs.ts'
import { gatherModules, moduleEntries } from '../src/vm/guest/modules.ts'
import { consoleTail, type Machine, qemuArguments, qemuVersion } from '../src/vm/guest/qemu.ts'
import { keepsStaleTranslations } from '../src/vm/verdict/stale-translation.ts'

const init = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t debugfs debug /sys/kernel/debug
mount -t tracefs trace /sys/kernel/tracing
mount -t tmpfs tmp /tmp
stty -F /dev/ttyS1 raw -echo
export PATH=/bin
exec >/dev/ttyS1 2>&1 </dev/null
dmesg -c >/dev/null
cd /work
sh /script
echo "exit $?"
dmesg | sed 's/^/log: /'
echo done
exec >/dev/null 2>&1
sync
reboot -f
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernel: { type: 'string', short: 'k' },
    cpus: { type: 'string', default: '2' },
    memory: { type: 'string', default: '512' },
    timeout: { type: 'string', default: '300' },
    modules: { type: 'string', default: '' },
    console: { type: 'string' },
    parameters: { type: 'string', default: '' },
    icount: { type: 'boolean', default: false },
  },
})
const [script, ...files] = positionals
if (script === undefined) throw new Error('name a script')
const job: Job = { signal: new AbortController().signal, journal: silentJournal() }
const kernel = await selectKernel(job, values.kernel)
const words = (text: string) => text.split(/[ ,]+/).filter((word) => word !== '')

process.exitCode = await withScratch(async (dir) => {
  const initramfs = path.join(dir, 'initramfs')
  const consoleFile = path.join(dir, 'console')
  const own = await Promise.all(
    files.map(
      async (file): Promise<Entry> => ({
        kind: 'file',
        path: `work/${path.basename(file)}`,
        bytes: await readFile(file),
        mode: 0o755,
      }),
    ),
  )
  const modules = await gatherModules(kernel, words(values.modules))
  await writeInitramfs(initramfs, await findBusybox(), init, [
    { kind: 'file', path: 'script', bytes: await readFile(script), mode: 0o755 },
    { kind: 'directory', path: 'work' },
    ...own,
    ...(await moduleEntries(kernel, modules)),
  ])
  const machine: Machine = {
    image: kernel.image,
    initramfs,
    accelerator: 'tcg',
    // Several threads of QEMU before 8.1 may keep a translation of code that is written to, for ever.
    inTurn: values.icount || keepsStaleTranslations(await qemuVersion(job.signal)),
    cpus: Number(values.cpus),
    memory: Number(values.memory),
    parameters: words(values.parameters),
    consoleFile,
    timeout: Number(values.timeout) * 1000,
  }
  let last = ''
  const args = [...qemuArguments(machine), ...(values.icount ? ['-icount', 'shift=0'] : [])]
  try {
    await command('qemu-system-x86_64', args, {
      signal: job.signal,
      timeout: machine.timeout,
      allowFailure: true,
      guarded: true,
      onLine(line) {
        last = line.trimEnd()
        process.stdout.write(`${last}\n`)
      },
    })
  } finally {
    if (values.console !== undefined) await copyFile(consoleFile, values.console)
  }
  if (last === 'done') return 0
  process.stdout.write(`the guest broke off\n${(await consoleTail(consoleFile, 60)).join('\n')}\n`)
  return 1
})
