// SPDX-License-Identifier: GPL-3.0-or-later
// Starts one virtual machine and waits for its end. It can't outlive us: it is killed with our process
// group when we stop or crash; the kernel kills it when we are killed (setpriv's parent-death signal);
// and the guest powers itself off at its own deadline (guest.ts).
import { open } from 'node:fs/promises'
import path from 'node:path'
import { command } from '../../ground/command.ts'
import { Fault } from '../../ground/fault.ts'
import { consoleLines } from './log.ts'

export type Accelerator = 'kvm' | 'tcg'

export interface Machine {
  /** The boot image. */
  readonly image: string
  readonly initramfs: string
  /** Raw disk images, seen as /dev/vda, /dev/vdb, … */
  readonly disks?: readonly string[]
  readonly accelerator: Accelerator
  /** Emulation only: the guest's clock counts instructions, a nanosecond each; for one CPU. */
  readonly counting?: boolean
  readonly cpus: number
  /** MiB */
  readonly memory: number
  /** QEMU's name for the processor, with its options. */
  readonly processor?: string
  /** Further words for the kernel's command line. */
  readonly parameters?: readonly string[]
  /** Where the console is written. */
  readonly consoleFile: string
  /** ms after which the machine is killed. */
  readonly timeout: number
}

export interface MachineEnd {
  /** Its CPUs ran one after the other, never two at once. */
  readonly inTurn: boolean
  readonly timedOut: boolean
  /** QEMU's exit code; a guest that powered off or panicked gives 0. */
  readonly exitCode: number
  /** What QEMU itself said. */
  readonly messages: readonly string[]
}

const program = 'qemu-system-x86_64'

/**
 * QEMU's arguments for a machine.
 * @param inTurn emulation only: one thread imitates all CPUs, one after the other
 */
export function qemuArguments(machine: Machine, inTurn: boolean): string[] {
  const kvm = machine.accelerator === 'kvm'
  const disks = (machine.disks ?? []).flatMap((file, index) => [
    '-drive',
    `file=${file.replaceAll(',', ',,')},if=none,id=disk${index},format=raw,cache=unsafe`,
    '-device',
    `virtio-blk-pci,drive=disk${index}`,
  ])
  return [
    '-accel',
    kvm ? 'kvm' : `tcg,thread=${inTurn ? 'single' : 'multi'}`,
    ...(machine.counting === true ? ['-icount', 'shift=0'] : []),
    '-cpu',
    machine.processor ?? (kvm ? 'host' : 'max'),
    '-smp',
    String(machine.cpus),
    '-m',
    `${machine.memory}M`,
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-no-reboot',
    '-chardev',
    `file,id=console,path=${machine.consoleFile.replaceAll(',', ',,')}`,
    '-serial',
    'chardev:console',
    '-chardev',
    'stdio,id=control,signal=off',
    '-serial',
    'chardev:control',
    ...disks,
    '-kernel',
    machine.image,
    '-initrd',
    machine.initramfs,
    '-append',
    // no_timer_check: on a busy machine the kernel takes late timer interrupts for a broken timer.
    ['console=ttyS0', 'loglevel=7', 'printk.time=1', 'panic=-1', 'no_timer_check', ...(machine.parameters ?? [])].join(
      ' ',
    ),
  ]
}

/** Bytes of a console, a thousand times what is usual: a guest may write without an end. */
const longestConsole = 64 * 1024 * 1024

/** The lines of a console file, and whether there are more. */
export async function readConsole(file: string): Promise<{ readonly lines: readonly string[]; readonly cut: boolean }> {
  const handle = await open(file).catch(() => undefined)
  if (handle === undefined) return { lines: [], cut: false }
  try {
    const { size } = await handle.stat()
    const length = Math.min(size, longestConsole)
    const bytes = Buffer.alloc(length)
    const { bytesRead } = await handle.read(bytes, 0, length, 0)
    return { lines: consoleLines(bytes.toString('utf8', 0, bytesRead)), cut: size > length }
  } finally {
    await handle.close()
  }
}

/** The last lines of a console file, at most `count`. */
export async function consoleTail(file: string, count: number): Promise<string[]> {
  const handle = await open(file).catch(() => undefined)
  if (handle === undefined) return []
  try {
    const { size } = await handle.stat()
    const length = Math.min(size, 16 * 1024)
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length)
    return consoleLines(buffer.toString('utf8')).slice(-count)
  } finally {
    await handle.close()
  }
}

/**
 * Runs a machine until it powers off, panics or is killed at its time limit.
 * @param onLine called with each line that the guest writes on its control channel
 * @throws Fault `environment/program-missing` without QEMU, the signal's reason when stopped
 */
export async function runMachine(
  machine: Machine,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<MachineEnd> {
  const messages: string[] = []
  const inTurn = machine.counting === true || (await takesTurns(machine.accelerator, signal))
  const args = qemuArguments(machine, inTurn)
  const options = {
    signal,
    timeout: machine.timeout,
    allowFailure: true,
    cwd: path.dirname(machine.consoleFile),
    onLine(line: string) {
      if (line.startsWith(`${program}:`)) messages.push(line)
      else onLine(line)
    },
  }
  const guarded = ['--pdeathsig', 'KILL', '--', program, ...args]
  const end = await command('setpriv', guarded, options).catch((error: unknown) => {
    // Without util-linux the machine still ends with our process group and at its own deadline.
    if (error instanceof Fault && error.code === 'program-missing') return command(program, args, options)
    throw error
  })
  if (end.exitCode === 127 && end.stderr.includes('setpriv'))
    throw new Fault('environment', 'no-qemu', `${program} is not installed`, {
      remedy: 'Install it with `apt-get install qemu-system-x86`, or run `npm run setup`',
    })
  return { inTurn, timedOut: end.timedOut, exitCode: end.exitCode, messages }
}

/** The first version of QEMU that locks a page before it translates from it. */
const mended = [8, 1] as const

/**
 * True when QEMU of this version (undefined: unknown) is known to lose changes of the guest's code: where each CPU has
 * a thread, one of them may keep a translation of what another one patched meanwhile. The guest dies of a breakpoint
 * that nobody expects, or hangs; and every live patch changes the kernel's code.
 */
export function losesCodeChanges(version: readonly [number, number] | undefined): boolean {
  if (version === undefined) return true
  const [major, minor] = version
  return major < mended[0] || (major === mended[0] && minor < mended[1])
}

/**
 * Whether the CPUs of a machine shall run one after the other.
 * @throws the signal's reason when stopped
 */
export async function takesTurns(accelerator: Accelerator, signal: AbortSignal): Promise<boolean> {
  return accelerator === 'tcg' && losesCodeChanges(await qemuVersion(signal))
}

/**
 * QEMU's version, such as [7, 2]; undefined when it does not tell.
 * @throws the signal's reason when stopped
 */
export async function qemuVersion(signal: AbortSignal): Promise<readonly [number, number] | undefined> {
  const { stdout } = await command(program, ['--version'], { signal, allowFailure: true, timeout: 10_000 })
  const [, major, minor] = /\bversion (\d+)\.(\d+)/.exec(stdout) ?? []
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)]
}
