// SPDX-License-Identifier: GPL-3.0-or-later
// A small disk for proofs that need a file system: made in a plain file by the file system's own mkfs,
// without root and without mounting it here.
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import path from 'node:path'
import { command } from '../../ground/command.ts'
import { Fault } from '../../ground/fault.ts'

interface Maker {
  readonly program: string
  readonly args: readonly string[]
  /** Debian's package that brings the program. */
  readonly package: string
  /** MiB; the file is sparse. */
  readonly size: number
  /** The kernel's module, where it is called otherwise. */
  readonly module?: string
  /** Modules that the kernel asks for while it mounts, besides those that its files name. */
  readonly wishes?: readonly string[]
}

// Fixed identifiers, so that a proof runs on the same disk each time.
const uuid = '1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d'
const ext = (type: string): Maker => ({
  program: 'mke2fs',
  args: ['-q', '-F', '-t', type, '-U', uuid, '-E', `hash_seed=${uuid}`],
  package: 'e2fsprogs',
  size: 128,
  module: 'ext4',
})

const makers: Readonly<Record<string, Maker>> = {
  ext2: ext('ext2'),
  ext3: ext('ext3'),
  ext4: ext('ext4'),
  xfs: { program: 'mkfs.xfs', args: ['-q', '-f', '-m', `uuid=${uuid}`], package: 'xfsprogs', size: 512 },
  btrfs: { program: 'mkfs.btrfs', args: ['-q', '-f', '-U', uuid], package: 'btrfs-progs', size: 256 },
  f2fs: { program: 'mkfs.f2fs', args: ['-q', '-f'], package: 'f2fs-tools', size: 128 },
  vfat: {
    program: 'mkfs.vfat',
    args: ['-i', '1a2b3c4d'],
    package: 'dosfstools',
    size: 64,
    wishes: ['nls_cp437', 'nls_ascii', 'nls_iso8859_1', 'nls_utf8'],
  },
  exfat: { program: 'mkfs.exfat', args: ['-q'], package: 'exfatprogs', size: 64 },
}

/** The file systems that a proof can bring. */
export const fileSystems: readonly string[] = Object.keys(makers)

/** The module that a file system's code is in, such as `ext4` for `ext3`. */
export function fileSystemModule(type: string): string {
  return makers[type]?.module ?? type
}

/** Modules that mounting this type asks for. */
export function fileSystemWishes(type: string): readonly string[] {
  return makers[type]?.wishes ?? []
}

function find(program: string): string | undefined {
  const dirs = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
  const dir = dirs.find((one) => path.isAbsolute(one) && existsSync(path.join(one, program)))
  return dir && path.join(dir, program)
}

/** True when a disk of this type can be made on this machine. */
export async function canMakeDisk(type: string): Promise<boolean> {
  const maker = makers[type]
  return maker !== undefined && find(maker.program) !== undefined
}

/**
 * Makes the disk image `file` with an empty file system.
 * @throws Fault `usage/file-system-unknown`, `environment/no-mkfs`
 */
export async function makeDisk(file: string, type: string, signal: AbortSignal): Promise<void> {
  const maker = makers[type]
  if (maker === undefined)
    throw new Fault('usage', 'file-system-unknown', `A proof can't bring the file system ${type}`, {
      remedy: `Choose one of ${fileSystems.join(', ')}`,
    })
  const program = find(maker.program)
  if (program === undefined)
    throw new Fault('environment', 'no-mkfs', `${maker.program} is not installed`, {
      remedy: `Install it with \`apt-get install ${maker.package}\``,
    })
  const handle = await open(file, 'w')
  try {
    await handle.truncate(maker.size * 1024 * 1024)
  } finally {
    await handle.close()
  }
  await command(program, [...maker.args, file], { signal, timeout: 60_000 })
}
