// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel proper, an ELF file that may have lost its symbols, open for those who want parts of it.
import { closeSync, openSync } from 'node:fs'
import { fileAt, type ReadAt } from '../../elf/linked.ts'
import type { Bad } from '../../elf/read.ts'
import { Fault } from '../../ground/fault.ts'

/** @param file the kernel proper, for the message */
export function badImage(file: string): Bad {
  return (why) =>
    new Fault('environment', 'bad-image', `The kernel image ${file} can't be read: ${why}`, {
      remedy: 'Remove the kernel with `inarch kernels prune` and fetch it again',
    })
}

/** @returns what `read` finds in it */
export function withVmlinux<T>(file: string, read: (readAt: ReadAt, bad: Bad) => T): T {
  const fd = openSync(file, 'r')
  try {
    return read(fileAt(fd), badImage(file))
  } finally {
    closeSync(fd)
  }
}
