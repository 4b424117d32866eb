// SPDX-License-Identifier: GPL-3.0-or-later
// The GNU build-id of a kernel: a hash of the linked image, so two builds that differ anywhere have two of them.
// Format: System V gABI, chapter 5 (Note Section).
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const noteSegment = 4
const gnuBuildId = 3
/** Bytes; the notes of a kernel have some hundred. */
const most = 1 << 20
/** Segments of notes; a kernel has one. */
const mostSegments = 16

/**
 * @param vmlinux the kernel proper, an ELF file
 * @returns the build-id in hexadecimal; undefined when the kernel was linked without one
 */
export function readBuildId(vmlinux: string): string | undefined {
  const file = openSync(vmlinux, 'r')
  try {
    const { size } = fstatSync(file)
    const read = (offset: number, length: number) => {
      if (offset > size) return Buffer.alloc(0)
      const bytes = Buffer.alloc(Math.min(length, most))
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, offset))
    }
    const header = read(0, 64)
    if (header.length < 64) return undefined
    const table = read(Number(header.readBigUInt64LE(32)), 56 * header.readUInt16LE(56))
    let segments = 0
    for (let at = 0; at + 56 <= table.length && segments < mostSegments; at += 56) {
      if (table.readUInt32LE(at) !== noteSegment) continue
      segments++
      const [offset, size] = [table.readBigUInt64LE(at + 8), table.readBigUInt64LE(at + 32)]
      const found = buildIdIn(read(Number(offset), Number(size)))
      if (found !== undefined) return found
    }
    return undefined
  } finally {
    closeSync(file)
  }
}

/** @returns the build-id in hexadecimal among notes, which `/sys/kernel/notes` also has */
export function buildIdIn(notes: Buffer): string | undefined {
  const aligned = (size: number) => (size + 3) & ~3
  for (let at = 0; at + 12 <= notes.length; ) {
    const nameSize = notes.readUInt32LE(at)
    const size = notes.readUInt32LE(at + 4)
    const id = at + 12 + aligned(nameSize)
    if (nameSize > most || size > most || id + size > notes.length) return undefined
    const isGnu = nameSize === 4 && notes.toString('latin1', at + 12, at + 16) === 'GNU\0'
    if (isGnu && notes.readUInt32LE(at + 8) === gnuBuildId) return notes.toString('hex', id, id + size)
    at = id + aligned(size)
  }
  return undefined
}
