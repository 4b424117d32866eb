// SPDX-License-Identifier: GPL-3.0-or-later
// The running kernel's memory by virtual address, from /proc/kcore: an ELF core file whose segments are the kernel's
// address ranges. Offsets in it go beyond what a double can hold, so they stay bigints.
// Format: System V gABI, chapter 5; the kernel's fs/proc/kcore.c.
import { closeSync, openSync, readSync } from 'node:fs'
import { Fault } from '../ground/fault.ts'
import type { Host } from './host.ts'

export interface Core {
  /** The bytes at an address; undefined when they can't be read. */
  read(address: bigint, length: number): Buffer | undefined
  close(): void
}

const file = '/proc/kcore'

interface Segment {
  readonly address: bigint
  readonly size: bigint
  readonly offset: bigint
}

function open(host: Host): number {
  try {
    return openSync(host.place(file), 'r')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new Fault(
        'environment',
        'no-kcore',
        `There is no ${file}, so the kernel's memory can't be read`,
        {
          remedy: 'The kernel needs CONFIG_PROC_KCORE=y; in a container, run this on the host',
        },
      )
    if (isConfidential(host))
      throw new Fault(
        'environment',
        'locked-down',
        `The kernel is locked down for confidentiality and lets nobody read ${file}`,
        { remedy: 'Verify against the image instead: `inarch verify` without --running' },
      )
    throw new Fault(
      'environment',
      'needs-root',
      `${file} can't be opened: the kernel's memory is for root only`,
      {
        remedy: 'Run it as root, with the capability CAP_SYS_RAWIO',
        detail: (error as Error).message,
      },
    )
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
  const readAt = (offset: bigint, length: number): Buffer | undefined => {
    const bytes = Buffer.alloc(length)
    let done = 0
    try {
      while (done < length) {
        const count = readSync(fd, bytes, done, length - done, offset + BigInt(done))
        if (count === 0) return undefined
        done += count
      }
    } catch {
      // EFAULT or EIO: nothing is mapped there.
      return undefined
    }
    return bytes
  }
  try {
    const segments = segmentsOf(readAt)
    return {
      read(address, length) {
        const segment = segments.find(
          ({ address: start, size }) => address >= start && address + BigInt(length) <= start + size,
        )
        return segment && readAt(segment.offset + (address - segment.address), length)
      },
      close: () => closeSync(fd),
    }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function segmentsOf(readAt: (offset: bigint, length: number) => Buffer | undefined): Segment[] {
  const bad = () =>
    new Fault('environment', 'no-kcore', `${file} does not hold the kernel's memory`, {
      remedy: 'A container often hides it: run this on the host',
    })
  const header = readAt(0n, 64)
  // A 64-bit little-endian core file for x86-64.
  if (header === undefined || header.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') throw bad()
  if (header.readUInt16LE(16) !== 4 || header.readUInt16LE(18) !== 62 || header.readUInt16LE(54) !== 56)
    throw bad()
  const table = readAt(header.readBigUInt64LE(32), 56 * header.readUInt16LE(56))
  if (table === undefined) throw bad()
  const segments: Segment[] = []
  for (let at = 0; at < table.length; at += 56)
    if (table.readUInt32LE(at) === 1)
      segments.push({
        offset: table.readBigUInt64LE(at + 8),
        address: table.readBigUInt64LE(at + 16),
        size: table.readBigUInt64LE(at + 32),
      })
  if (segments.length === 0) throw bad()
  // Ranges may overlap (the kernel's text, all of vmalloc's space): the smallest is about the address most directly.
  return segments.sort((a, b) => (a.size < b.size ? -1 : 1))
}
