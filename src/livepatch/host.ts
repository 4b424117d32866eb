// SPDX-License-Identifier: GPL-3.0-or-later
// A running system, as it can be seen from its files: /proc, /sys, the kernel's own file systems, /lib/modules.
// Everything that looks at a host goes through here, so that it can also be shown files that were recorded elsewhere.
// Nothing is ever written.
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import path from 'node:path'
import { Fault } from '../ground/fault.ts'

/** Why something can't be seen. */
export type Hidden = 'absent' | 'forbidden' | 'unreadable'

export interface Host {
  /** Where a file of the host lies; `file` is absolute. */
  place(file: string): string
  /** A file's text (latin1, so that any byte survives), or why it can't be seen. */
  read(file: string): string | { readonly hidden: Hidden }
  /** The same as bytes, for what is large. */
  bytes(file: string): Buffer | { readonly hidden: Hidden }
  /** The names in a directory, sorted; none when it can't be seen. */
  list(dir: string): readonly string[]
  /** The first line of a small file; undefined when it can't be seen. */
  line(file: string): string | undefined
}

/** @param code an `errno` name */
export function hiddenBy(code: string | undefined): Hidden {
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent'
  return code === 'EACCES' || code === 'EPERM' ? 'forbidden' : 'unreadable'
}

/**
 * Reads a file whose size nobody knows before, as of all in /proc: it comes a page at a time, for which Node's own way
 * takes fresh memory each time.
 */
function readWhole(file: string): Buffer {
  const fd = openSync(file, 'r')
  try {
    let bytes = Buffer.allocUnsafe(64 * 1024)
    let length = 0
    for (;;) {
      if (length === bytes.length) bytes = Buffer.concat([bytes], 2 * length)
      const count = readSync(fd, bytes, length, bytes.length - length, null)
      if (count === 0) return bytes.subarray(0, length)
      length += count
    }
  } finally {
    closeSync(fd)
  }
}

/** The host whose files lie below `root`; `/` is this one. */
export function openHost(root = '/'): Host {
  const place = (file: string) => path.join(root, file)
  const bytes = (file: string): Buffer | { hidden: Hidden } => {
    try {
      return readWhole(place(file))
    } catch (error) {
      return { hidden: hiddenBy((error as NodeJS.ErrnoException).code) }
    }
  }
  const read = (file: string): string | { hidden: Hidden } => {
    const found = bytes(file)
    return Buffer.isBuffer(found) ? found.toString('latin1') : found
  }
  return {
    place,
    bytes,
    read,
    list(dir) {
      try {
        return readdirSync(place(dir)).sort()
      } catch {
        return []
      }
    },
    line(file) {
      const text = read(file)
      return typeof text === 'string' ? (text.split('\n')[0] ?? '').trim() : undefined
    },
  }
}

/**
 * Where a kernel file system of this type is mounted on the host: the first place that /proc/mounts names, or, where
 * that can't be read, none.
 */
export function mountOf(host: Host, type: string): string | undefined {
  const mounts = host.read('/proc/mounts')
  if (typeof mounts !== 'string') return undefined
  for (const line of mounts.split('\n')) {
    const [, place, found] = line.split(' ')
    // White space in a path is written as \040 (proc(5)).
    if (found === type && place !== undefined)
      return place.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
  }
  return undefined
}

/** @throws Fault `environment/no-proc` when the host does not say what it runs */
export function releaseOf(host: Host): string {
  const release = host.line('/proc/sys/kernel/osrelease')
  if (release === undefined || release === '')
    throw new Fault('environment', 'no-proc', 'The running kernel does not say its release', {
      remedy: 'Mount /proc: `mount -t proc proc /proc`',
    })
  return release
}
