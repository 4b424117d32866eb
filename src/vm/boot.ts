// SPDX-License-Identifier: GPL-3.0-or-later
// One boot of the guest: its initramfs and disks are made, it runs its turns, and what it told is returned
// with its console.
import path from 'node:path'
import type { Job } from '../ground/job.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { guestInit, guestLoad, guestPaths } from './guest/agent.ts'
import type { Entry } from './guest/cpio.ts'
import { makeDisk } from './guest/disk.ts'
import { type Busybox, writeInitramfs } from './guest/initramfs.ts'
import { parseEvent } from './guest/protocol.ts'
import { type Accelerator, consoleTail, type MachineEnd, readConsole, runMachine } from './guest/qemu.ts'
import { scenarioScript, type Turn } from './plan/scenario.ts'
import { logGap } from './verdict/missing-evidence.ts'
import { type BootRecord, openRecorder, type PartNames } from './verdict/record.ts'

/** What stays the same in every boot of a proof. */
export interface Guest {
  readonly kernel: Kernel
  readonly busybox: Busybox
  /** Files of the initramfs besides busybox and the scenario. */
  readonly entries: readonly Entry[]
  /** The file systems of the disks, in the order of their devices. */
  readonly disks: readonly string[]
  readonly accelerator: Accelerator
  readonly cpus: number
  /** MiB */
  readonly memory: number
  readonly processor?: string
  /** Further words for the kernel's command line. */
  readonly parameters: readonly string[]
  /** Seconds for the boot, all in all. */
  readonly timeout: number
  /** Whether an oops shall end the guest at once. */
  readonly oopsEnds: boolean
}

export interface Boot {
  readonly turns: readonly Turn[]
  readonly record: BootRecord
  readonly end: MachineEnd
  readonly console: readonly string[]
}

/**
 * Boots the guest for these turns.
 * @param dir a directory of its own for the boot's files
 * @param names what the parts are called
 */
export async function boot(
  job: Job,
  guest: Guest,
  dir: string,
  turns: readonly Turn[],
  names: PartNames,
): Promise<Boot> {
  const initramfs = path.join(dir, 'initramfs')
  const consoleFile = path.join(dir, 'console')
  const own: Entry[] = [
    { kind: 'file', path: guestPaths.load, bytes: Buffer.from(guestLoad), mode: 0o755 },
    { kind: 'file', path: guestPaths.scenario, bytes: Buffer.from(scenarioScript(turns)) },
  ]
  await writeInitramfs(initramfs, guest.busybox, guestInit(guest.timeout), [...guest.entries, ...own])
  const disks = guest.disks.map((_, index) => path.join(dir, `disk${index}`))
  for (const [index, type] of guest.disks.entries()) await makeDisk(disks[index] ?? '', type, job.signal)
  const recorder = await openRecorder(job, turns, names, performance.now(), parseEvent)
  const timer = setInterval(() => {
    void consoleTail(consoleFile, 1).then(([line]) => recorder.progress(line ?? ''))
  }, 500)
  let end: MachineEnd
  try {
    end = await runMachine(
      {
        image: guest.kernel.image,
        initramfs,
        disks,
        accelerator: guest.accelerator,
        cpus: guest.cpus,
        memory: guest.memory,
        ...(guest.processor === undefined ? {} : { processor: guest.processor }),
        parameters: [
          'hung_task_panic=1',
          'softlockup_panic=1',
          ...(guest.oopsEnds ? ['oops=panic'] : []),
          ...guest.parameters,
        ],
        consoleFile,
        timeout: guest.timeout * 1000,
      },
      (line) => recorder.take(line, performance.now()),
      job.signal,
    )
  } finally {
    clearInterval(timer)
  }
  const record = await recorder.close()
  const { lines, cut } = await readConsole(consoleFile)
  const lost = cut ? 'the console is too long to be read to its end' : logGap(record, lines)
  return { turns, record: { ...record, lost: record.lost ?? lost }, end, console: lines }
}

/**
 * The turns that are still to be done after a boot: those that it did not come to. What failed in it, or
 * broke off, is not tried again.
 */
export function left({ turns, record }: Pick<Boot, 'turns' | 'record'>): Turn[] {
  const last = record.parts.at(-1)
  const broken = last !== undefined && !record.done && last.stays === undefined
  return turns.filter(({ part, order }) => {
    const seen = record.parts.find((one) => one.part === part)
    if (seen === undefined) return true
    return !(broken && seen === last) && !seen.steps.some(({ id }) => id.startsWith(`${order}.`))
  })
}
