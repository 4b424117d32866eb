// SPDX-License-Identifier: GPL-3.0-or-later
// The running kernel's memory by virtual address, from /proc/kcore: an ELF core file whose segments are the kernel's
// address ranges. Format: the kernel's fs/proc/kcore.c.
import { closeSync, openSync } from 'node:fs'
import { fileType, segmentType } from '../elf/format.ts'
import { fileAt, offsetOf, type ReadAt, readSegments, type Segment } from '../elf/linked.ts'
import { Fault } from '../ground/fault.ts'
import type { Host } from './host.ts'

export interface Core {
  /** The bytes at an address; undefined when they can't be read. */
  read(address: bigint, length: number): Buffer | undefined
  close(): void
}

const file = '/proc/kcore'

function open(host: Host): number {
  try {
    return openSync(host.place(file), 'r')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new Fault('environment', 'no-kcore', `There is no ${file}, so the kernel's memory can't be read`, {
        remedy: 'The kernel needs CONFIG_PROC_KCORE=y; in a container, run this on the host',
      })
    if (isConfidential(host))
      throw new Fault(
        'environment',
        'locked-down',
        `The kernel is locked down for confidentiality and lets nobody read ${file}`,
        { remedy: 'Verify against the image instead: `inarch verify` without --running' },
      )
    throw new Fault('environment', 'needs-root', `${file} can't be opened: the kernel's memory is for root only`, {
      remedy: 'Run it as root, with the capability CAP_SYS_RAWIO',
      detail: (error as Error).message,
    })
  }
}

/** True when the kernel's lockdown is at the level that hides memory. */
function isConfidential(host: Host): boolean {
  return host.line('/sys/kernel/security/lockdown')?.includes('[confidentiality]') === true
}

/**
 * Opens the kernel's memory.
 * @throws Fault `environment/no-kcore`, `environment/locked-down`, `environment/needs-root`
 */
export function openCore(host: Host): Core {
  const fd = open(host)
  try {
    const readAt = fileAt(fd)
    const segments = segmentsOf(readAt)
    return {
      read(address, length) {
        const place = offsetOf(segments, address, length)
        return place === undefined ? undefined : readAt(place, length)
      },
      close: () => closeSync(fd),
    }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function segmentsOf(readAt: ReadAt): Segment[] {
  const bad = () =>
    new Fault('environment', 'no-kcore', `${file} does not hold the kernel's memory`, {
      remedy: 'A container often hides it: run this on the host',
    })
  const segments = readSegments(readAt, bad, [fileType.core]).filter(({ type }) => type === segmentType.load)
  if (segments.length === 0) throw bad()
  // Ranges may overlap (the kernel's text, all of vmalloc's space): the smallest is about the address most directly.
  return segments.sort((a, b) => (a.size < b.size ? -1 : 1))
}
