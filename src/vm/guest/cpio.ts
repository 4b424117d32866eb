// SPDX-License-Identifier: GPL-3.0-or-later
// Writes the cpio archive that the kernel unpacks as its first root file system. Device nodes need no
// root here: they are only headers. The format is `newc`, from the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst.
import { Fault } from '../../ground/fault.ts'

/** One member of the archive. Its parent directories must come before it. */
export type Entry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode?: number }
  | { readonly kind: 'file'; readonly path: string; readonly bytes: Uint8Array; readonly mode?: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'device'; readonly path: string; readonly major: number; readonly minor: number }

const type = { directory: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 } as const

function permissions(entry: Entry): number {
  if (entry.kind === 'link') return 0o777
  if (entry.kind === 'device') return 0o600
  return entry.mode ?? (entry.kind === 'directory' ? 0o755 : 0o644)
}

function content(entry: Entry): Uint8Array {
  if (entry.kind === 'file') return entry.bytes
  if (entry.kind === 'link') return Buffer.from(entry.target)
  return new Uint8Array(0)
}

const padding = (length: number) => (4 - (length % 4)) % 4

function header(entry: Entry, inode: number, size: number, nameSize: number): string {
  const device = entry.kind === 'device' ? entry : { major: 0, minor: 0 }
  const links = entry.kind === 'directory' ? 2 : 1
  const fields = [
    inode,
    type[entry.kind] | permissions(entry),
    0, // owner
    0, // group
    links,
    0, // time of change: always the same, so that equal contents give equal bytes
    size,
    0,
    0,
    device.major,
    device.minor,
    nameSize,
    0, // checksum, unused in this variant
  ]
  return `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
}

/**
 * The archive of `entries`, in their order, with its trailer. The same entries give the same bytes.
 * @throws Fault `unexpected/initramfs-path` for a path that is absolute or leaves the root
 */
export function writeCpio(entries: readonly Entry[]): Buffer {
  const parts: Uint8Array[] = []
  let length = 0
  const put = (bytes: Uint8Array) => {
    const pad = padding(length + bytes.length)
    parts.push(bytes, new Uint8Array(pad))
    length += bytes.length + pad
  }
  const member = (entry: Entry, inode: number) => {
    const data = content(entry)
    const name = Buffer.from(`${entry.path}\0`)
    put(Buffer.concat([Buffer.from(header(entry, inode, data.length, name.length)), name]))
    put(data)
  }
  entries.forEach((entry, index) => {
    if (entry.path === '' || entry.path.startsWith('/') || entry.path.split('/').includes('..'))
      throw new Fault('unexpected', 'initramfs-path', `The path ${entry.path} can't stand in an initramfs`)
    member(entry, index + 1)
  })
  member({ kind: 'file', path: 'TRAILER!!!', bytes: new Uint8Array(0), mode: 0 }, 0)
  return Buffer.concat(parts, length)
}
